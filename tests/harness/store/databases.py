"""A real PostgreSQL for one run of the tests, and a database for each test, cloned from a migrated template.

The process that runs pytest starts an embedded PostgreSQL, or uses the one in STEPWELL_TEST_STORE
(postgresql://…, a role that may create databases); workers of pytest-xdist find the template in the environment.
"""

import asyncio
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.content.disks import folder_in_memory
from tests.harness.store.citus import see_citus, spread

# Servers of several workers, and of tests that run at once.
CONNECTIONS_MAX = 200
EXTERNAL_VARIABLE = "STEPWELL_TEST_STORE"
SPREAD_VARIABLE = (
    "STEPWELL_TEST_SPREAD"  # all tests on databases that are spread, as harness/citus.py does it
)
TEMPLATE_VARIABLE = "STEPWELL_TEST_TEMPLATE"  # set by us, for ourselves and the workers
STOP_S = 10.0
PATIENCE_S = 60.0  # with what has to happen on a busy machine
CLONE_ATTEMPTS = 20
CLONE_PAUSE_S = 0.1

_spread: set[str] = set()


@contextmanager
def template_database() -> Iterator[None]:
    """Provide the template of this run of the tests, in the environment variable, while the context lasts."""
    with asyncio.Runner() as runner, _test_store(runner) as store:
        template = f"stepwell_{uuid.uuid4().hex[:8]}"
        os.environ[TEMPLATE_VARIABLE] = runner.run(_make_template(store, template))
        try:
            yield
        finally:
            runner.run(_drop_all(store, template))
            del os.environ[TEMPLATE_VARIABLE]


@contextmanager
def _test_store(runner: asyncio.Runner) -> Iterator[str]:
    external = os.environ.get(EXTERNAL_VARIABLE)
    if external:
        yield external
        return
    with tempfile.TemporaryDirectory(prefix="stepwell-tests-", dir=folder_in_memory()) as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user
        # Tests of a crash of the machine's power don't exist, so fsync would only cost time.
        postgres = EmbeddedPostgres(
            Path(folder), Deadline(STOP_S), fsync=False, connections_max=CONNECTIONS_MAX
        )
        runner.run(postgres.__aenter__())
        try:
            yield postgres.url
        finally:
            runner.run(postgres.__aexit__(None, None, None))


async def _make_template(store: str, name: str) -> str:
    async with _connected(store) as connection:
        await connection.execute(f'CREATE DATABASE "{name}"')
    url = named(store, name)
    await migrate(url)
    async with _connected(url) as connection:
        # As on the second machine of a distributed database: numbers are neither small nor dense.
        await connection.execute(f"ALTER TABLE metric ALTER COLUMN metric_id RESTART WITH {2**48 + 1}")
    if os.environ.get(SPREAD_VARIABLE):
        await spread(url)
    return url


async def _drop_all(store: str, template: str) -> None:
    """Drop the template and what tests that were cut short left behind."""
    async with _connected(store) as connection:
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname::text, $1)", template
        )
        for row in rows:
            await connection.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')


def named(store: str, database: str) -> str:
    """Return the URL of another database of the same PostgreSQL."""
    parts = urlsplit(store)
    # Put together by hand: urlunsplit leaves out the // of a URL without a host, as that of a unix socket.
    url = urlunsplit(("", "", f"/{database}", parts.query, ""))
    return f"{parts.scheme}://{parts.netloc}{url}"


@asynccontextmanager
async def cloned_database() -> AsyncIterator[str]:
    """Provide a migrated database of its own; yields its URL."""
    async with _database_like(_template_name()) as url:
        if os.environ.get(SPREAD_VARIABLE):
            await see_citus(url)
        yield url


@asynccontextmanager
async def spread_database() -> AsyncIterator[str]:
    """Provide a database of its own that is spread over machines, as far as harness/citus.py can; yields its URL."""
    async with _database_like(await _spread_template()) as url:
        await see_citus(url)
        yield url


async def _spread_template() -> str:
    """Return the name of what such databases are cloned from, one in a process: to spread it takes seconds."""
    name = f"{_template_name()}_spread_{os.getpid()}"
    if name not in _spread:
        template = os.environ[TEMPLATE_VARIABLE]
        async with _connected(os.environ.get(EXTERNAL_VARIABLE) or named(template, "postgres")) as connection:
            await _clone(connection, _template_name(), name)
        await spread(named(template, name))
        _spread.add(name)
    return name


@asynccontextmanager
async def empty_database() -> AsyncIterator[str]:
    """Provide a database of its own without any table; yields its URL."""
    async with _database_like("template0") as url:
        yield url


def _template_name() -> str:
    return urlsplit(os.environ[TEMPLATE_VARIABLE]).path.removeprefix("/")


@asynccontextmanager
async def _database_like(original: str) -> AsyncIterator[str]:
    template = os.environ[TEMPLATE_VARIABLE]
    maintenance = os.environ.get(EXTERNAL_VARIABLE) or named(template, "postgres")
    name = f"{_template_name()}_{uuid.uuid4().hex[:12]}"
    async with _connected(maintenance) as connection:
        await _clone(connection, original, name)
    try:
        yield named(template, name)
    finally:
        async with _connected(maintenance) as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _clone(connection: asyncpg.Connection, original: str, name: str) -> None:
    # Its files are copied, as PostgreSQL 14 does anyway: through the log it takes several times as long.
    way = " STRATEGY FILE_COPY" if connection.get_server_version() >= (15,) else ""
    for attempt in range(1, CLONE_ATTEMPTS + 1):
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"{way}')
            return
        except asyncpg.ObjectInUseError:  # somebody is connected to the original
            if attempt == CLONE_ATTEMPTS:
                raise
        await asyncio.sleep(CLONE_PAUSE_S)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def blocked_table(url: str, table: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Lock a table while the context lasts; what it yields waits until somebody else waits for the lock."""
    async with _connected(url) as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield partial(wait_until_blocked, url)


async def wait_until_blocked(url: str) -> None:
    """Wait until somebody in a database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'"
    database = urlsplit(url).path.removeprefix("/")
    async with _connected(url) as looking, asyncio.timeout(PATIENCE_S):
        while not await looking.fetchval(waiting, database):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
