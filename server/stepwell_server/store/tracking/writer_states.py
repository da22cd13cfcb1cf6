"""Who writes to a run, what was refused of it, and the consoles of these processes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.model.ingest import AwaitedWriter, ConsoleEntry, ConsoleStream
from stepwell_server.model.writers import ConsolePiece, ConsolePlace, Refusal, WritersOfRun, WriterState
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("writer_states")
_REFUSALS = load("refusals")


class PostgresWriterStateStore:
    """See `ports.WriterStateStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def writers(self, run_id: UUID, limit: int, silent_ms: int) -> WritersOfRun:
        """See `ports.WriterStateStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["writers"], run_id, limit, silent_ms)
            count = len(rows) if len(rows) < limit else await connection.fetchval(_SQL["count"], run_id)
            awaited = await connection.fetchrow(_SQL["awaited"], run_id, silent_ms)
        first = [WriterState(**row) for row in rows]
        return WritersOfRun(first, count, AwaitedWriter(**awaited) if awaited else None)

    async def refusals(self, run_id: UUID, limit: int) -> tuple[Sequence[Refusal], int]:
        """See `ports.WriterStateStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_REFUSALS["of_run"], run_id, limit)
            count = await connection.fetchval(_REFUSALS["count"], run_id) if rows else 0
        return [Refusal(**row) for row in rows], count

    async def console_before(self, run_id: UUID, place: ConsolePlace, limit: int) -> Sequence[ConsolePiece]:
        """See `ports.WriterStateStore`."""
        where = place.timestamp_ms, place.writer_id, place.position
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["console_before"], run_id, *where, limit)
        return [_piece(row) for row in reversed(rows)]

    async def console_after(
        self, run_id: UUID, known: Mapping[UUID, int], limit: int
    ) -> Sequence[ConsolePiece]:
        """See `ports.WriterStateStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _SQL["console_after"], run_id, list(known), list(known.values()), limit
            )
        return [_piece(row) for row in rows]


def _piece(row: Any) -> ConsolePiece:
    stream, text = ConsoleStream(row["stream"]), row["text"]
    lines = ConsoleEntry(row["position"], stream, row["time_ms"], text, row["lines_left_out"])
    return ConsolePiece(row["writer_id"], row["rank"], lines)
