"""Samples of one metric over another: x of a point is what the other metric was at the same step.

Both histories come in order of steps, a piece at a time, so that memory is bounded however long they are: one piece of
each, and the buckets. Both are read once.
"""

from collections.abc import AsyncIterator

import numpy as np

from stepwell_server.model.buckets import value_buckets
from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import NO_HISTORY, NO_SAMPLE, History, SampledSeries


class ValuesAtSteps:
    """What a metric was at steps: the last value of each. Its history comes in pieces, in order."""

    def __init__(self, pieces: AsyncIterator[History]) -> None:
        self._pieces = pieces
        self._piece: History | None = NO_HISTORY
        self._last = (0, np.nan)

    async def at(self, steps: Int64s) -> Float64s:
        """Return the values at steps, which are in order and not below those of earlier calls; NaN where is none."""
        found = np.where(steps == self._last[0], self._last[1], np.nan)
        while self._piece is not None:
            known = self._piece.steps
            if len(known):
                places = np.searchsorted(known, steps, side="right") - 1
                matching = (places >= 0) & (known[places] == steps)
                found[matching] = self._piece.values[places[matching]]
                if known[-1] > steps[-1]:
                    break
            self._piece = await anext(self._pieces, None)
        self._last = (int(steps[-1]), float(found[-1]))
        return found


class ValueBuckets:
    """Buckets of equal width over finite values of x, from `low` to `high`, which add up points as they come."""

    def __init__(self, low: float, high: float, buckets: int) -> None:
        self._low, self._high = low, high
        self._first_x = np.full(buckets, np.inf)
        self._last_x = np.full(buckets, -np.inf)
        self._first_value, self._last_value = np.full(buckets, np.nan), np.full(buckets, np.nan)
        self._minimum, self._maximum = np.full(buckets, np.inf), np.full(buckets, -np.inf)
        self._sum = np.zeros(buckets)
        self._count, self._non_finite_count = np.zeros(buckets, np.int64), np.zeros(buckets, np.int64)

    def add(self, x: Float64s, values: Float64s) -> None:
        """Add points, in order of steps; those whose x is not between the ends are left out."""
        inside = (x >= self._low) & (x <= self._high)
        x, values = x[inside], values[inside]
        if not len(x):
            return
        buckets = value_buckets(self._low, self._high, len(self._count), x)
        order = np.lexsort((x, buckets))
        buckets, x, values = buckets[order], x[order], values[order]
        starts = np.flatnonzero(np.append(True, buckets[1:] != buckets[:-1]))
        lasts = np.append(starts[1:], len(x)) - 1
        at = buckets[starts]
        self._extend_ends(at, x[starts], values[starts], x[lasts], values[lasts])
        finite = np.isfinite(values)
        lows, highs, terms = (np.where(finite, values, instead) for instead in (np.inf, -np.inf, 0.0))
        self._minimum[at] = np.minimum(self._minimum[at], np.minimum.reduceat(lows, starts))
        self._maximum[at] = np.maximum(self._maximum[at], np.maximum.reduceat(highs, starts))
        with np.errstate(over="ignore", invalid="ignore"):
            self._sum[at] += np.add.reduceat(terms, starts)
        self._count[at] += lasts - starts + 1
        self._non_finite_count[at] += np.add.reduceat((~finite).astype(np.int64), starts)

    def sample(self) -> SampledSeries:
        """Return the buckets that hold points."""
        filled = self._count > 0
        finite = (self._count - self._non_finite_count)[filled]
        none = finite == 0
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(none, np.nan, self._sum[filled] / finite)
        return SampledSeries(
            first_x=self._first_x[filled],
            first_value=self._first_value[filled],
            last_x=self._last_x[filled],
            last_value=self._last_value[filled],
            minimum=np.where(none, np.nan, self._minimum[filled]),
            maximum=np.where(none, np.nan, self._maximum[filled]),
            mean=mean,
            count=self._count[filled],
            non_finite_count=self._non_finite_count[filled],
        )

    def _extend_ends(
        self, at: Int64s, first_x: Float64s, first_value: Float64s, last_x: Float64s, last_value: Float64s
    ) -> None:
        lower = first_x < self._first_x[at]
        self._first_x[at[lower]], self._first_value[at[lower]] = first_x[lower], first_value[lower]
        upper = last_x >= self._last_x[at]
        self._last_x[at[upper]], self._last_value[at[upper]] = last_x[upper], last_value[upper]


async def sample_over(
    pieces: AsyncIterator[History],
    x_pieces: AsyncIterator[History],
    low: float | None,
    high: float | None,
    buckets: int,
) -> SampledSeries:
    """Return the sample of a history over another one, both in pieces; `low` and `high` are None if x has no value."""
    if low is None or high is None or low > high:
        return NO_SAMPLE
    values, summed_up = ValuesAtSteps(x_pieces), ValueBuckets(low, high, buckets)
    async for piece in pieces:
        if len(piece):
            summed_up.add(await values.at(piece.steps), piece.values)
    return summed_up.sample()
