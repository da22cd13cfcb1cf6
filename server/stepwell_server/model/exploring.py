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
# Changes of one answer. It also looks back a little: a change is seen only once its transaction is committed.
CHANGES_MAX = 1_000
CHANGES_OVERLAP_MS = 10_000
SUMMARIZED_EXPERIMENTS_MAX = 1_000
VIEWS_MAX = 200
VIEW_EXPERIMENTS_MAX = 100
VIEW_NAME_CHARS_MAX = 200
VIEW_ADDRESS_CHARS_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Changes:
    """Runs that changed, with times, the first first; `now_ms` is what to ask from next. Not `complete`: too many."""

    runs: Sequence[tuple[UUID, int]]
    now_ms: int
    complete: bool


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """How many active runs there are, how many of them run, and when one changed last (0: never)."""

    experiment_id: int
    runs: int
    running: int
    last_change_ms: int


@dataclass(frozen=True, slots=True)
class View:
    """A table of runs as somebody looked at it; `address` is what the page reads."""

    view_id: int
    experiment_ids: Sequence[int]
    name: str
    address: str
    saved_time_ms: int


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
