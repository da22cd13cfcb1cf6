"""From the points of many batches to chunks: sorted, cut, narrowed, summed up. Pure numpy, no I/O.

README.md beside this file draws the stored form. All work is done on whole columns at once; what loops in
Python loops over chunks, never over points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.columns import Float64s, Int64s

# PostgreSQL keeps a long array in pieces of 1,996 bytes, four to a page, and what does not fill pieces wastes pages. An
# array has 20 bytes of its own, so 3,987 elements of 4 bytes fill 8 pieces (20 + 4 x 3,987 = 8 x 1,996), and of 8 bytes
# just not 16: 8.2 bytes for a point of 8. With 4,096 points the ninth piece would make that 10.
CHUNK_POINTS_MAX = 3_987
# A chunk of fewer points is small: worth merging. The statements of compaction.sql have both numbers, and the index of
# migration 0009 this one.
SMALL_POINTS_MAX = 3_000

INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """Points of several series in columns, each series in one piece.

    Series i owns the next `counts[i]` (at least 1) elements of the three columns.
    """

    counts: Int64s
    steps: Int64s
    timestamps_ms: Int64s
    values: Float64s


@dataclass(frozen=True, slots=True)
class Summaries:
    """One element for each chunk (or series): its first and last point in order, and its extremes.

    `value_min`, `value_max`, `value_sum` are over the finite values: +inf, -inf and 0 when there are none.
    """

    counts: Int64s
    step_min: Int64s
    step_max: Int64s
    time_first_ms: Int64s
    time_last_ms: Int64s
    time_min_ms: Int64s
    time_max_ms: Int64s
    value_first: Float64s
    value_last: Float64s
    value_min: Float64s
    value_max: Float64s
    value_sum: Float64s
    non_finite_counts: Int64s


@dataclass(frozen=True, slots=True)
class Chunks:
    """Points cut into chunks, each sorted by (step, timestamp, value) and NaN last.

    Chunk i is piece `parts[i]` of series `series[i]` and begins at point `starts[i]`. `strides[i]` says that its
    steps are evenly spaced (-1: they are not). `offsets_fit[i]` and `float32_exact[i]` say what may be narrowed.
    """

    points: SeriesPoints
    series: Int64s
    parts: Int64s
    starts: Int64s
    strides: Int64s
    offsets_fit: NDArray[np.bool_]
    float32_exact: NDArray[np.bool_]
    time_offsets_ms: Int64s
    values_float32: NDArray[np.float32]
    summaries: Summaries


def build_chunks(points: SeriesPoints) -> Chunks:
    """Sort each series, cut it into chunks of at most CHUNK_POINTS_MAX, and find how far each can be narrowed."""
    points = sort_series(points)
    series, parts, starts, counts = cut(points.counts)
    summaries = summarise(points, starts, counts)
    values_float32, float32_exact = narrow_values(points.values, starts)
    return Chunks(
        points=points,
        series=series,
        parts=parts,
        starts=starts,
        strides=strides(points.steps, starts, counts),
        offsets_fit=offsets_fit(summaries),
        float32_exact=float32_exact,
        time_offsets_ms=points.timestamps_ms - np.repeat(summaries.time_first_ms, counts),
        values_float32=values_float32,
        summaries=summaries,
    )


def series_starts(counts: Int64s) -> Int64s:
    """Index of the first point of each series."""
    starts = np.zeros(len(counts), np.int64)
    np.cumsum(counts[:-1], out=starts[1:])
    return starts


def sort_series(points: SeriesPoints) -> SeriesPoints:
    """Return the points with each series in order of (step, timestamp, value), NaN after every number."""
    disorder = unsorted(points)
    if disorder is None:
        return points
    owner = np.repeat(np.arange(len(points.counts)), points.counts)
    touched = np.zeros(len(points.counts), np.bool_)
    touched[owner[disorder]] = True
    where = np.flatnonzero(touched[owner])
    order = np.lexsort((points.values[where], points.timestamps_ms[where], points.steps[where], owner[where]))

    def reordered(column: NDArray[Any]) -> NDArray[Any]:
        column = column.copy()
        column[where] = column[where][order]
        return column

    return SeriesPoints(
        points.counts, reordered(points.steps), reordered(points.timestamps_ms), reordered(points.values)
    )


def unsorted(points: SeriesPoints) -> Int64s | None:
    """Indexes of points that come after a greater point of their series; None when there are none."""
    steps, times, values = points.steps, points.timestamps_ms, points.values
    rising = steps[1:] > steps[:-1]
    rising[series_starts(points.counts)[1:] - 1] = True
    if rising.all():
        return None
    at = np.flatnonzero(~rising)
    same_step = steps[at + 1] == steps[at]
    later = times[at + 1] > times[at]
    same_time = times[at + 1] == times[at]
    not_less = (values[at + 1] >= values[at]) | np.isnan(values[at + 1])
    wrong = at[~(same_step & (later | (same_time & not_less)))]
    return wrong if len(wrong) else None


def cut(counts: Int64s) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Cut series into chunks: series number, part number, first point and number of points of each chunk."""
    pieces = -(-counts // CHUNK_POINTS_MAX)
    series = np.repeat(np.arange(len(counts)), pieces)
    parts = np.arange(len(series)) - np.repeat(series_starts(pieces), pieces)
    starts = series_starts(counts)[series] + parts * CHUNK_POINTS_MAX
    return series, parts, starts, np.minimum(counts[series] - parts * CHUNK_POINTS_MAX, CHUNK_POINTS_MAX)


def summarise(points: SeriesPoints, starts: Int64s, counts: Int64s) -> Summaries:
    """Sum up sorted pieces that begin at `starts` and follow each other without gaps."""
    steps, times, values = points.steps, points.timestamps_ms, points.values
    lasts = starts + counts - 1
    finite = np.isfinite(values)
    if finite.all():
        lows = highs = terms = values
        non_finite_counts = np.zeros(len(starts), np.int64)
    else:
        lows, highs, terms = (np.where(finite, values, instead) for instead in (np.inf, -np.inf, 0.0))
        non_finite_counts = np.add.reduceat((~finite).astype(np.int64), starts)
    # A sum of huge values is infinite, or NaN where both infinities come up; it is stored so.
    with np.errstate(over="ignore", invalid="ignore"):
        value_sum = np.add.reduceat(terms, starts)
    return Summaries(
        counts=counts,
        step_min=steps[starts],
        step_max=steps[lasts],
        time_first_ms=times[starts],
        time_last_ms=times[lasts],
        time_min_ms=np.minimum.reduceat(times, starts),
        time_max_ms=np.maximum.reduceat(times, starts),
        value_first=values[starts],
        value_last=values[lasts],
        value_min=np.minimum.reduceat(lows, starts),
        value_max=np.maximum.reduceat(highs, starts),
        value_sum=value_sum,
        non_finite_counts=non_finite_counts,
    )


def strides(steps: Int64s, starts: Int64s, counts: Int64s) -> Int64s:
    """Distance of evenly spaced steps for each piece; -1 where they are not evenly spaced.

    Pieces are sorted, so a difference that comes out negative has left the 64 bits and is not even.
    """
    differences = np.empty_like(steps)
    np.subtract(steps[1:], steps[:-1], out=differences[1:])
    differences[starts] = 0
    longer = counts > 1
    differences[starts[longer]] = differences[starts[longer] + 1]
    smallest = np.minimum.reduceat(differences, starts)
    return np.where((smallest == np.maximum.reduceat(differences, starts)) & (smallest >= 0), smallest, -1)


def offsets_fit(summaries: Summaries) -> NDArray[np.bool_]:
    """Tell for each chunk whether its times fit into 32 bits from its first time; exact over all of int64."""
    first = summaries.time_first_ms.view(np.uint64)
    above = summaries.time_max_ms.view(np.uint64) - first
    below = first - summaries.time_min_ms.view(np.uint64)
    return (above <= INT32_MAX) & (below <= INT32_MAX)


def narrow_values(values: Float64s, starts: Int64s) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the values as float32 and, for each piece, whether that loses nothing."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = values.astype(np.float32)
    exact = narrow == values
    if not exact.all():
        exact |= np.isnan(values)
    return narrow, np.logical_and.reduceat(exact, starts)


def join_series(
    pieces: Sequence[SeriesPoints], owners: Sequence[NDArray[Any]]
) -> tuple[SeriesPoints, Int64s]:
    """Put the points of one owner together across several pieces.

    `owners[p][i]` is the number of the owner (a metric of a writer) of series i of piece p. Returns one series for
    each owner that occurs, in ascending order of owner and the points in order of the pieces, and the owners.
    """
    counts = _joined([piece.counts for piece in pieces])
    owner = _joined(owners)
    columns = [
        _joined([piece.steps for piece in pieces]),
        _joined([piece.timestamps_ms for piece in pieces]),
        _joined([piece.values for piece in pieces]),
    ]
    rising = owner[1:] > owner[:-1]
    if rising.all():
        return SeriesPoints(counts, *columns), owner
    if (owner[1:] >= owner[:-1]).all():  # whoever goes on, goes on where he was: arrays of one metric
        firsts = np.flatnonzero(np.concatenate([[True], rising]))
        return SeriesPoints(np.add.reduceat(counts, firsts), *columns), owner[firsts]
    order = np.argsort(owner, kind="stable")
    starts, lengths = series_starts(counts)[order], counts[order]
    gather = np.repeat(starts - series_starts(lengths), lengths) + np.arange(len(columns[0]))
    distinct, firsts = np.unique(owner[order], return_index=True)
    return SeriesPoints(np.add.reduceat(lengths, firsts), *(column[gather] for column in columns)), distinct


def _joined(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One column of several; a single one as it is, without a copy."""
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
