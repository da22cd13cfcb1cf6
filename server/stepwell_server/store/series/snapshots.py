"""Snapshots for readers: short read-only transactions, few at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stepwell_server.store.postgres.pool import Connection, Pool

# Readers that use a connection at once; the others wait, because ingest needs connections too.
READERS_MAX = 4


class Snapshots:
    """Lends connections to readers."""

    def __init__(self, pool: Pool, readers_max: int = READERS_MAX) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(readers_max)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection that sees one state.

        Chunks that are committed or merged meanwhile show neither twice nor half.

        Raises:
            UnavailableError: as `Pool.connection`.
        """
        async with (
            self.statement() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Connection]:
        """Lend a connection for one statement, which sees one state by itself.

        Raises:
            UnavailableError: as `Pool.connection`.
        """
        async with self._room, self._pool.connection() as connection:
            yield connection
