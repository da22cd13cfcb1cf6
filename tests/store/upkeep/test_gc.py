"""`stepwell gc` removes what was deleted, all of it, and nothing else."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from stepwell_server.commands.gc import parse_age
from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.maintenance import collect_garbage
from stepwell_server.model.artifacts import FileSpec
from stepwell_server.model.ingest import ModelPointEntry, ParamEntry, TagEntry
from stepwell_server.store.content.artifacts import PostgresArtifactStore
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.upkeep import garbage as garbage_module
from stepwell_server.store.upkeep.garbage import GarbageStore, Selection
from tests.harness.servers.processes import command_line, stepwell_command
from tests.store.ingest.test_commit import Log, commit, new_run, opened, rows

ROOT = "file:///artifacts"
TABLES = """
    SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = 'public' AND column_name = 'run_id' AND table_type = 'BASE TABLE'
      AND data_type = 'uuid'  -- in the registry it is what a caller wrote
    ORDER BY table_name
"""


@pytest.fixture
async def writer(pool: Pool) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        yield writer


async def filled_run(pool: Pool, writer: GroupCommitWriter) -> UUID:
    log = await opened(pool, await new_run(pool))
    for step in range(5):
        await commit(writer, log.batch({key: [(step, step, 1.0)] for key in ("a", "b")}))
    await commit(
        writer, log.batch({}, [ParamEntry(log.position, "p", "1"), TagEntry(log.position + 1, "t", "1")])
    )
    await commit(writer, log.batch({}, [ModelPointEntry(log.position, uuid4(), "a", 1.0, 1, 1)]))
    await add_artifacts(pool, log.run_id)
    return log.run_id


async def add_artifacts(pool: Pool, run_id: UUID) -> None:
    """Three files, and an upload that is not finished."""
    store = PostgresArtifactStore(pool)
    files = [FileSpec(f"models/{number}", 1, bytes([number]) * 32) for number in range(4)]
    uploads = await store.open_uploads(run_id, ROOT, files)
    await store.complete(run_id, uploads[:3])


async def delete(pool: Pool, run_id: UUID, ago_s: int = 0) -> None:
    query = """
        UPDATE run SET lifecycle_stage = 'deleted',
                       deleted_time_ms = (extract(epoch FROM now()) * 1000)::bigint - $2::bigint * 1000
        WHERE run_id = $1 RETURNING 1
    """
    await rows(pool, query, run_id, ago_s)


async def rows_of(pool: Pool, run_id: UUID) -> dict[str, int]:
    """How many rows every table that knows runs has of this one."""
    found = {}
    for (table,) in await rows(pool, TABLES):
        ((found[table],),) = await rows(pool, f"SELECT count(*) FROM {table} WHERE run_id = $1", run_id)
    return found


async def collect(pool: Pool, dry_run: bool = False, **selection: object) -> dict[str, object]:
    return await collect_garbage(pool, Selection(**selection), dry_run, lambda text: None)  # type: ignore[arg-type]


async def test_a_deleted_run_goes_entirely_and_its_neighbours_stay(
    pool: Pool, writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage_module, "STEP_ROWS_MAX", 2)
    gone, kept = await filled_run(pool, writer), await filled_run(pool, writer)
    before = await rows_of(pool, kept)
    await delete(pool, gone)
    assert await collect(pool) == {
        "dry_run": False,
        "runs": 1,
        "points": 10,
        "artifacts": 3,
        "models": 0,
        "experiments": 0,
        "files_waiting": 4,  # its unfinished upload, and what both runs sent
        "kept": [],
        "left": [],
    }
    assert set((await rows_of(pool, gone)).values()) == {0}
    assert await rows_of(pool, kept) == before
    # Its finished content is what the kept run shows too; the bytes of its unfinished upload are to be removed.
    assert await rows(pool, "SELECT DISTINCT reference_count FROM artifact_content") == [(1,)]
    assert len(await rows(pool, "SELECT FROM artifact_garbage")) >= 1
    assert (await collect(pool))["runs"] == 0


@pytest.mark.parametrize("clock_off_s", [-7_200, 0, 7_200])
async def test_only_what_is_meant_is_removed(
    pool: Pool, writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch, clock_off_s: int
) -> None:
    """Whatever time it is on this machine."""
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + clock_off_s)
    old, new, other = [await filled_run(pool, writer) for _ in range(3)]
    await delete(pool, old, ago_s=7_200)
    await delete(pool, new, ago_s=10)
    await delete(pool, other, ago_s=10)
    assert (await collect(pool, dry_run=True, older_than_s=3_600.0))["runs"] == 1
    assert (await collect(pool, older_than_s=3_600.0))["runs"] == 1
    assert (await collect(pool, run_ids=[new]))["runs"] == 1
    assert await rows(pool, "SELECT run_id FROM run") == [(other,)]


async def test_a_deleted_experiment_goes_with_its_runs(pool: Pool, writer: GroupCommitWriter) -> None:
    query = """
        INSERT INTO experiment (name, artifact_location, lifecycle_stage, creation_time_ms, last_update_time_ms)
        VALUES ($1, '', $2, 0, 0) RETURNING experiment_id
    """
    ((gone,),) = await rows(pool, query, "gone", "deleted")
    ((kept,),) = await rows(pool, query, "kept", "active")
    await rows(pool, "INSERT INTO experiment_tag VALUES ($1, 'k', 'v') RETURNING 1", gone)
    run_id = await filled_run(pool, writer)
    await rows(pool, "UPDATE run SET experiment_id = $1 RETURNING 1", gone)
    await delete(pool, run_id)
    assert await collect(pool, dry_run=True, experiment_ids=[gone]) == {
        "dry_run": True,
        "runs": 1,
        "points": 10,
        "artifacts": 3,
        "models": 0,
        "experiments": 1,
        "files_waiting": 0,
        "kept": [],
        "left": [],
    }
    assert (await rows_of(pool, run_id))["metric_chunk"] == 10
    assert (await collect(pool, experiment_ids=[gone]))["experiments"] == 1
    assert await rows(pool, "SELECT experiment_id FROM experiment WHERE experiment_id > 0") == [(kept,)]


async def test_what_is_not_deleted_is_refused_by_name(pool: Pool, writer: GroupCommitWriter) -> None:
    run_id = await filled_run(pool, writer)
    with pytest.raises(InvalidStateError, match=f"run {run_id.hex} is not deleted"):
        await collect(pool, run_ids=[run_id])
    with pytest.raises(NotFoundError, match="there is no run"):
        await collect(pool, run_ids=[UUID(int=1)])
    with pytest.raises(InvalidStateError, match="experiment 0 is not deleted"):
        await collect(pool, experiment_ids=[0])


async def test_a_removal_that_was_cut_short_cannot_be_restored_and_goes_on(
    pool: Pool, writer: GroupCommitWriter
) -> None:
    run_id = await filled_run(pool, writer)
    await delete(pool, run_id, ago_s=0)
    garbage = GarbageStore(pool)
    assert await garbage.begin(run_id)
    with pytest.raises(Exception, match="run_removal"):
        await rows(pool, "UPDATE run SET lifecycle_stage = 'active' WHERE run_id = $1 RETURNING 1", run_id)
    assert (await collect(pool, older_than_s=3_600.0))["runs"] == 1


async def test_a_run_that_was_restored_in_time_stays(pool: Pool, writer: GroupCommitWriter) -> None:
    run_id = await filled_run(pool, writer)
    assert not await GarbageStore(pool).begin(run_id)


async def test_a_writer_that_still_runs_hears_that_its_run_is_gone(
    pool: Pool, writer: GroupCommitWriter
) -> None:
    log: Log = await opened(pool, await new_run(pool))
    await commit(writer, log.batch({"a": [(1, 1, 1.0)]}))
    await delete(pool, log.run_id)
    await collect(pool)
    with pytest.raises(NotFoundError):
        await commit(writer, log.batch({"a": [(2, 2, 1.0)]}))


async def test_a_run_that_cannot_be_removed_keeps_no_other_back(
    database_url: str, pool: Pool, writer: GroupCommitWriter
) -> None:
    runs = sorted([await filled_run(pool, writer) for _ in range(3)])
    for run_id in runs:
        await delete(pool, run_id)
    await rows(
        pool, "CREATE TABLE holder (run_id uuid REFERENCES run)"
    )  # as a writer that is opened again and again
    await rows(pool, "INSERT INTO holder VALUES ($1)", runs[1])
    command = command_line("gc", "--store", database_url)
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("removed 2 runs with 20 points")
    assert f"left: run {runs[1].hex}: run {runs[1].hex} is still being written to" in done.stderr
    await rows(pool, "DROP TABLE holder")
    assert (await collect(pool))["runs"] == 1


async def test_the_command(database_url: str, pool: Pool, writer: GroupCommitWriter) -> None:
    run_id = await filled_run(pool, writer)
    await delete(pool, run_id, ago_s=60)
    options = ["--store", database_url, "--json"]
    dry = await asyncio.to_thread(stepwell_command, "gc", "--dry-run", *options)
    assert json.loads(dry) == {
        "dry_run": True,
        "runs": 1,
        "points": 10,
        "artifacts": 3,
        "models": 0,
        "experiments": 0,
        "files_waiting": 0,
        "kept": [],
        "left": [],
    }
    young = await asyncio.to_thread(stepwell_command, "gc", "--older-than", "1h", *options)
    assert json.loads(young)["runs"] == 0
    done = await asyncio.to_thread(stepwell_command, "gc", "--run-ids", run_id.hex, *options)
    assert json.loads(done)["runs"] == 1
    wrong = command_line("gc", "--run-ids", run_id.hex, "--store", database_url)
    failed = await asyncio.to_thread(subprocess.run, wrong, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr == f"Error: there is no run {run_id.hex}\n"


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d2h3m4s", 93_784.0), ("1.5h", 5_400.0), ("30d", 2_592_000.0)]
)
def test_ages(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "1h2d", "-1h"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(Exception, match="is not an age"):
        parse_age(text)
