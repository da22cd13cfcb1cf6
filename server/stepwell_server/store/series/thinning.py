"""Thinned series: some points of each, found by counting, so that most of a chunk stays where it is.

Where the chunks of a series come one behind the other, the summaries tell which point is the n-th: the database looks
only into the chunks that have a wanted one, and nothing but the points comes back, as narrow as they are stored.

What a series has changes only when a writer of its run moves, or a rewind hides something; the *mark* of the run says
whether that happened. It comes with the points, by the same statement: every trip to the database is felt in a chart.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import (
    NO_HISTORY,
    History,
    Selection,
    SeriesName,
    ThinnedSeries,
    thinned_places,
)
from stepwell_server.store.chunks.points import array_records, record_type
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.snapshots import Snapshots
from stepwell_server.store.series.summaries import SUMMARIES_MAX, too_many_chunks
from stepwell_server.store.sql import load

# Series that one process of the database thins, at least, and how many processes do so for one call, at most: a series
# takes some 0.2 ms, and asking a second process half as long.
SERIES_TOGETHER_MIN = 2
THINNING_GROUPS = 2

# What points of one chunk were picked: how many, what leads from their places in the series to those in the chunk, and
# how the chunk is stored (`step_stride` is -1 where its steps are uneven).
_PART = record_type(
    {
        "picks": ">i8",
        "shift": ">i8",
        "step_min": ">i8",
        "step_stride": ">i8",
        "time_first_ms": ">i8",
        "has_offsets": "?",
        "is_narrow": "?",
    }
)

_SQL = load("sampling")

Found = Mapping[SeriesName, ThinnedSeries]


async def thinned(
    snapshots: Snapshots,
    names: Sequence[SeriesName],
    selection: Selection,
    wanted: int,
    known: Mapping[SeriesName, bytes],
) -> list[ThinnedSeries]:
    """See `ports.SeriesStore`.

    Where not only steps are selected, all have to be read.

    Raises:
        InvalidArgumentError: the series have more than SUMMARIES_MAX chunks.
    """
    if selection != Selection(step_from=selection.step_from, step_to=selection.step_to):
        marks = await _marks(snapshots, names)
        return [ThinnedSeries(mark, NO_HISTORY if mark is None else None) for mark in map(marks.get, names)]
    found: dict[SeriesName, ThinnedSeries] = {}
    if known:
        marks = await _marks(snapshots, [name for name in names if name in known])
        found = {name: ThinnedSeries(mark, None) for name, mark in marks.items() if mark == known[name]}
    missing = [name for name in names if name not in found]
    size = max(SERIES_TOGETHER_MIN, -(-len(missing) // THINNING_GROUPS))
    groups = [missing[start : start + size] for start in range(0, len(missing), size)]
    for part in await asyncio.gather(*(_thin(snapshots, group, selection, wanted) for group in groups)):
        found |= part
    return [found[name] for name in names]


async def _marks(snapshots: Snapshots, names: Sequence[SeriesName]) -> Mapping[SeriesName, bytes]:
    """Return the marks of the runs of series, where they have one."""
    async with snapshots.statement() as connection:
        marks = await run_marks(connection, {name.run_id for name in names})
    return {name: marks[name.run_id] for name in names if name.run_id in marks}


async def run_marks(connection: Connection, run_ids: Iterable[UUID]) -> Mapping[UUID, bytes]:
    """Return the marks of runs; those without writers have none, and no points."""
    rows = await connection.fetch(_SQL["run_marks"], list(run_ids))
    return {row["run_id"]: row["mark"] for row in rows}


async def _thin(
    snapshots: Snapshots, names: Sequence[SeriesName], selection: Selection, wanted: int
) -> Found:
    """Find marks and points of series by one statement; no points of those that have to be read."""
    async with snapshots.statement() as connection:
        row = await connection.fetchrow(
            _SQL["thinned"],
            [name.run_id for name in names],
            [name.key for name in names],
            selection.step_from,
            selection.step_to,
            wanted,
            SUMMARIES_MAX + 1,
        )
    if row["chunks"] > SUMMARIES_MAX:
        raise too_many_chunks()
    marks = dict(zip(row["run_ids"] or (), row["marks"] or (), strict=True))
    sizes = dict(zip(row["numbers"] or (), row["sizes"] or (), strict=True))
    places = [thinned_places(size, wanted) for size in sizes.values() if size > 0]
    points = _points(row, np.concatenate(places)) if places else NO_HISTORY
    found, passed = {}, 0
    for number, name in enumerate(names):
        size = sizes.get(number, 0)
        count = min(max(size, 0), wanted)
        found[name] = ThinnedSeries(
            marks.get(name.run_id), None if size < 0 else points.part(passed, passed + count)
        )
        passed += count
    return found


def _points(row: Mapping[str, Any], places: Int64s) -> History:
    """The points that were picked, which have these places in their series."""
    parts = array_records(row["parts"], _PART)
    of_part = np.repeat(np.arange(len(parts)), parts["picks"])

    def each(name: str) -> NDArray[Any]:
        """For each point what its part has."""
        column: NDArray[Any] = parts[name][of_part]
        return column

    strides = each("step_stride").astype(np.int64)
    steps: Int64s = each("step_min") + strides * (places + each("shift"))
    _put(steps, strides < 0, row["steps"], ">i8")
    has_offsets = each("has_offsets")
    times: Int64s = each("time_first_ms").astype(np.int64)
    if row["time_offsets_ms"]:
        times[has_offsets] += np.frombuffer(row["time_offsets_ms"], ">i4")
    _put(times, ~has_offsets, row["times_ms"], ">i8")
    is_narrow = each("is_narrow")
    values: Float64s = np.empty(len(places))
    _put(values, is_narrow, row["values_float32"], ">f4")
    _put(values, ~is_narrow, row["values_float64"], ">f8")
    return History(steps, times, values)


def _put(column: NDArray[Any], where: NDArray[np.bool_], elements: bytes | None, kind: str) -> None:
    """Take the elements for the places of a column that are stored in this form."""
    if elements:
        column[where] = np.frombuffer(elements, kind)
