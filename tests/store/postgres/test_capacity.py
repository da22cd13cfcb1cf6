"""What a server says at its start of a PostgreSQL that lets it do too little."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import pytest

from stepwell_server.app import running_server
from stepwell_server.config import Config, worker_connections
from stepwell_server.errors import StartupError, UnavailableError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import FIELDS
from stepwell_server.store.postgres.capacity import tell_what_is_short
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.postgres.pooler import Database


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    """Keep what the server says."""
    caplog.set_level("WARNING", "stepwell_server")


@pytest.fixture
async def user(pool: Pool) -> AsyncIterator[str]:
    """A user who is no superuser."""
    name = f"user {uuid4().hex}"
    async with pool.connection() as connection:
        await connection.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'secret'")
    yield name
    async with pool.connection() as connection:
        await connection.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


@pytest.fixture
def url(user: str, database_url: str) -> str:
    """The database as that user sees it."""
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:secret@{parts.netloc.rpartition('@')[2]}"))


async def test_too_few_connections_are_told_with_what_to_set(
    pool: Pool, user: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with pool.connection() as connection:
        await connection.execute(f'ALTER ROLE "{user}" CONNECTION LIMIT 5')
    async with open_pool(url, Deadline(5)) as theirs, theirs.connection(), theirs.connection():
        await tell_what_is_short(Database(url), 2)
    needed = 2 * worker_connections()
    (record,) = caplog.records
    assert "fewer connections left" in record.getMessage()
    assert getattr(record, FIELDS) == {
        "needed": needed,
        "available": 3,
        "to_do": f'ALTER ROLE "{user}" CONNECTION LIMIT {needed + 2}',
    }


@pytest.mark.parametrize("workers", [1, 1_000])
async def test_connections_are_told_only_where_they_are_too_few(
    database_url: str, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    await tell_what_is_short(Database(database_url), workers)
    told = [getattr(record, FIELDS)["to_do"] for record in caplog.records]
    assert [text.startswith("set max_connections = 19") for text in told] == ([True] if workers > 1 else [])


async def test_a_server_without_any_connection_says_how_many_it_wants(
    pool: Pool, user: str, url: str
) -> None:
    async with open_pool(url, Deadline(5)) as theirs:
        async with pool.connection() as connection:
            await connection.execute(f'ALTER ROLE "{user}" CONNECTION LIMIT 0')
        with pytest.raises(UnavailableError, match=r"no connection left.*uses up to 19.*max_connections"):
            async with theirs.connection():
                pass
    with pytest.raises(StartupError, match=r"no connection left.*uses up to 19.*max_connections"):
        await migrate(url)


async def test_a_database_that_takes_no_writes_is_named(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    async with pool.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    config = Config(port=0, store=database_url, data=tmp_path / "data", shutdown_grace_s=5.0)
    with pytest.raises(StartupError, match=r"takes no writes: default_transaction_read_only is on"):
        await running_server(config).__aenter__()
    async with open_pool(database_url, Deadline(5)) as read_only:
        with pytest.raises(
            UnavailableError, match=r"takes no writes.*standby.*default_transaction_read_only"
        ):
            async with read_only.connection() as connection:
                await connection.execute("INSERT INTO metric (name) VALUES ('a')")


async def test_tables_are_not_made_where_no_writes_are_taken(empty_database_url: str) -> None:
    async with open_pool(empty_database_url, Deadline(5)) as pool, pool.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with pytest.raises(StartupError, match="lacks tables, and takes no writes"):
        await migrate(empty_database_url)
