"""What a chart shows of groups of runs: one line for each group."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.runs import ViewType


@dataclass(frozen=True, slots=True)
class GroupsWanted:
    """Groups of runs of some experiments (None: of all): what a filter each finds."""

    experiment_ids: Sequence[int] | None
    view: ViewType
    filters: Sequence[str]


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One metric over the runs of a group, in columns of shape (n,): the buckets with points of some run, in order.

    A run counts in a bucket with the mean of its finite points there; where it has no points, but has some before and
    behind, with what lies on the straight line between these. `mean`, `deviation` (of a sample; 0 of one run),
    `minimum` and `maximum` are over the `runs` that count, NaN where none does. First and last x, count and non-finite
    count are those of the points of all runs. x are doubles over a metric.

    `found_runs` are those that the filter finds, `read_runs` as many as were looked at, those that started last, and
    `runs_with_points` as many as have points here.
    """

    first_x: Int64s | Float64s
    last_x: Int64s | Float64s
    mean: Float64s
    deviation: Float64s
    minimum: Float64s
    maximum: Float64s
    runs: Int64s
    count: Int64s
    non_finite_count: Int64s
    found_runs: int
    read_runs: int
    runs_with_points: int

    def __len__(self) -> int:
        return len(self.count)
