"""What commands beside the server compose: a connection to its database, and work on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidStateError, StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.services.content.sweeper import ArtifactSweeper
from stepwell_server.store import sql
from stepwell_server.store.content.artifacts import PostgresArtifactStore
from stepwell_server.store.content.forms import DATA_ROOT
from stepwell_server.store.content.keeping import versions_needing
from stepwell_server.store.content.locations import Locations
from stepwell_server.store.content.roots import OpenContentStores
from stepwell_server.store.content.shares.marks import FolderMarks
from stepwell_server.store.postgres.distribution import SHARDS_DEFAULT, distribute, read_distribution
from stepwell_server.store.postgres.embedded import EmbeddedPostgres, running_url
from stepwell_server.store.postgres.folder_lock import folder_lock
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.placing import Place, Step
from stepwell_server.store.postgres.pool import Pool, open_upkeep_pool
from stepwell_server.store.upkeep.compactor import compact_now, compaction_state, set_paused
from stepwell_server.store.upkeep.garbage import STEP_ROWS_MAX, GarbageStore, Selection

STOP_S = 10.0
# A long removal says every so often how far it is.
PROGRESS_POINTS = 10_000_000
# Reasons of what could not be removed, or is kept, that are told.
LEFT_MAX = 1_000


@asynccontextmanager
async def maintained_database(store: str | None, data: Path) -> AsyncIterator[Pool]:
    """Connect to the database of a server that runs, or that could run with these settings.

    The embedded PostgreSQL of a server that does not run is started for the time of the context.

    Raises:
        StartupError: there is no such database, or it cannot be reached.
    """
    deadline = Deadline(STOP_S)
    async with AsyncExitStack() as stack:
        url = store or await _embedded(data, deadline, stack)
        database = await migrate(url)
        pool = await stack.enter_async_context(open_upkeep_pool(database, deadline))
        sql.use_form(is_distributed=database.is_distributed)
        yield pool


async def _embedded(data: Path, deadline: Deadline, stack: AsyncExitStack) -> str:
    if not (data / "postgres").exists():
        raise StartupError(f"there is no database in {data}; name its folder with --data, or use --store")
    url = running_url(data)
    if url is not None:
        return url
    stack.enter_context(folder_lock(data))
    return (await stack.enter_async_context(EmbeddedPostgres(data, deadline))).url


async def compaction_status(pool: Pool) -> dict[str, Any]:
    """Return the fields of `CompactionState`."""
    async with pool.connection() as connection:
        return asdict(await compaction_state(connection))


async def pause_compaction(pool: Pool, paused: bool) -> None:
    """Turn the switch."""
    async with pool.connection() as connection:
        await set_paused(connection, paused)


async def compact_everything(pool: Pool) -> dict[str, Any]:
    """Merge all small chunks, when no server is at it any more; return the fields of `Round`."""
    async with pool.connection() as connection:
        return asdict(await compact_now(connection))


async def collect_garbage(
    pool: Pool, selection: Selection, dry_run: bool, tell: Callable[[str], None], data: Path | None = None
) -> dict[str, Any]:
    """Remove what the selection means, or only count it; `tell` hears of every run. Returns the sums.

    The bytes of artifacts go too where `data`, the folder of the embedded database, says where they are. What is left
    of them (`files_waiting` in the sums) is removed by a server that runs, or by the next one.

    What cannot be removed does not keep the others back: `left` in the sums says what it was, and why. What versions of
    registered models need stays until they are deleted, and is in `kept`.

    Raises:
        NotFoundError: a run or experiment that was named does not exist.
        InvalidStateError: it is not deleted.
    """
    garbage, artifacts = GarbageStore(pool), PostgresArtifactStore(pool)
    await garbage.check(selection)
    sums = {"dry_run": dry_run, "runs": 0, "points": 0, "artifacts": 0, "models": 0, "experiments": 0}
    left: list[str] = []
    kept: list[str] = []
    async for run_id in garbage.runs(selection):
        if await _is_kept(pool, f"run {run_id.hex}", run_id, kept):
            continue
        try:
            if dry_run:
                points, files = await garbage.count_points(run_id), await garbage.count_artifacts(run_id)
            elif await garbage.begin(run_id):
                points = await _remove_points(garbage, run_id, tell)
                files = await _remove_artifacts(artifacts, run_id)
                await garbage.remove_rest(run_id)
            else:  # restored or registered meanwhile
                continue
        except InvalidStateError as error:
            left.append(f"run {run_id.hex}: {error}")
            continue
        tell(f"run {run_id.hex}: {points:,} points, {files:,} artifacts")
        sums["runs"] += 1
        sums["points"] += points
        sums["artifacts"] += files
    async for model_id in garbage.models(selection):
        if await _is_kept(pool, f"model m-{model_id.hex}", model_id, kept):
            continue
        try:
            found = await _collect_model(garbage, artifacts, model_id, dry_run)
        except InvalidStateError as error:
            left.append(f"model m-{model_id.hex}: {error}")
            continue
        if found is not None:
            tell(f"model m-{model_id.hex}: {found:,} artifacts")
            sums["models"] += 1
            sums["artifacts"] += found
    for experiment_id in await garbage.experiments(selection, with_runs=dry_run):
        sums["experiments"] += dry_run or await garbage.remove_experiment(experiment_id)
    if data is not None and not dry_run:
        async with OpenContentStores(data, Locations(DATA_ROOT), marks=FolderMarks(pool)) as contents:
            await ArtifactSweeper(artifacts, contents).remove_garbage()
    waiting = await artifacts.count_garbage()
    return {**sums, "files_waiting": waiting, "kept": kept[:LEFT_MAX], "left": left[:LEFT_MAX]}


async def _is_kept(pool: Pool, what: str, id_: UUID, kept: list[str]) -> bool:
    """Tell whether versions of registered models need a run or logged model, and note which."""
    async with pool.connection() as connection:
        versions = await versions_needing(connection, id_)
    if versions:
        kept.append(f"{what}: the registry needs it for {versions}")
    return bool(versions)


async def _collect_model(
    garbage: GarbageStore, artifacts: PostgresArtifactStore, model_id: UUID, dry_run: bool
) -> int | None:
    """Remove a logged model, or only look; returns the number of its files, None when it was restored meanwhile."""
    if dry_run:
        return await garbage.count_artifacts(model_id)
    if not await garbage.begin_model(model_id):
        return None
    files = await _remove_artifacts(artifacts, model_id)
    await garbage.remove_model(model_id)
    return files


async def _remove_points(garbage: GarbageStore, run_id: UUID, tell: Callable[[str], None]) -> int:
    points, told = 0, 0
    async for removed in garbage.remove_points(run_id):
        points += removed
        if points - told >= PROGRESS_POINTS:
            told = points
            tell(f"run {run_id.hex}: {points:,} points so far")
    return points


async def _remove_artifacts(artifacts: PostgresArtifactStore, run_id: UUID) -> int:
    """Let go of the files of a run and of its uploads, in steps; returns the number of files."""
    while await artifacts.abandon_run(run_id, STEP_ROWS_MAX) == STEP_ROWS_MAX:
        pass
    files, hidden = 0, STEP_ROWS_MAX
    while hidden == STEP_ROWS_MAX:
        hidden, _ = await artifacts.hide(run_id, "", STEP_ROWS_MAX)
        files += hidden
    return files


async def database_status(pool: Pool) -> dict[str, Any]:
    """Return how a database is spread over machines: Citus, tables by place, and how many steps are left."""
    async with pool.connection() as connection:
        now = await read_distribution(connection)
    places = {place.value: [table.name for table in now.tables if table.place is place] for place in Place}
    return {
        "citus": now.citus,
        "machines": max(1, len(now.machines)),
        "tables": places,
        "foreign_keys_to_add": [key.name for key in now.keys if not key.is_there],
        "steps_left": len(now.steps(SHARDS_DEFAULT)) if now.citus else 0,
    }


async def planned_distribution(pool: Pool, shards: int) -> list[Step]:
    """Return what `distribute_database` would do, also where there is no Citus yet."""
    async with pool.connection() as connection:
        return (await read_distribution(connection)).steps(shards)


async def distribute_database(pool: Pool, shards: int, tell: Callable[[str], None]) -> list[Step]:
    """Spread the tables over the machines; see `distribution.distribute`."""
    async with pool.connection() as connection:
        return await distribute(connection, shards, tell)
