"""Rewinds in PostgreSQL: hiding points of earlier attempts, and keeping the latest points true to what shows."""

from collections.abc import Sequence
from uuid import UUID

from stepwell_server.errors import NotFoundError
from stepwell_server.store import sql
from stepwell_server.store.ingest.value_index import unsettle
from stepwell_server.store.postgres.pool import Connection, Pool

_QUERIES = sql.load("rewinds")


class PostgresRewindStore:
    """Implements `ports.RewindStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rewind(self, run_id: UUID, from_step: int) -> int:
        """See `ports.RewindStore`."""
        async with self._pool.transaction() as connection:
            await connection.execute(_QUERIES["lock_writers"], run_id)
            number: int | None = await connection.fetchval(_QUERIES["rewind"], run_id, from_step)
            await _show(connection, run_id)
        return number or 0

    async def undo_rewind(self, run_id: UUID, rewind_number: int) -> int:
        """See `ports.RewindStore`."""
        async with self._pool.transaction() as connection:
            await connection.execute(_QUERIES["lock_writers"], run_id)
            undone: int | None = await connection.fetchval(_QUERIES["undo"], run_id, rewind_number)
            if undone is None:
                which = f"no rewind {rewind_number}" if rewind_number else "no rewind"
                raise NotFoundError(f"run {run_id.hex} has {which} to take back")
            await _show(connection, run_id)
        return undone


async def _show(connection: Connection, run_id: UUID) -> None:
    """Make what is read of a run fit its rewinds."""
    await connection.execute(_QUERIES["hide"], run_id)
    await recompute_latest(connection, [run_id])
    await unsettle(connection, [run_id])


async def recompute_latest(
    connection: Connection, run_ids: Sequence[UUID], metric_ids: Sequence[int] | None = None
) -> None:
    """Make the latest points of runs anew from what is visible: of all metrics, or of those given.

    For whoever changes chunks or hides points; their writers are locked, so that no commit comes in between.
    """
    await connection.execute(_QUERIES["clear_latest"], run_ids, metric_ids)
    await connection.execute(_QUERIES["compute_latest"], run_ids, metric_ids)
