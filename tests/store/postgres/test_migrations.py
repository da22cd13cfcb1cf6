import asyncio
import sys
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from stepwell_server.errors import StartupError
from stepwell_server.store.postgres import rewriting
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


async def test_points_are_not_counted_for_statistics(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        counted = await connection.fetch(
            """SELECT attname FROM pg_attribute
            WHERE attrelid = 'metric_chunk'::regclass AND attnum > 0 AND NOT attisdropped
              AND (atttypid::regtype::text LIKE '%[]' OR atttypid = 'bytea'::regtype)
              AND coalesce(attstattarget, -1) <> 0"""
        )
    finally:
        await connection.close()
    assert counted == []


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


async def test_a_database_of_another_program_is_left_as_it_is(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute("CREATE TABLE alembic_version (); CREATE TABLE runs ()")
        with pytest.raises(StartupError, match="another program's: it has runs, which"):
            await migrate(empty_database_url)
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        assert [row["tablename"] for row in tables] == ["alembic_version", "runs"]
    finally:
        await connection.close()


async def test_a_user_who_may_make_no_tables_is_told(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    role = f"nobody_{uuid.uuid4().hex}"
    try:
        await connection.execute(f"REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role}")
        between = "&" if "?" in empty_database_url else "?"
        with pytest.raises(
            StartupError, match="may not make and change Stepwell's tables: permission denied"
        ):
            await migrate(f"{empty_database_url}{between}role={role}")
    finally:
        await connection.execute(f"DROP ROLE IF EXISTS {role}")
        await connection.close()


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


MEASURED_BEFORE = """
    INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)
    VALUES (repeat('a', 32)::uuid, 0, '', 1, 0, '', '');
    INSERT INTO writer (run_id, writer_id, host, process_id, opened_time_ms)
    SELECT run_id, run_id, '', 0, 0 FROM run;
    INSERT INTO metric (name) SELECT 'metric/' || number FROM generate_series(1, 50) AS number;
    INSERT INTO metric_latest (run_id, metric_id, step, timestamp_ms, value, count, non_finite_count)
    SELECT run_id, metric_id, 1, 2, 0.5, 1, 0 FROM run, metric;
    INSERT INTO metric_chunk (run_id, metric_id, writer_id, first_position, part, count, step_min, step_max,
                              step_stride, time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first,
                              value_last, non_finite_count, time_offsets_ms, values_float32)
    SELECT run_id, metric_id, run_id, 0, 0, 1, 1, 1, 0, 2, 2, 2, 2, 0.5, 0.5, 0, '{0}', '{0.5}' FROM run, metric;
    GRANT SELECT ON metric_points TO PUBLIC;
"""
STORED = """
    SELECT (SELECT array_agg(to_jsonb(metric_points) ORDER BY key) FROM metric_points) AS points,
           (SELECT array_agg(to_jsonb(run_metrics) ORDER BY key) FROM run_metrics) AS latest,
           (SELECT array_agg(to_jsonb(visible_chunk) ORDER BY metric_id) FROM visible_chunk) AS chunks,
           has_table_privilege('public', 'metric_points', 'SELECT') AS may_read,
           (SELECT pg_relation_size('metric_chunk') + pg_relation_size('metric_chunk_pkey')) AS bytes
"""
TYPES = """
    SELECT DISTINCT format_type(atttypid, atttypmod)
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    WHERE attname = 'metric_id' AND relnamespace = 'public'::regnamespace
"""


@pytest.fixture
async def measured(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Points from before numbers of metrics had 64 bits."""
    await migrate(empty_database_url, known_migrations()[:41])
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(MEASURED_BEFORE)
        await connection.execute("VACUUM FULL metric_chunk")
        yield connection
    finally:
        await connection.close()


async def test_numbers_of_metrics_become_wide_and_nothing_else_changes(
    empty_database_url: str,
    measured: asyncpg.Connection,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0042, with a server that leaves just then."""
    monkeypatch.setattr(rewriting, "TOLD_EVERY_S", 0.01)
    caplog.set_level("INFO", "stepwell_server")
    before = await measured.fetchrow(STORED)
    assert len(before["points"]) == 50
    server = await asyncpg.connect(empty_database_url, server_settings={"application_name": "stepwell"})
    migrating = asyncio.create_task(migrate(empty_database_url, known_migrations()[:42]))
    done, _ = await asyncio.wait([migrating], timeout=0.5)
    assert not done
    # The tables are held meanwhile, so that it has to say how far it is.
    async with measured.transaction():
        await measured.execute("LOCK metric_chunk IN ACCESS SHARE MODE")
        await server.close()
        while "still migrating the database" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await migrating
    assert "as much has to be free on its disk meanwhile" in caplog.text
    assert await measured.fetchrow(STORED) == before
    assert [row[0] for row in await measured.fetch(TYPES)] == ["bigint"]
    await measured.execute(f"ALTER TABLE metric ALTER COLUMN metric_id RESTART WITH {2**62}")
    assert await measured.fetchval("INSERT INTO metric (name) VALUES ('n') RETURNING metric_id") == 2**62


async def test_tables_are_not_written_anew_while_others_work(
    empty_database_url: str, measured: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "OTHERS_WAIT_S", 0.0)
    server = await asyncpg.connect(empty_database_url, server_settings={"application_name": "stepwell"})
    with pytest.raises(StartupError, match=r"use the database: 1 connections, from this machine; stop them"):
        await migrate(empty_database_url)
    await server.close()
    assert len(await applied(empty_database_url)) == 41


async def test_who_is_killed_while_tables_are_written_anew_leaves_what_was(
    empty_database_url: str, measured: asyncpg.Connection
) -> None:
    before = await measured.fetchrow(STORED)
    migrating = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '-- Numbers of%'"
    )
    code = f"import asyncio; from {migrate.__module__} import migrate; asyncio.run(migrate({empty_database_url!r}))"
    async with measured.transaction():
        await measured.execute("LOCK metric_chunk IN ACCESS SHARE MODE")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        while await measured.fetchval(migrating) is None:
            await measured.execute("SELECT pg_stat_clear_snapshot()")
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        # PostgreSQL sees that nobody waits any more, although its statement waits itself.
        while await measured.fetchval(migrating) is not None:
            await measured.execute("SELECT pg_stat_clear_snapshot()")
            await asyncio.sleep(0.01)
    assert await measured.fetchrow(STORED) == before
    assert len(await applied(empty_database_url)) == 41
    await migrate(empty_database_url)
    assert await measured.fetchrow(STORED) == before
