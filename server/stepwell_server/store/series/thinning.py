"""Thinned series: some points of each, found by counting, so that most of a chunk stays where it is.

Where the chunks of a series come one behind the other, the summaries tell which point is the n-th: the database looks
only into the chunks that have a wanted one, and nothing but the points comes back.
"""

from collections.abc import Sequence

import numpy as np

from stepwell_server.model.series import History, Selection, SeriesName
from stepwell_server.store.chunks.points import array_elements
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.remembered import Remembered, Thinning, run_marks
from stepwell_server.store.series.summaries import SUMMARIES_MAX, too_many_chunks
from stepwell_server.store.sql import load

_SQL = load("sampling")


class Thinner:
    """Thins series out, and remembers what it found."""

    def __init__(self) -> None:
        self._remembered = Remembered()

    async def thin(
        self, connection: Connection, names: Sequence[SeriesName], selection: Selection, wanted: int
    ) -> list[History | None]:
        """Return the points of each series that `thinned_places` says.

        None for a series whose chunks overlap, or are cut by the selection where only the arrays tell, and for all
        where not only steps are selected: those have to be read.

        Raises:
            InvalidArgumentError: the series have more than SUMMARIES_MAX chunks.
        """
        if selection != Selection(step_from=selection.step_from, step_to=selection.step_to):
            return [None] * len(names)
        marks = await run_marks(connection, {name.run_id for name in names})
        asked = {name: Thinning(name, selection.step_from, selection.step_to, wanted) for name in names}
        found = {name: self._remembered.get(it, marks.get(name.run_id)) for name, it in asked.items()}
        unknown = [name for name, points in found.items() if points is None]
        if unknown:
            found |= zip(unknown, await _thin(connection, unknown, selection, wanted), strict=True)
        for name in unknown:
            points, mark = found[name], marks.get(name.run_id)
            if points is not None and mark is not None:
                self._remembered.put(asked[name], mark, points)
        return [found[name] for name in names]


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
    found: list[History | None] = [points.part(0, 0)] * len(names)
    passed = 0
    for number, size in zip(row["numbers"] or (), row["sizes"] or (), strict=True):
        count = min(size, wanted)
        found[number] = None if size < 0 else points.part(passed, passed + count)
        passed += max(0, count)
    return found


def _column(wire: bytes | None, element: str, kind: type) -> np.ndarray:
    return array_elements(wire or b"", element).astype(kind)
