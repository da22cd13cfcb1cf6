import asyncio

import asyncpg
import pytest

from stepwell_server.errors import StartupError
from stepwell_server.store.postgres.migrations import Migration, known_migrations, migrate

STEPS = [Migration(1, "one", "CREATE TABLE one ();"), Migration(2, "two", "CREATE TABLE two ();")]


async def applied(url: str) -> list[tuple[int, str]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT version, name FROM schema_migration ORDER BY version")
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def test_the_program_knows_its_migrations(database_url: str) -> None:
    assert await applied(database_url) == [(step.version, step.name) for step in known_migrations()]
    await migrate(database_url)


async def test_only_what_is_missing_is_applied(empty_database_url: str) -> None:
    await migrate(empty_database_url, STEPS[:1])
    await migrate(empty_database_url, STEPS)
    assert await applied(empty_database_url) == [(1, "one"), (2, "two")]


async def test_servers_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(5)))
    assert len(await applied(empty_database_url)) == len(known_migrations())


async def test_a_newer_database_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, STEPS)
    with pytest.raises(StartupError, match="has version 2, this program knows versions up to 1"):
        await migrate(empty_database_url, STEPS[:1])


async def test_a_changed_migration_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, STEPS)
    changed = [STEPS[0], Migration(2, "two", "CREATE TABLE other ();")]
    with pytest.raises(StartupError, match=r"migration 2 \(two\) was applied in another form"):
        await migrate(empty_database_url, changed)


async def test_a_failed_migration_is_undone(empty_database_url: str) -> None:
    broken = Migration(2, "two", "CREATE TABLE two (); SELECT 1 / 0;")
    with pytest.raises(StartupError, match="division by zero"):
        await migrate(empty_database_url, [STEPS[0], broken])
    assert await applied(empty_database_url) == [(1, "one")]
    await migrate(empty_database_url, STEPS)


async def test_an_old_postgresql_is_refused(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell_server.store.postgres.migrations.POSTGRESQL_VERSION_MIN", 99)
    with pytest.raises(StartupError, match="needs version 99 or later"):
        await migrate(empty_database_url)
