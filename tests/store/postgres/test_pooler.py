"""Behind PgBouncer in transaction mode all is as without it: settings, statements, locks, and who listens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from stepwell_server.app import running_server
from stepwell_server.cli import server as server_command
from stepwell_server.config import Config
from stepwell_server.errors import StartupError, TooMuchError, UnavailableError
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest.commit_news import CommitNews
from stepwell_server.store.postgres.listening import listening_pool
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.postgres.pooler import Database
from stepwell_server.store.upkeep.compactor import Compactor
from tests.harness.store.pgbouncer import PgBouncer, running_pgbouncer
from tests.harness.store.stored_logs import StoredLog, new_run

STOP_S = 5.0
LEFT_BEHIND = """
    SELECT (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_cursors WHERE name <> '')
         + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
         + (SELECT count(*) FROM pg_listening_channels())
"""


@pytest.fixture
def pgbouncer(database_url: str) -> Iterator[PgBouncer]:
    with running_pgbouncer(database_url) as pooler:
        yield pooler


@pytest.fixture
def pooled_url(pgbouncer: PgBouncer, database_url: str) -> str:
    """`database_url` through the pooler."""
    return pgbouncer.url(database_url)


@pytest.fixture
async def pooled(pooled_url: str) -> AsyncIterator[Pool]:
    """Connections through the pooler, with a limit of a statement's time."""
    async with open_pool(
        Database(pooled_url, is_pooled=True), Deadline(STOP_S), statement_timeout_s=2
    ) as opened:
        yield opened


async def left_behind(pooled: Pool) -> int:
    """Count what sessions of the pooler's few connections still have, each looked at several times."""
    found = 0
    for _ in range(9):
        async with pooled.connection() as connection:
            found += await connection.fetchval(LEFT_BEHIND)
    return found


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_a_pooler_is_noticed_and_an_option_goes_first(database_url: str, mode: str) -> None:
    with running_pgbouncer(database_url, mode) as pooler:
        url = pooler.url(database_url)
        assert await migrate(url) == Database(url, is_pooled=True)
        assert await migrate(url, pooler="none") == Database(url)
    assert await migrate(database_url) == Database(database_url)
    assert await migrate(database_url, pooler="transaction") == Database(database_url, is_pooled=True)


async def test_settings_are_in_force_in_every_transaction(pool: Pool, pooled_url: str, pooled: Pool) -> None:
    async with pool.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")
        for setting in ("synchronous_commit TO off", "jit TO on", "timezone TO 'Asia/Tokyo'"):
            await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')

    async def seen(connection: asyncpg.Connection) -> list[str]:
        names = ("synchronous_commit", "jit", "timezone", "statement_timeout", "application_name")
        return [await connection.fetchval(f"SHOW {name}") for name in names]

    ours = ["on", "off", "UTC", "2s", "stepwell"]
    for _ in range(4):
        async with pooled.connection() as connection:
            assert await seen(connection) == ours
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                assert await seen(connection) == ours
                async with connection.transaction():
                    assert await seen(connection) == ours
    stranger = await asyncpg.connect(pooled_url, statement_cache_size=0)  # who shares the pooler has his own
    try:
        assert await stranger.fetchval("SHOW synchronous_commit") == "off"
        assert await stranger.fetchval("SHOW statement_timeout") == "0"
    finally:
        await stranger.close()
    with pytest.raises(TooMuchError):
        async with pooled.connection() as connection:
            await connection.execute("SELECT pg_sleep(30)")


async def test_statements_that_take_turns_leave_nothing_behind(pooled: Pool) -> None:
    async def use(number: int) -> None:
        for turn in range(10):
            async with pooled.connection() as connection:
                assert await connection.fetchval("SELECT $1::integer + $2", number, turn) == number + turn
                rows = await connection.fetch("SELECT $1::text[] AS names, 1 AS one", [str(number)])
                assert [tuple(row) for row in rows] == [([str(number)], 1)]
                async with connection.transaction():
                    found = [row[0] async for row in connection.cursor("SELECT generate_series(1, $1)", 120)]
                    assert found == list(range(1, 121))
                    cursor = await connection.cursor("SELECT generate_series(1, $1)", 120)
                    assert len(await cursor.fetch(50)) == 50
                    assert await connection.fetchval("SELECT $1::bigint", turn) == turn
                    assert len(await cursor.fetch(100)) == 70
                pieces: list[bytes] = []

                async def keep(piece: bytes, pieces: list[bytes] = pieces) -> None:
                    pieces.append(piece)

                await connection.copy_from_query("SELECT $1::text", str(number), output=keep)
                assert b"".join(pieces) == f"{number}\n".encode()

    await asyncio.gather(*map(use, range(8)))
    assert await left_behind(pooled) == 0


