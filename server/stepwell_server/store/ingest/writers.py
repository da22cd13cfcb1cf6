"""Writers: processes that log to a run."""

from uuid import UUID

from stepwell_server.errors import PermissionDeniedError
from stepwell_server.model.ingest import OpenedWriter, Opener, WriterIdentity
from stepwell_server.store.ports.ingest import NOBODY
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("ingest")


class PostgresWriterStore:
    """See `ports.WriterStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open_writer(
        self, identity: WriterIdentity, secret_sha256: bytes | None = None, opener: Opener = NOBODY
    ) -> OpenedWriter:
        """Register the writer if it is new, check its secret and its account, and return how it stands."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(
                _SQL["open_writer"],
                identity.run_id,
                identity.writer_id,
                identity.rank,
                identity.host,
                identity.process_id,
                identity.orphaned,
                secret_sha256,
                opener.account_id,
                opener.manages,
            )
        if row is None:
            raise PermissionDeniedError(
                f"writer {identity.writer_id.hex} of run {identity.run_id.hex} is another's: it is opened "
                "with the secret that its log began with, which lies beside the log, and by the account that opened it "
                "first, or one that manages the experiment"
            )
        return OpenedWriter(row["position"], row["secret_is_original"], row["binds"])

    async def knows_run(self, run_id: UUID) -> bool:
        """Tell whether the run exists."""
        async with self._pool.connection() as connection:
            found: bool = await connection.fetchval(_SQL["knows_run"], run_id)
        return found
