import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from stepwell_server.errors import StartupError, UnavailableError
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import SESSION_SETTINGS, Pool, open_pool
from stepwell_server.store.postgres.pooler import Database


async def test_commits_are_durable_whatever_the_default(pool: Pool) -> None:
    async with pool.connection() as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"


async def test_a_connection_that_was_cut_is_unavailable_and_replaced(pool: Pool) -> None:
    with pytest.raises(UnavailableError):
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_connection_whose_end_is_announced_is_unavailable_and_replaced(
    pool: Pool, database_url: str
) -> None:
    """Between PostgreSQL's last word and the end of the connection a statement may be sent."""
    async with lingering(database_url) as (url, has_ended), open_pool(url, Deadline(5), size=1) as idle:
        async with idle.connection() as connection:
            process = await connection.fetchval("SELECT pg_backend_pid()")
        async with pool.connection() as other:
            await other.execute("SELECT pg_terminate_backend($1, 5000)", process)
        await has_ended.wait()
        with pytest.raises(UnavailableError):
            async with idle.transaction():
                pass
        async with idle.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


@asynccontextmanager
async def lingering(database_url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Pass connections on to a database, but not their ends; yields a URL, and what tells of the first end."""
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query).get("host")
    has_ended = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if folder:
            onward = await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.5432")
        else:
            onward = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        up = asyncio.create_task(copy(reader, onward[1]))
        await copy(onward[0], writer)
        has_ended.set()
        await up
        onward[1].close()
        writer.close()

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)

    user = parts.netloc.rpartition("@")[0]
    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://{user}@127.0.0.1:{port}{parts.path}", has_ended


async def test_a_connection_to_what_takes_no_writes_any_more_is_replaced(pool: Pool) -> None:
    add = "INSERT INTO metric (name) VALUES ('a')"

    async def write_to_a_standby() -> None:
        async with pool.connection() as connection:
            await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            await connection.execute(add)

    with pytest.raises(UnavailableError):
        await write_to_a_standby()
    async with pool.connection() as connection:
        await connection.execute(add)


@pytest.mark.parametrize("is_pooled", [False, True], ids=["directly", "as behind a pooler"])
async def test_who_stops_in_a_transaction_lets_go_of_its_locks(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch, is_pooled: bool
) -> None:
    monkeypatch.setitem(SESSION_SETTINGS, "idle_in_transaction_session_timeout", "50ms")
    lock = "SELECT FROM experiment WHERE experiment_id = 0 FOR UPDATE"
    async with open_pool(Database(database_url, is_pooled=is_pooled), Deadline(5)) as stopped:

        async def stop_half_way() -> None:
            async with stopped.transaction() as connection:
                await connection.execute("INSERT INTO metric (name) VALUES ('half')")
                await connection.execute(lock)
                async with asyncio.timeout(20), pool.transaction() as other:
                    await other.execute(lock)
                await connection.execute("INSERT INTO metric (name) VALUES ('done')")

        with pytest.raises(UnavailableError):
            await stop_half_way()
        async with stopped.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM metric") == 0


async def test_a_failed_transaction_is_undone(pool: Pool) -> None:
    add = "INSERT INTO metric (name) VALUES ('a')"
    with pytest.raises(asyncpg.UniqueViolationError):
        async with pool.transaction() as connection:
            await connection.execute(f"{add}; {add}")
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM metric") == 0


async def test_mistakes_of_ours_are_not_called_unavailable(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        async with pool.connection() as connection:
            await connection.fetchval("SELECT $1::integer", "no number")


async def test_no_more_connections_than_agreed(database_url: str) -> None:
    async with open_pool(database_url, Deadline(5), size=2) as pool, pool.connection(), pool.connection():
        waiting = asyncio.create_task(pool.connection().__aenter__())
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        waiting.cancel()


async def test_closing_does_not_wait_for_ever(database_url: str) -> None:
    async with open_pool(database_url, Deadline(0.2)) as pool:
        borrowed = pool.connection()
        await borrowed.__aenter__()
    with pytest.raises(UnavailableError):
        async with pool.connection():
            pass


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("postgresql://me:secret@127.0.0.1:1/runs", "cannot be reached"),
        ("postgresql://me:secret@/runs?host=/nowhere", "cannot be reached"),
        ("postgresql://me:secret@no-such-host.invalid/runs", "cannot be reached"),
        ("postgresql://me:secret@127.0.0.1:port/runs", "cannot be read"),
    ],
)
async def test_a_wrong_address_is_explained_without_the_password(url: str, complaint: str) -> None:
    with pytest.raises(StartupError, match=complaint) as caught:
        await migrate(url)
    assert "secret" not in str(caught.value)
