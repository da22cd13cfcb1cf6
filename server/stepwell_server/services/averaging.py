"""The mean and the spread over runs at places that they share: one pass over the runs, memory for the places alone."""

from typing import Protocol

import numpy as np

from stepwell_server.model.buckets import bucket_borders, buckets_of, value_buckets
from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.group_lines import GroupLine
from stepwell_server.model.series import INT64_MAX, INT64_MIN, SampledSeries

X = Int64s | Float64s


class Places(Protocol):
    """Buckets of x, in which runs are compared."""

    # Their middles, as distances from the least x.
    middles: Float64s
    # Two x: none is greater than the first one, none is less than the second one.
    outermost: X

    def of(self, x: X) -> Int64s:
        """Return the buckets of values of x."""
        ...

    def distances(self, x: X) -> Float64s:
        """Return how far values of x are from the least one."""
        ...


class WholePlaces:
    """Buckets of [low, high] over whole numbers."""

    def __init__(self, low: int, high: int, buckets: int) -> None:
        self.outermost: X = np.array([INT64_MAX, INT64_MIN])
        self._borders = bucket_borders(low, high, buckets)
        lasts = np.append(self._borders[1:] - 1, high)
        self.middles = (self.distances(self._borders) + self.distances(lasts)) / 2

    def of(self, x: X) -> Int64s:
        """See `Places`."""
        return buckets_of(self._borders, x.astype(np.int64, copy=False))

    def distances(self, x: X) -> Float64s:
        """See `Places`. The distance of two 64-bit numbers fits into 64 bits without a sign."""
        low, whole = self._borders[:1], x.astype(np.int64)
        return (whole.view(np.uint64) - low.astype(np.int64).view(np.uint64)).astype(np.float64)


class ValuePlaces:
    """Buckets of [low, high] over finite doubles."""

    def __init__(self, low: float, high: float, buckets: int) -> None:
        self.outermost: X = np.array([np.inf, -np.inf])
        self._low, self._high, self._buckets = low, high, buckets
        self.middles = (np.arange(buckets) + 0.5) / buckets * (high - low)

    def of(self, x: X) -> Int64s:
        """See `Places`."""
        return value_buckets(self._low, self._high, self._buckets, x.astype(np.float64, copy=False))

    def distances(self, x: X) -> Float64s:
        """See `Places`."""
        return x.astype(np.float64) - self._low


class GroupAverage:
    """Takes the samples of runs between the same places one after the other; see `GroupLine` for how a run counts."""

    def __init__(self, places: Places) -> None:
        self._places = places
        size = len(places.middles)
        greatest, least = places.outermost
        self._first_x, self._last_x = np.full(size, greatest), np.full(size, least)
        self._mean, self._squares = np.zeros(size), np.zeros(size)
        self._minimum, self._maximum = np.full(size, np.nan), np.full(size, np.nan)
        self._runs, self._count, self._non_finite_count = np.zeros((3, size), np.int64)
        self._runs_with_points = 0

    def add(self, sample: SampledSeries) -> None:
        """Take the sample of one more run."""
        if not len(sample):
            return
        self._runs_with_points += 1
        at = self._places.of(sample.first_x)
        self._first_x[at] = np.minimum(self._first_x[at], sample.first_x)
        self._last_x[at] = np.maximum(self._last_x[at], sample.last_x)
        self._count[at] += sample.count
        self._non_finite_count[at] += sample.non_finite_count
        self._take(self._values(sample, at))

    def _values(self, sample: SampledSeries, at: Int64s) -> Float64s:
        """What the run is at each place; NaN where it does not count. A part without finite values is a gap."""
        distance = self._places.distances
        middles = (distance(sample.first_x) + distance(sample.last_x)) / 2
        values = np.interp(self._places.middles, middles, sample.mean, left=np.nan, right=np.nan)
        values[at] = sample.mean
        return values

    def _take(self, values: Float64s) -> None:
        """Move mean and sum of squares on (Welford 1962), which loses nothing where values are large and lie close."""
        counts = ~np.isnan(values)
        self._runs += counts
        with np.errstate(over="ignore", invalid="ignore"):
            beside = np.where(counts, values - self._mean, 0.0)
            self._mean += beside / np.maximum(self._runs, 1)
            self._squares += np.where(counts, beside * (values - self._mean), 0.0)
        self._minimum, self._maximum = np.fmin(self._minimum, values), np.fmax(self._maximum, values)

    def line(self, found_runs: int, read_runs: int) -> GroupLine:
        """Return what the runs that were taken have in common."""
        filled = self._count > 0
        runs = self._runs[filled]
        with np.errstate(invalid="ignore"):
            deviation = np.sqrt(self._squares[filled] / np.maximum(runs - 1, 1))
        return GroupLine(
            first_x=self._first_x[filled],
            last_x=self._last_x[filled],
            mean=np.where(runs > 0, self._mean[filled], np.nan),
            deviation=np.where(runs > 0, deviation, np.nan),
            minimum=self._minimum[filled],
            maximum=self._maximum[filled],
            runs=runs,
            count=self._count[filled],
            non_finite_count=self._non_finite_count[filled],
            found_runs=found_runs,
            read_runs=read_runs,
            runs_with_points=self._runs_with_points,
        )
