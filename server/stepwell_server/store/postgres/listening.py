"""The connections that tell and hear of commits.

They lead to PostgreSQL itself, because a pooler's end with each transaction; and in a database of several machines to
the coordinator, because what one machine is told no other hears.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stepwell_server.config import without_password
from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres.engines import engine_of
from stepwell_server.store.postgres.migrations import known_tables
from stepwell_server.store.postgres.pool import Connection, Pool, first_connection, open_pool
from stepwell_server.store.postgres.pooler import Database, is_pooled
from stepwell_server.store.sql import load

_SQL, _DISTRIBUTION = load("connections"), load("distribution")

log = get_logger(__name__)


@asynccontextmanager
async def listening_pool(
    database: Database, pool: Pool, url: str | None, deadline: Deadline
) -> AsyncIterator[Pool | None]:
    """Yield where to tell and listen: at `url`, else at the database; nowhere behind a pooler or at a worker of Citus.

    Raises:
        StartupError: the URL leads to a pooler, to another database, or nowhere.
    """
    if url is None:
        if database.is_pooled:
            log.info(
                "the database is behind a transaction pooler: who watches a run here sees what other servers commit "
                "once a second; to be told at once, name the database itself with --listen-store"
            )
        async with pool.connection() as connection:
            is_worker = not (await engine_of(connection, known_tables())).is_coordinator
        if is_worker:
            log.info(
                "the database is a worker of Citus: who watches a run here sees what other servers commit once a"
                " second; to be told at once, name the coordinator with --listen-store, at each server"
            )
        yield None if database.is_pooled or is_worker else pool
        return
    await _check(url, pool, database)
    if database.is_pooled:
        log.info("the database is behind a transaction pooler; others' commits are heard at --listen-store")
    async with open_pool(url, deadline, size=2) as listening:  # one listens, one tells
        yield listening


async def _check(url: str, pool: Pool, database: Database) -> None:
    shown = without_password(url)
    async with first_connection(url, "--listen-store") as connection:
        if await is_pooled(connection, "auto"):
            raise StartupError(
                f"{shown} in --listen-store leads to a pooler, too; name the PostgreSQL behind it, with its own port"
            )
        if not (await engine_of(connection, known_tables())).is_coordinator:
            raise StartupError(
                f"{shown} in --listen-store is a worker of Citus, which no other machine hears; name the coordinator"
            )
        heard = await _identity(connection, database)
    async with pool.connection() as connection:
        if heard != await _identity(connection, database):
            raise StartupError(
                f"{shown} in --listen-store is another database than --store; name the same one, of the same server"
            )


async def _identity(connection: Connection, database: Database) -> list[object]:
    """Return what is the same for the same database: several machines know each other, one began at some time."""
    name, started = await connection.fetchrow(_SQL["database"])
    if not database.is_distributed:
        return [name, started]
    return [name, *(row["address"] for row in await connection.fetch(_DISTRIBUTION["machines"]))]
