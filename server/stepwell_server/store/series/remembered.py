"""Thinned series that were asked for lately: pages with charts ask for the same ones again and again.

What a series has changes only when a writer of its run moves, or a rewind hides something; the *mark* of the run says
whether that happened. It is read before the points are: a commit in between makes that it is not the run's any more.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.model.series import History, SeriesName
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

# 500 series of MLflow's charts, 320 points each; what was not asked for longest is forgotten.
REMEMBERED_BYTES_MAX = 4 * 2**20
# A point is a step, a time and a value; a series costs some objects beside that.
POINT_BYTES = 24
SERIES_BYTES = 1_000

_SQL = load("sampling")


@dataclass(frozen=True, slots=True)
class Thinning:
    """What was asked for."""

    name: SeriesName
    step_from: int
    step_to: int
    wanted: int


class Remembered:
    """Thinned series with the marks of their runs, in a bounded number of bytes."""

    def __init__(self, bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._found: OrderedDict[Thinning, tuple[bytes, History]] = OrderedDict()

    def get(self, asked: Thinning, mark: bytes | None) -> History | None:
        """Return the points, if they are known and nothing changed since."""
        known = self._found.get(asked)
        if known is None or known[0] != mark:
            return None
        self._found.move_to_end(asked)
        return known[1]

    def put(self, asked: Thinning, mark: bytes, points: History) -> None:
        """Remember points; they are copied, because they may be a part of much."""
        self._forget(asked)
        kept = History(points.steps.copy(), points.timestamps_ms.copy(), points.values.copy())
        self._found[asked] = mark, kept
        self._bytes += _size(kept)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._found)))

    def _forget(self, asked: Thinning) -> None:
        known = self._found.pop(asked, None)
        if known is not None:
            self._bytes -= _size(known[1])


async def run_marks(connection: Connection, run_ids: Iterable[UUID]) -> Mapping[UUID, bytes]:
    """Return the marks of runs; those without writers have none."""
    rows = await connection.fetch(_SQL["run_marks"], list(run_ids))
    return {row["run_id"]: row["mark"] for row in rows}


def _size(points: History) -> int:
    return SERIES_BYTES + POINT_BYTES * len(points)
