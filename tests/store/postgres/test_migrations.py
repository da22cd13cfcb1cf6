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


VERSIONS_BEFORE = """
    INSERT INTO registered_model (name, description, custom_stages, creation_time_ms, last_update_time_ms)
    VALUES ('m', '', '{}', 0, 0);
    INSERT INTO logged_model (model_id, experiment_id, name, model_type, source_run_id, status, status_message,
                              creation_time_ms, last_update_time_ms, artifact_uri)
    SELECT repeat('c', 32)::uuid, experiment_id, 'best', '', repeat('a', 32)::uuid, 2, '', 0, 0,
           'stepwell-artifacts:/here'
    FROM experiment LIMIT 1;
    INSERT INTO artifact_content (content_id, root, key, size_bytes, sha256, reference_count)
    VALUES (repeat('a', 32)::uuid, '', '', 0, sha256(''), 1);
    INSERT INTO artifact (run_id, path, content_id, size_bytes, logged_time_ms, linked_model_id)
    SELECT content_id, 'best/data/MLmodel', content_id, 0, 0, repeat('c', 32)::uuid FROM artifact_content;
"""
ADD_VERSION = """
    INSERT INTO model_version (model_number, version, description, source, storage_uri, run_id, model_id, run_link,
                               user_name, creation_time_ms, last_update_time_ms)
    SELECT model_number, $1, '', $2, $2, '', '', '', '', 0, 0 FROM registered_model
"""
FILES = """
    SELECT source, replace(files_of::text, '-', '') AS files_of, files_path, storage_uri FROM model_version
"""


async def test_versions_from_before_know_their_files(empty_database_url: str) -> None:
    """0029 and 0034: whose the files of versions are, by the addresses that they have."""
    steps = known_migrations()
    await migrate(empty_database_url, steps[:28])
    run, model, shown = (f"{digit * 32}" for digit in "abc")
    sources = {
        f"runs:/{run}/own": (run, "own"),
        f"stepwell-artifacts:/0/{run}/artifacts/own/": (run, "own"),
        f"s3://bucket/x/{run}/artifacts": (run, ""),
        f"models:/m-{model}": (model, ""),
        f"stepwell-artifacts:/0/models/m-{model}/artifacts/data/x": (model, "data/x"),
        f"runs:/{run}/best/data": (shown, "data"),
        "s3://bucket/elsewhere": (None, ""),
    }
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(VERSIONS_BEFORE)
        await connection.executemany(ADD_VERSION, list(enumerate(sources, 1)))
        await migrate(empty_database_url, steps)
        rows = await connection.fetch(FILES)
    finally:
        await connection.close()
    assert {row["source"]: (row["files_of"], row["files_path"]) for row in rows} == sources
    (moved,) = [row["storage_uri"] for row in rows if row["files_of"] == shown]
    assert moved == "stepwell-artifacts:/here/data"
