"""The connection that listens: it leads to PostgreSQL itself, because a pooler's ends with each transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stepwell_server.config import without_password
from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres.pool import Connection, Pool, first_connection, open_pool
from stepwell_server.store.postgres.pooler import Database, is_pooled
from stepwell_server.store.sql import load

_SQL = load("connections")

log = get_logger(__name__)


@asynccontextmanager
async def listening_pool(
    database: Database, pool: Pool, url: str | None, deadline: Deadline
) -> AsyncIterator[Pool | None]:
    """Yield where to listen: at `url` if there is one, at the database itself, or nowhere behind a pooler.

    Raises:
        StartupError: the URL leads to a pooler, to another database, or nowhere.
    """
    if url is None:
        if database.is_pooled:
            log.info(
                "the database is behind a transaction pooler: who watches a run here sees what other servers commit "
                "once a second; to be told at once, name the database itself with --listen-store"
            )
        yield None if database.is_pooled else pool
        return
    await _check(url, pool)
    if database.is_pooled:
        log.info("the database is behind a transaction pooler; others' commits are heard at --listen-store")
    async with open_pool(url, deadline, size=1) as listening:
        yield listening


async def _check(url: str, pool: Pool) -> None:
    shown = without_password(url)
    async with first_connection(url, "--listen-store") as connection:
        if await is_pooled(connection, "auto"):
            raise StartupError(
                f"{shown} in --listen-store leads to a pooler, too; name the PostgreSQL behind it, with its own port"
            )
        heard = await _identity(connection)
    async with pool.connection() as connection:
        if heard != await _identity(connection):
            raise StartupError(
                f"{shown} in --listen-store is another database than --store; name the same one, of the same server"
            )


async def _identity(connection: Connection) -> tuple[object, ...]:
    return tuple(await connection.fetchrow(_SQL["database"]))