async def test_what_is_interrupted_is_undone_and_the_connection_goes_on(pooled: Pool) -> None:
    async with pooled.connection() as connection:
        await connection.execute("CREATE TABLE note (number integer)")

    async def write(number: int) -> None:
        async with pooled.transaction() as connection:
            await connection.execute("INSERT INTO note VALUES ($1)", number)
            await asyncio.sleep(0.001)
            await connection.execute("INSERT INTO note VALUES ($1)", number)

    for number in range(60):
        task = asyncio.create_task(write(number))
        await asyncio.sleep(number / 20_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with pooled.connection() as connection:
        rows = await connection.fetch("SELECT count(*) FROM note GROUP BY number")
    assert {row["count"] for row in rows} <= {2}


async def test_migrations_of_several_servers_at_once_leave_no_lock(empty_database_url: str) -> None:
    with running_pgbouncer(empty_database_url) as pooler:
        url = pooler.url(empty_database_url)
        found = await asyncio.gather(*(migrate(url) for _ in range(5)))
        assert found == [Database(url, is_pooled=True)] * 5
        async with open_pool(found[0], Deadline(STOP_S)) as pooled:
            assert await left_behind(pooled) == 0


async def test_compaction_leaves_no_lock_and_others_may_go_on(pooled: Pool) -> None:
    log = StoredLog(pooled, await new_run(pooled))
    for step in range(70):
        await log.commit({"loss": [(step, step, 0.5)]})
    async with Compactor(pooled, pause_s=0.01, settle_s=0), asyncio.timeout(30):
        while (chunks := await count_chunks(pooled)) > 1:  # noqa: ASYNC110 - another connection's work
            await asyncio.sleep(0.01)
    assert chunks == 1
    assert await left_behind(pooled) == 0


async def count_chunks(pool: Pool) -> int:
    async with pool.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM metric_chunk"))


async def test_a_pooler_that_starts_again_is_found_again(pgbouncer: PgBouncer, pooled: Pool) -> None:
    async with pooled.connection() as connection:
        pgbouncer.kill()
        with pytest.raises(asyncpg.PostgresConnectionError):
            await connection.fetchval("SELECT 1")
    with pytest.raises(UnavailableError):
        async with pooled.transaction():
            pass
    pgbouncer.start()
    async with pooled.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_others_are_heard_on_a_connection_of_its_own(
    database_url: str, pooled_url: str, pooled: Pool
) -> None:
    run_id = await new_run(pooled)
    database = Database(pooled_url, is_pooled=True)
    async with (
        listening_pool(database, pooled, database_url, Deadline(STOP_S)) as ear,
        CommitNews(pooled, ear) as there,
        CommitNews(pooled, None) as here,
        asyncio.timeout(20),
    ):
        with there.watching([run_id]) as nudged:
            await nudged.wait()  # it listens now
            nudged.clear()
            here.committed([run_id])
            await nudged.wait()
    async with listening_pool(database, pooled, None, Deadline(STOP_S)) as nothing:
        assert nothing is None
    assert await left_behind(pooled) == 0


async def test_others_are_heard_again_after_the_way_to_where_one_listens_was_cut(
    database_url: str, pool: Pool
) -> None:
    run_id = await new_run(pool)
    with running_pgbouncer(database_url, "session") as way:
        url = way.url(database_url)
        async with (
            open_pool(Database(url, is_pooled=True), Deadline(STOP_S), size=1) as ear,
            CommitNews(pool, ear) as there,
            CommitNews(pool, None) as here,
            asyncio.timeout(30),
        ):
            with there.watching([run_id]) as nudged:
                await nudged.wait()
                nudged.clear()
                way.kill()
                way.start()
                await nudged.wait()  # it listens again, and whoever watches looks
                nudged.clear()
                here.committed([run_id])
                await nudged.wait()


@pytest.mark.parametrize("wrong", ["the pooler", "another database"])
async def test_a_place_to_listen_that_hears_nothing_is_refused(
    pooled_url: str, empty_database_url: str, tmp_path: Path, wrong: str
) -> None:
    url = pooled_url if wrong == "the pooler" else empty_database_url
    config = Config(port=0, store=pooled_url, listen_store=url, data=tmp_path)
    with pytest.raises(StartupError, match="pooler, too" if wrong == "the pooler" else "another database"):
        async with running_server(config):
            pass


def test_a_place_to_listen_needs_a_store() -> None:
    done = CliRunner().invoke(server_command, ["--listen-store", "postgresql://localhost/stepwell"])
    assert done.exit_code == 2
    assert "name --store, too" in done.output
