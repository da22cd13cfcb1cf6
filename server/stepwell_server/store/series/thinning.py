"""Thinned series: some points of each, found by counting, so that most of a chunk stays where it is.

Where the chunks of a series come one behind the other, the summaries tell which point is the n-th: the database looks
only into the chunks that have a wanted one, and nothing but the points comes back.

What a series has changes only when a writer of its run moves, or a rewind hides something; the *mark* of the run says
whether that happened. It comes with the points, by the same statement: every trip to the database is felt in a chart.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import numpy as np

from stepwell_server.model.series import (
    NO_HISTORY,
    History,
    Selection,
    SeriesName,
    ThinnedSeries,
)
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.snapshots import Snapshots
from stepwell_server.store.series.summaries import SUMMARIES_MAX, too_many_chunks
from stepwell_server.store.sql import load

# Series that one process of the database thins, at most; of more, two processes take half each. For five,
# two statements are no faster than one on two cores, and server and database work a quarter longer.
SERIES_TOGETHER_MAX = 5

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
    if len(missing) > SERIES_TOGETHER_MAX:
        half = len(missing) // 2
        groups = (missing[:half], missing[half:])
        for part in await asyncio.gather(*(_thin(snapshots, group, selection, wanted) for group in groups)):
            found |= part
    elif missing:
        found |= await _thin(snapshots, missing, selection, wanted)
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
    marks = dict(zip(row["marked_run_ids"] or (), row["marks"] or (), strict=True))
    sizes = dict(zip(row["numbers"] or (), row["sizes"] or (), strict=True))
    points = History(
        np.frombuffer(row["steps"] or b"", ">i8").astype(np.int64),
        np.frombuffer(row["times_ms"] or b"", ">i8").astype(np.int64),
        np.frombuffer(row["values"] or b"", ">f8").astype(np.float64),
    )
    found, passed = {}, 0
    for number, name in enumerate(names):
        size = sizes.get(number, 0)
        count = min(max(size, 0), wanted)
        found[name] = ThinnedSeries(
            marks.get(name.run_id), None if size < 0 else points.part(passed, passed + count)
        )
        passed += count
    return found
