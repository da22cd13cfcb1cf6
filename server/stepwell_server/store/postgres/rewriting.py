"""Migrations that write tables anew: nobody else works there meanwhile, and it is told how far they are.

Such a migration says `-- rewrites: table, table`. PostgreSQL writes the new tables beside the old ones, in one
transaction: whoever is killed in the middle leaves what was.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg

from stepwell_server.errors import StartupError
from stepwell_server.process.logger import get_logger
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import APPLICATION, Connection, first_connection
from stepwell_server.store.postgres.pooler import Database

# A server that was stopped a moment ago is gone by then.
OTHERS_WAIT_S = 10.0
OTHERS_LOOK_S = 0.25
# How often it is told how far it is.
TOLD_EVERY_S = 10.0
LAST_WORD_S = 1.0
GB = 10**9

_HEADING = re.compile(r"^-- rewrites: (?P<tables>\w+(?:, \w+)*)$", re.MULTILINE)
_QUERIES = sql.load("migrations")

log = get_logger(__name__)


def rewritten_tables(text: str) -> Sequence[str]:
    """Return the tables that a migration says it writes anew."""
    heading = _HEADING.search(text)
    return heading["tables"].split(", ") if heading else ()


@asynccontextmanager
async def rewriting(
    connection: Connection, database: Database, migration: str, tables: Sequence[str]
) -> AsyncIterator[None]:
    """Make sure that nobody else works, then tell how far it is, while tables are written anew in the context.

    Raises:
        StartupError: other servers are connected and stay.
    """
    await _wait_for_others(connection, database, migration)
    await connection.execute(_QUERIES["without_limits"])
    with suppress(asyncpg.PostgresError):  # not every system can tell; then the work goes on until its end
        async with connection.transaction():
            await connection.execute(_QUERIES["end_with_client"])
    size = await connection.fetchval(_QUERIES["size"], tables)
    log.info(
        "migrating the database writes tables anew; as much has to be free on its disk meanwhile",
        migration=migration,
        tables=", ".join(tables),
        rewrites=f"{size / GB:.2f} GB",
    )
    start = time.monotonic()
    telling = asyncio.create_task(_tell(database.url, size, migration))
    try:
        yield
    finally:
        telling.cancel()
        # Behind a pooler its connection may have to wait until those end who wait for this transaction.
        await asyncio.wait([telling], timeout=LAST_WORD_S)
    log.info("tables are written anew", migration=migration, seconds=round(time.monotonic() - start, 1))


async def _wait_for_others(connection: Connection, database: Database, migration: str) -> None:
    if database.is_pooled:  # a pooler keeps connections of servers that are gone
        log.warning("no other server may run during this migration; stop them all first", migration=migration)
        return
    deadline = time.monotonic() + OTHERS_WAIT_S
    while True:
        await connection.execute(_QUERIES["look_again"])
        found = await connection.fetchrow(_QUERIES["others"], APPLICATION["application_name"])
        if not found["connections"]:
            return
        if time.monotonic() >= deadline:
            raise StartupError(
                f"migration {migration} writes large tables anew, and other servers or commands of Stepwell use the"
                f" database: {found['connections']} connections, from {found['places']}; stop them, then start again"
            )
        await asyncio.sleep(OTHERS_LOOK_S)


async def _tell(url: str, size: int, migration: str) -> None:
    """Say every so often how much larger the database has become: the new tables are there beside the old ones."""
    start = time.monotonic()
    async with first_connection(url) as watching:
        before = await watching.fetchval(_QUERIES["database_size"])
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            written = await watching.fetchval(_QUERIES["database_size"]) - before
            part = min(0.99, max(written, 1) / max(size, 1))
            seconds = time.monotonic() - start
            log.info(
                "still migrating the database",
                migration=migration,
                written=f"{written / GB:.2f} of {size / GB:.2f} GB",
                seconds=round(seconds),
                seconds_left=round(seconds / part - seconds),
            )
