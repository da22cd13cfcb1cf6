"""Thinned series: some points of each, found by counting, so that most of a chunk stays where it is.

Where the chunks of a series come one behind the other, the summaries tell which point is the n-th: the database looks
only into the chunks that have a wanted one, and nothing but the points comes back.

What a series has changes only when a writer of its run moves, or a rewind hides something; the *mark* of the run says
whether that happened. It is read before the points are: a commit in between makes that it is not the run's any more.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.series import NO_HISTORY, History, Selection, SeriesName, ThinnedSeries
from stepwell_server.store.chunks.points import array_elements
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.snapshots import Snapshots
from stepwell_server.store.series.summaries import SUMMARIES_MAX, too_many_chunks
from stepwell_server.store.sql import load

# Parts of the series of one call that are thinned at once, each by a process of the database.
THINNING_GROUPS = 2

_SQL = load("sampling")


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
    others = [name for name in names if name not in known]
    size = max(1, -(-len(others) // THINNING_GROUPS))
    groups = [[name for name in names if name in known]]
    groups += [others[start : start + size] for start in range(0, len(others), size)]
    found: dict[SeriesName, ThinnedSeries] = {}
    for part in await asyncio.gather(
        *(_look(snapshots, group, selection, wanted, known) for group in groups if group)
    ):
        found |= part
    return [found[name] for name in names]


async def _look(
    snapshots: Snapshots,
    names: Sequence[SeriesName],
    selection: Selection,
    wanted: int,
    known: Mapping[SeriesName, bytes],
) -> Mapping[SeriesName, ThinnedSeries]:
    """Look what changed, and find the points of that."""
    async with snapshots.statement() as connection:
        marks = await run_marks(connection, {name.run_id for name in names})
        unknown = [name for name in names if name.run_id in marks and known.get(name) != marks[name.run_id]]
        found: dict[SeriesName, History | None] = {
            name: NO_HISTORY for name in names if name.run_id not in marks
        }
        if unknown and selection == Selection(step_from=selection.step_from, step_to=selection.step_to):
            found.update(zip(unknown, await _thin(connection, unknown, selection, wanted), strict=True))
    return {name: ThinnedSeries(marks.get(name.run_id), found.get(name)) for name in names}


async def run_marks(connection: Connection, run_ids: Iterable[UUID]) -> Mapping[UUID, bytes]:
    """Return the marks of runs; those without writers have none, and no points."""
    rows = await connection.fetch(_SQL["run_marks"], list(run_ids))
    return {row["run_id"]: row["mark"] for row in rows}


async def _thin(
    connection: Connection, names: Sequence[SeriesName], selection: Selection, wanted: int
) -> list[History | None]:
    """Find the points of series by one statement; None for those that have to be read."""
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
    points = History(
        _column(row["steps"], "i8", np.int64),
        _column(row["times_ms"], "i8", np.int64),
        _column(row["values"], "f8", np.float64),
    )
    found: list[History | None] = [NO_HISTORY] * len(names)
    passed = 0
    for number, size in zip(row["numbers"] or (), row["sizes"] or (), strict=True):
        count = min(size, wanted)
        found[number] = None if size < 0 else points.part(passed, passed + count)
        passed += max(0, count)
    return found


def _column(wire: bytes | None, element: str, kind: type) -> NDArray[Any]:
    return array_elements(wire or b"", element, head_bytes=0).astype(kind)
