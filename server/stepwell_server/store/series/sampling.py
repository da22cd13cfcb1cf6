"""Honest downsampling: points fall into buckets of equal width, and each bucket is summed up exactly.

The definition, which the tests repeat in plain Python over the raw points:

1. The range is cut: x_from <= x <= x_to.
2. lo and hi are the least and the greatest x that are left (or, for samples between bounds, x_from and x_to),
   span = hi - lo + 1, n = min(buckets, span).
3. Bucket i, from 0, begins at border lo + floor(i * span / n), in whole numbers without rounding.
4. Within a bucket points are in order of (x, y, value), NaN above every number, where y is the time when x is the
   step, and the step when x is a time. The first and the last point, and so the first and the last of the range,
   are given as they are.
5. Minimum, maximum and mean are over the finite values. The mean is a sum, in any order, over a count: it is exact
   but for the rounding of that sum, and infinite or NaN when the sum leaves the range of doubles.

What is summed up are *fragments*: points of one series that lie in one bucket. A whole chunk that lies in one bucket
is a fragment as it is stored; other chunks are opened and cut at the borders.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.buckets import buckets_of
from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import SampledSeries

# A group is a bucket of a series: series * GROUPS_PER_SERIES + bucket.
GROUPS_PER_SERIES = 2**20


@dataclass(frozen=True, slots=True)
class Fragments:
    """One element for each fragment; minimum, maximum and sum as in `chunks.Summaries`."""

    groups: Int64s
    x_first: Int64s
    y_first: Int64s
    value_first: Float64s
    x_last: Int64s
    y_last: Int64s
    value_last: Float64s
    value_min: Float64s
    value_max: Float64s
    value_sum: Float64s
    counts: Int64s
    non_finite_counts: Int64s

    def __len__(self) -> int:
        return len(self.groups)

    def at(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Fragments":
        """The fragments at these places."""
        return Fragments(*(getattr(self, field.name)[index] for field in fields(self)))


def join_fragments(pieces: Sequence[Fragments]) -> Fragments:
    """Put fragments one after the other."""
    return Fragments(
        *(np.concatenate([getattr(piece, field.name) for piece in pieces]) for field in fields(Fragments))
    )


@dataclass(frozen=True, slots=True)
class OpenedChunk:
    """Points of one chunk in order of (x, y, value); `borders` are those of its series.

    `y` is None where it decides nothing: no two points of the series have the same x.
    """

    series: int
    x: Int64s
    y: Int64s | None
    values: Float64s


def cut_at_borders(chunks: Sequence[OpenedChunk], borders: Sequence[Int64s]) -> Fragments:
    """Cut opened chunks, each of at least one point, into fragments; `borders[series]` are those of a series."""
    starts, groups = [], []
    offset = 0
    for chunk in chunks:
        of_series = borders[chunk.series]
        first, last = buckets_of(of_series, chunk.x[[0, -1]]).tolist()
        begin = np.zeros(last - first + 1, np.int64)
        begin[1:] = np.searchsorted(chunk.x, of_series[first + 1 : last + 1], side="left")
        filled = np.append(begin[1:], len(chunk.x)) > begin
        starts.append(begin[filled] + offset)
        groups.append(chunk.series * GROUPS_PER_SERIES + first + np.flatnonzero(filled))
        offset += len(chunk.x)
    return _summarised(chunks, np.concatenate(starts), np.concatenate(groups), offset)


def _summarised(chunks: Sequence[OpenedChunk], starts: Int64s, groups: Int64s, points: int) -> Fragments:
    lasts = np.append(starts[1:], points) - 1
    x = np.concatenate([chunk.x for chunk in chunks])
    values = np.concatenate([chunk.values for chunk in chunks])
    y = np.concatenate([np.zeros_like(chunk.x) if chunk.y is None else chunk.y for chunk in chunks])
    finite = np.isfinite(values)
    if finite.all():
        lows = highs = terms = values
        non_finite_counts = np.zeros(len(starts), np.int64)
    else:
        lows, highs, terms = (np.where(finite, values, instead) for instead in (np.inf, -np.inf, 0.0))
        non_finite_counts = np.add.reduceat((~finite).astype(np.int64), starts)
    with np.errstate(over="ignore", invalid="ignore"):
        value_sum = np.add.reduceat(terms, starts)
    return Fragments(
        groups=groups,
        x_first=x[starts],
        y_first=y[starts],
        value_first=values[starts],
        x_last=x[lasts],
        y_last=y[lasts],
        value_last=values[lasts],
        value_min=np.minimum.reduceat(lows, starts),
        value_max=np.maximum.reduceat(highs, starts),
        value_sum=value_sum,
        counts=lasts - starts + 1,
        non_finite_counts=non_finite_counts,
    )


def sum_up(fragments: Fragments) -> Fragments:
    """Join the fragments of each group into one; groups ascending."""
    if not _follow_each_other(fragments):
        return _sum_up_unordered(fragments)
    starts = np.flatnonzero(np.append(True, fragments.groups[1:] != fragments.groups[:-1]))
    lasts = np.append(starts[1:], len(fragments)) - 1
    return _reduced(fragments, starts, starts, lasts)


def _follow_each_other(fragments: Fragments) -> bool:
    groups = fragments.groups
    later_group = groups[1:] > groups[:-1]
    same_group = groups[1:] == groups[:-1]
    return bool((later_group | (same_group & (fragments.x_first[1:] > fragments.x_last[:-1]))).all())


def _sum_up_unordered(fragments: Fragments) -> Fragments:
    by_last = np.lexsort((fragments.value_last, fragments.y_last, fragments.x_last, fragments.groups))
    by_first = np.lexsort((fragments.value_first, fragments.y_first, fragments.x_first, fragments.groups))
    groups = fragments.groups[by_first]
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    ends = np.append(starts[1:], len(groups)) - 1
    # Where the last point of each group stands once the fragments are in order of their first points.
    place = np.empty_like(by_first)
    place[by_first] = np.arange(len(by_first))
    return _reduced(fragments.at(by_first), starts, starts, place[by_last[ends]])


def _reduced(fragments: Fragments, starts: Int64s, firsts: Int64s, lasts: Int64s) -> Fragments:
    """Fragments in order of group: `starts` of the groups, and where their first and last points are."""
    with np.errstate(over="ignore", invalid="ignore"):
        value_sum = np.add.reduceat(fragments.value_sum, starts)
    return Fragments(
        groups=fragments.groups[starts],
        x_first=fragments.x_first[firsts],
        y_first=fragments.y_first[firsts],
        value_first=fragments.value_first[firsts],
        x_last=fragments.x_last[lasts],
        y_last=fragments.y_last[lasts],
        value_last=fragments.value_last[lasts],
        value_min=np.minimum.reduceat(fragments.value_min, starts),
        value_max=np.maximum.reduceat(fragments.value_max, starts),
        value_sum=value_sum,
        counts=np.add.reduceat(fragments.counts, starts),
        non_finite_counts=np.add.reduceat(fragments.non_finite_counts, starts),
    )


def sampled(buckets: Fragments, series_count: int) -> list[SampledSeries]:
    """Return the buckets of each series, for series 0 to series_count - 1."""
    finite = buckets.counts - buckets.non_finite_counts
    none = finite == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(none, np.nan, buckets.value_sum / finite)
    minima = np.where(none, np.nan, buckets.value_min)
    maxima = np.where(none, np.nan, buckets.value_max)
    ends = np.searchsorted(buckets.groups, np.arange(series_count + 1) * GROUPS_PER_SERIES).tolist()
    return [
        SampledSeries(
            first_x=buckets.x_first[start:end],
            first_value=buckets.value_first[start:end],
            last_x=buckets.x_last[start:end],
            last_value=buckets.value_last[start:end],
            minimum=minima[start:end],
            maximum=maxima[start:end],
            mean=means[start:end],
            count=buckets.counts[start:end],
            non_finite_count=buckets.non_finite_counts[start:end],
        )
        for start, end in pairwise(ends)
    ]
