"""What a page of runs asks beside the runs themselves: values, groups, kin."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

VALUES_DEFAULT = 100
VALUES_MAX = 1_000
VALUE_TEXT_CHARS_MAX = 500
# Fields that groups may have in common, and metrics of which mean and spread are told.
GROUP_FIELDS_MAX = 4
GROUP_METRICS_MAX = 50
GROUPS_MAX = 1_000
# Runs that are put into groups by one call; 100,000 take a second or two.
GROUPED_RUNS_MAX = 500_000
KIN_RUNS_MAX = 1_000
# A loop of parents ends here, too.
ANCESTORS_MAX = 32
CHILDREN_COUNTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Values:
    """Values of a field with the number of runs that have each, most first, among the latest `runs` runs."""

    values: Sequence[tuple[str, int]]
    runs: int


@dataclass(frozen=True, slots=True)
class Spread:
    """A metric over the runs of a group that have a finite value; `count` 0 means none, and the rest is 0."""

    count: int
    mean: float
    deviation: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs with equal `values`, None where they have none; `metrics` in the order that was asked for."""

    values: Sequence[str | None]
    runs: int
    metrics: Sequence[Spread]


@dataclass(frozen=True, slots=True)
class Kin:
    """The runs that a run was started in, the nearest first, and how many were started in it."""

    run_id: UUID
    ancestors: Sequence[UUID]
    children: int
