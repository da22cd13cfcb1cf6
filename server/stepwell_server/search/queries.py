"""A search as the store takes it: everything parsed and checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.logged_models import DatasetName
from stepwell_server.model.runs import ViewType
from stepwell_server.search.expressions import Expression, OrderKey

# The value of an order key: its rank (0 there, 1 NaN, 2 missing) and, for rank 0, the value itself.
KeyPosition = tuple[int, int | float | str | None]


@dataclass(frozen=True, slots=True)
class RowPosition:
    """Where a page ends: the order keys of its last row, then what decides among equals (time in ms, id)."""

    keys: tuple[KeyPosition, ...]
    time_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Projection:
    """Which params, metrics and tags of a run are wanted, by key; None means all.

    `summaries`: metrics come with what all of their points have in common.
    """

    params: Sequence[str] | None = None
    metrics: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    summaries: bool = False


@dataclass(frozen=True, slots=True)
class RunSearch:
    """A page of runs: the first `limit` after `after`. `experiment_ids` of None means all experiments but `hidden`.

    `roots_only`: without runs whose parent is in these experiments and stages.
    """

    experiment_ids: Sequence[int] | None
    view: ViewType
    filter: Expression | None
    order: tuple[OrderKey, ...]
    limit: int
    after: RowPosition | None = None
    projection: Projection = field(default_factory=Projection)
    roots_only: bool = False
    hidden: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ExperimentSearch:
    """A page of experiments: the first `limit` after `after`, of those that may be seen."""

    view: ViewType
    filter: Expression | None
    order: tuple[OrderKey, ...]
    limit: int
    after: RowPosition | None = None
    within: Within = EVERYWHERE


@dataclass(frozen=True, slots=True)
class LoggedModelSearch:
    """A page of models that are not deleted: the first `limit` after `after`.

    `experiment_ids` of None means all experiments but `hidden`; the metrics of the filter are those of `datasets`, if
    there are any.
    """

    experiment_ids: Sequence[int] | None
    filter: Expression | None
    datasets: Sequence[DatasetName]
    order: tuple[OrderKey, ...]
    limit: int
    after: RowPosition | None = None
    hidden: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class RegistrySearch:
    """A page of registered models or of versions: the first `limit` after `after`, of models that may be seen."""

    filter: Expression | None
    order: tuple[OrderKey, ...]
    limit: int
    after: RowPosition | None = None
    within: Within = EVERYWHERE
