"""Writers: processes that log to a run."""

from uuid import UUID

from stepwell_server.model.ingest import WriterIdentity
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("ingest")


class PostgresWriterStore:
    """See `ports.WriterStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open_writer(self, identity: WriterIdentity) -> int:
        """Register the writer if it is new and return its committed position."""
        async with self._pool.connection() as connection:
            position: int = await connection.fetchval(
                _SQL["open_writer"],
                identity.run_id,
                identity.writer_id,
                identity.rank,
                identity.host,
                identity.process_id,
                identity.orphaned,
            )
        return position

    async def knows_run(self, run_id: UUID) -> bool:
        """Tell whether the run exists."""
        async with self._pool.connection() as connection:
            found: bool = await connection.fetchval(_SQL["knows_run"], run_id)
        return found
