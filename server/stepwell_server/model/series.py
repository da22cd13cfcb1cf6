"""The values that reading is about: which points are wanted, and what is found. No I/O, no clock here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

import numpy as np

from stepwell_server.model.columns import Float64s, Int64s

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class History:
    """Points of one series in columns, each of shape (n,), ordered by (step, timestamp, value)."""

    steps: Int64s
    timestamps_ms: Int64s
    values: Float64s

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, start: int, end: int | None = None) -> "History":
        """The points [start, end), without a copy."""
        return History(self.steps[start:end], self.timestamps_ms[start:end], self.values[start:end])


def thinned_places(size: int, wanted: int) -> Int64s:
    """Return which of `size` points stand for all of them, at most `wanted`: all if they are not more.

    Else the first of each of `wanted` parts, of which the first ones are larger by one where they cannot be equal; but
    of the last part the last point.
    """
    if size <= wanted:
        return np.arange(size, dtype=np.int64)
    numbers = np.arange(wanted, dtype=np.int64)
    places = numbers * (size // wanted) + np.minimum(numbers, size % wanted)
    places[-1] = size - 1
    return places


@dataclass(frozen=True, slots=True)
class SeriesName:
    """One metric of one run."""

    run_id: UUID
    key: str


@dataclass(frozen=True, slots=True)
class ThinnedSeries:
    """Some points of a series; see `thinned_places`.

    `mark` stands for all points of the run: as long as it is the same, they are. None where there are none. `points`
    are None where they are not known without reading the series, and where the caller knows them by the mark.
    """

    mark: bytes | None
    points: History | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which points of a series count: those inside of all bounds, which are inclusive.

    Of `writer_ids` and `ranks`, None means all. `with_hidden`: samples count what rewinds hide, too.
    """

    step_from: int = INT64_MIN
    step_to: int = INT64_MAX
    time_from_ms: int = INT64_MIN
    time_to_ms: int = INT64_MAX
    writer_ids: Sequence[UUID] | None = None
    ranks: Sequence[int] | None = None
    with_hidden: bool = False


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class HistoryCursor:
    """How far a reader of several histories is: after `repeats` points that equal this one, of series `number`."""

    number: int
    step: int
    timestamp_ms: int
    value: float
    repeats: int


@dataclass(frozen=True, slots=True)
class SeriesPiece:
    """The next points of series `number` of a request, and where to go on after them."""

    number: int
    points: History
    end: HistoryCursor


@dataclass(frozen=True, slots=True)
class LatestRow:
    """Latest point and summary of a metric of run `number` of a request.

    Minimum, maximum and sum are over the finite values and None when there are none.
    """

    number: int
    key: str
    step: int
    timestamp_ms: int
    value: float
    count: int
    non_finite_count: int
    value_min: float | None
    value_max: float | None
    value_sum: float | None


class XAxis(Enum):
    """What a sample is drawn over."""

    STEP = "step"
    TIME = "time"
    TIME_SINCE_START = "time_since_start"
    METRIC = "metric"


@dataclass(frozen=True, slots=True)
class ValueRange:
    """Values of a metric that are x of a sample, both ends inclusive and finite; None leaves an end open."""

    key: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """How many series are to be sampled alike: the points with x_from <= x <= x_to in this many buckets.

    x is a step, milliseconds since the epoch, or milliseconds since the run's start; None leaves an end open. Over a
    metric, x is one of `values`, and `x_from` and `x_to` are None.
    """

    axis: XAxis
    buckets: int
    x_from: int | None = None
    x_to: int | None = None
    writer_ids: Sequence[UUID] | None = None
    ranks: Sequence[int] | None = None
    values: ValueRange | None = None
    with_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a store has to know of a sample beside the selections: whether x is the time, and how many buckets.

    `between_bounds`: the buckets lie between the bounds of x that a selection has, and not between the least and the
    greatest x that are found; so several series have the same ones.
    """

    by_time: bool
    buckets: int
    between_bounds: bool = False


@dataclass(frozen=True, slots=True)
class Extent:
    """How far all points of series `number` of a request reach, and how many chunks may have some within its bounds."""

    number: int
    chunks: int
    step_min: int
    step_max: int
    time_min_ms: int
    time_max_ms: int


@dataclass(frozen=True, slots=True)
class SampledSeries:
    """The buckets of one series that hold points, in order, in columns of shape (n,).

    First and last are those of (x, value) in the bucket's order. Minimum, maximum and mean are over the finite
    values, NaN where there are none. Where a bucket holds one point, all of these are that point. x are doubles when
    the sample is over a metric.
    """

    first_x: Int64s | Float64s
    first_value: Float64s
    last_x: Int64s | Float64s
    last_value: Float64s
    minimum: Float64s
    maximum: Float64s
    mean: Float64s
    count: Int64s
    non_finite_count: Int64s

    def __len__(self) -> int:
        return len(self.count)


_NO_INTEGERS: Int64s = np.empty(0, np.int64)
_NO_FLOATS: Float64s = np.empty(0, np.float64)
NO_HISTORY = History(_NO_INTEGERS, _NO_INTEGERS, _NO_FLOATS)
NO_SAMPLE = SampledSeries(
    _NO_INTEGERS,
    _NO_FLOATS,
    _NO_INTEGERS,
    _NO_FLOATS,
    _NO_FLOATS,
    _NO_FLOATS,
    _NO_FLOATS,
    _NO_INTEGERS,
    _NO_INTEGERS,
)


class WatchStart(Enum):
    """From where a watcher wants to see what is committed."""

    NOW = "now"
    BEGINNING = "beginning"
    POSITIONS = "positions"


@dataclass(frozen=True, slots=True)
class Position:
    """A writer's log is known up to here."""

    run_id: UUID
    writer_id: UUID
    position: int


@dataclass(frozen=True, slots=True)
class SeriesNews:
    """What was committed to a series: all points in order, or, when they are too many, a summary of parts over steps.

    `restarted`: this is all there is of the series, and takes the place of what was told before.
    """

    run_id: UUID
    key: str
    restarted: bool
    points: History | None
    parts: SampledSeries | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What was committed, and the writers whose positions moved."""

    series: Sequence[SeriesNews]
    positions: Sequence[Position]
