"""Thinned series: some points of each, found by counting, so that most of a chunk stays where it is.

Where the chunks of a series come one behind the other, the summaries tell which point is the n-th: only the chunks that
have a wanted one are looked into, by the database, and nothing but the points comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.columns import Int64s
from stepwell_server.model.series import NO_HISTORY, History, Selection, SeriesName, thinned_places
from stepwell_server.store.chunks.points import array_elements
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.summaries import ChunkSummaries, read_summaries
from stepwell_server.store.sql import load

_SQL = load("sampling")


@dataclass(frozen=True, slots=True)
class Parts:
    """Of each chunk the points [start, start + count) that are wanted; `is_known` where that is exact."""

    start: Int64s
    count: Int64s
    is_known: NDArray[np.bool_]


async def thin(
    connection: Connection, names: Sequence[SeriesName], selection: Selection, wanted: int
) -> list[History | None]:
    """Return the points of each series that `thinned_places` says, in one snapshot of the caller's.

    None for a series whose chunks overlap, or are cut by the selection where only the arrays tell: it has to be read.
    """
    if not names:
        return []
    chunks = await read_summaries(connection, names, [selection] * len(names))
    parts = wanted_parts(chunks, selection)
    ordered = _in_order(chunks, parts, len(names))
    borders = np.searchsorted(chunks.series, np.arange(len(names) + 1)).tolist()
    owners, places, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [0] * len(names)
    for number, (first, end) in enumerate(pairwise(borders)):
        if not ordered[number]:
            continue
        ends = np.cumsum(parts.count[first:end])
        chosen = thinned_places(int(ends[-1]) if len(ends) else 0, wanted)
        owner = np.searchsorted(ends, chosen, side="right")
        owners.append(first + owner)
        places.append(chosen - (ends - parts.count[first:end])[owner] + parts.start[first:end][owner])
        counts[number] = len(chosen)
    points = await _points_at(connection, names, chunks, np.concatenate(owners), np.concatenate(places))
    found: list[History | None] = []
    passed = 0
    for number, count in enumerate(counts):
        found.append(points.part(passed, passed + count) if ordered[number] else None)
        passed += count
    return found


def wanted_parts(chunks: ChunkSummaries, selection: Selection) -> Parts:
    """Return which points of each chunk a selection of steps wants, as far as evenly spaced steps tell."""
    step_to = np.minimum(chunks.visible_to_step, selection.step_to)
    is_whole = (chunks.step_min >= selection.step_from) & (chunks.step_max <= step_to)
    is_even = (chunks.step_stride > 0) & ~is_whole
    start, count = np.zeros_like(chunks.count), chunks.count.copy()
    for place in np.flatnonzero(is_even).tolist():  # few: those at the ends
        low, stride = int(chunks.step_min[place]), int(chunks.step_stride[place])
        first = max(0, -(-(selection.step_from - low) // stride))
        end = min(int(count[place]), (int(step_to[place]) - low) // stride + 1)
        start[place], count[place] = first, max(0, end - first)
    return Parts(start, count, is_whole | is_even)


def _in_order(chunks: ChunkSummaries, parts: Parts, series_count: int) -> NDArray[np.bool_]:
    """Tell of each series whether all is known of its parts, and none overlaps the next one."""
    unclear = ~parts.is_known
    same_series = chunks.series[1:] == chunks.series[:-1]
    unclear[1:] |= same_series & (chunks.step_min[1:] <= chunks.step_max[:-1])
    ordered = np.ones(series_count, np.bool_)
    ordered[chunks.series[unclear]] = False
    return ordered


async def _points_at(
    connection: Connection,
    names: Sequence[SeriesName],
    chunks: ChunkSummaries,
    owners: Int64s,
    places: Int64s,
) -> History:
    """Return the points at places of chunks, counted from 0, each with its owner; both rise."""
    if not len(owners):
        return NO_HISTORY
    opened, firsts = np.unique(owners, return_index=True)
    ends = np.append(firsts[1:], len(owners))
    row = await connection.fetchrow(
        _SQL["pick_points"],
        *chunks.keys(opened, names),
        (firsts + 1).tolist(),
        ends.tolist(),
        (places + 1).tolist(),
    )
    return History(
        array_elements(row["steps"], "i8").astype(np.int64),
        array_elements(row["times_ms"], "i8").astype(np.int64),
        array_elements(row["values"], "f8").astype(np.float64),
    )
