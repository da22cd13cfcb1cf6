"""Reading series: chunks come in order of their first step and are merged as a sweep goes over the steps.

Points below the first step of the next chunk are final and leave; the others wait. Where so many chunks overlap
that too many points would wait, the database sorts the rest (it can spill to disk).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np

from stepwell_server.model import Float64s, History, Int64s
from stepwell_server.store.pool import Connection, Pool
from stepwell_server.store.sql import load

_SQL = load("series")

# Points that wait during a sweep, at most: 24 MB.
SWEEP_POINTS_MAX = 1_000_000
# Points of one piece: 65,536, which is 1.5 MB.
PIECE_POINTS_MAX = 65_536
# Chunks that are fetched together: 64 times 3,987 points are 6 MB.
FETCHED_CHUNKS = 64

# array_send: dimensions, flags, element type, length, lower bound; then a 4-byte length before each element.
_ARRAY_HEAD_BYTES = 20
# One row of binary COPY: field count, then three fields of 8 bytes behind their lengths.
_COPY_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("s", ">i4"),
        ("step", ">i8"),
        ("t", ">i4"),
        ("time", ">i8"),
        ("v", ">i4"),
        ("value", ">f8"),
    ]
)
_COPY_HEAD_BYTES = 19
# Pieces of COPY output that wait for a slow reader, at most.
_COPY_PIECES_WAITING_MAX = 8


def array_elements(wire: bytes, element: str) -> np.ndarray[Any, Any]:
    """The elements of a PostgreSQL array in its wire form, big-endian, without a copy."""
    if len(wire) <= _ARRAY_HEAD_BYTES:
        return np.empty(0, ">" + element)
    records = np.frombuffer(wire, [("length", ">i4"), ("value", ">" + element)], offset=_ARRAY_HEAD_BYTES)
    return records["value"]


def chunk_points(row: Any) -> History:
    """The points of a chunk row."""
    count = row["count"]
    if row["steps"] is not None:
        steps = array_elements(row["steps"], "i8").astype(np.int64)
    else:
        steps = row["step_min"] + row["step_stride"] * np.arange(count, dtype=np.int64)
    if row["times_ms"] is not None:
        times = array_elements(row["times_ms"], "i8").astype(np.int64)
    else:
        times = row["time_first_ms"] + array_elements(row["time_offsets_ms"], "i4").astype(np.int64)
    if row["values_float64"] is not None:
        values = array_elements(row["values_float64"], "f8").astype(np.float64)
    else:
        values = array_elements(row["values_float32"], "f4").astype(np.float64)
    return History(steps, times, values)


def visible_points(row: Any) -> History:
    """The points of a row of `visible_chunk` that no rewind hides."""
    points = chunk_points(row)
    if row["hidden_from_step"] is None:
        return points
    return split(points, int(np.searchsorted(points.steps, row["hidden_from_step"])))[0]


def sort_history(pieces: list[History]) -> History:
    """Join pieces and order them by (step, timestamp, value), NaN last."""
    if len(pieces) == 1:
        return pieces[0]
    steps: Int64s = np.concatenate([piece.steps for piece in pieces])
    times: Int64s = np.concatenate([piece.timestamps_ms for piece in pieces])
    values: Float64s = np.concatenate([piece.values for piece in pieces])
    if (steps[1:] > steps[:-1]).all():
        return History(steps, times, values)
    order = np.lexsort((values, times, steps))
    return History(steps[order], times[order], values[order])


def split(history: History, at: int) -> tuple[History, History]:
    """The first `at` points and the rest."""
    steps, times, values = history.steps, history.timestamps_ms, history.values
    return History(steps[:at], times[:at], values[:at]), History(steps[at:], times[at:], values[at:])


class Sweep:
    """Merges sorted chunks that come in order of their first step."""

    def __init__(self) -> None:
        self._waiting: list[History] = []
        self.waiting_points = 0
        # Sorting what waits is worth it when it has doubled since the last look; so the work stays n log n.
        self._look_at_points = PIECE_POINTS_MAX

    @property
    def wants_look(self) -> bool:
        """Tell whether enough waits to ask for what is final."""
        return self.waiting_points >= min(self._look_at_points, SWEEP_POINTS_MAX)

    def add(self, points: History) -> None:
        """Take the next chunk."""
        self._waiting.append(points)
        self.waiting_points += len(points)

    def final_below(self, step: int) -> History | None:
        """Let go, in order, of all points below `step`, the first step of the next chunk."""
        if not self._waiting:
            return None
        merged = sort_history(self._waiting)
        final, rest = split(merged, int(np.searchsorted(merged.steps, step, side="left")))
        self._waiting = [rest] if len(rest) else []
        self.waiting_points = len(rest)
        self._look_at_points = max(PIECE_POINTS_MAX, 2 * len(rest))
        return final if len(final) else None

    def rest(self) -> History | None:
        """Let go of everything: there is no next chunk."""
        waiting, self._waiting, self.waiting_points = self._waiting, [], 0
        return sort_history(waiting) if waiting else None


class PostgresSeriesStore:
    """Reads series from the chunks."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run_exists(self, run_id: UUID) -> bool:
        """See `ports.SeriesStore`."""
        async with self._pool.connection() as connection:
            return bool(await connection.fetchval(_SQL["run_exists"], run_id))

    async def history(self, run_id: UUID, key: str) -> AsyncIterator[History]:
        """See `ports.SeriesStore`."""
        async with (
            self._pool.connection() as connection,
            # One snapshot: chunks that are committed or merged meanwhile show neither twice nor half.
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            async for points in self._sweep(connection, run_id, key):
                for start in range(0, len(points), PIECE_POINTS_MAX):
                    yield split(split(points, start)[1], PIECE_POINTS_MAX)[0]

    async def _sweep(self, connection: Connection, run_id: UUID, key: str) -> AsyncIterator[History]:
        sweep = Sweep()
        async for row in connection.cursor(_SQL["chunks_in_order"], run_id, key, prefetch=FETCHED_CHUNKS):
            if sweep.wants_look:
                final = sweep.final_below(row["step_min"])
                if final is not None:
                    yield final
                if sweep.waiting_points >= SWEEP_POINTS_MAX:
                    async for points in sorted_by_database(connection, run_id, key, row["step_min"]):
                        yield points
                    return
            sweep.add(visible_points(row))
        rest = sweep.rest()
        if rest is not None:
            yield rest


async def sorted_by_database(
    connection: Connection, run_id: UUID, key: str, from_step: int
) -> AsyncIterator[History]:
    """Yield the points from a step on, sorted by the database, read as binary COPY: no Python work for a point."""
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_COPY_PIECES_WAITING_MAX)

    async def copy() -> None:
        try:
            await connection.copy_from_query(
                _SQL["points_in_order"], run_id, key, from_step, output=pieces.put, format="binary"
            )
        finally:
            await pieces.put(None)

    task = asyncio.create_task(copy())
    try:
        async for history in _copy_rows(pieces, task):
            yield history
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, asyncpg.PostgresError):
            await task


async def _copy_rows(pieces: asyncio.Queue[bytes | None], task: asyncio.Task[None]) -> AsyncIterator[History]:
    """Cut COPY output into whole rows."""
    kept, skip = b"", _COPY_HEAD_BYTES
    while True:
        piece = await pieces.get()
        if piece is None:
            await task
            return
        kept += piece
        if len(kept) < skip:
            continue
        kept, skip = kept[skip:], 0
        count = len(kept) // _COPY_ROW.itemsize
        if count:
            rows = np.frombuffer(kept, _COPY_ROW, count)
            yield History(
                rows["step"].astype(np.int64), rows["time"].astype(np.int64), rows["value"].astype(np.float64)
            )
            kept = kept[count * _COPY_ROW.itemsize :]
