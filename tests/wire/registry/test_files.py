"""A version keeps its files: of its logged model, or of its run."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2
from stepwell_api.v1 import registry_pb2 as pb
from stepwell_server.errors import InvalidStateError
from stepwell_server.maintenance import collect_garbage
from stepwell_server.model.registry import Author, VersionSpec
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.registry.versions import PostgresModelVersionStore
from stepwell_server.store.upkeep.garbage import Selection
from tests.harness.calls import invalid_state, not_found
from tests.store.ingest.test_commit import rows
from tests.wire.registry.conftest import Registry
from tests.wire.test_logged_models import Models


@pytest.fixture
def models(channel: grpc.aio.Channel) -> Models:
    return Models(channel)


async def drop(registry: Registry, version: int = 1, name: str = "m") -> None:
    request = pb.DeleteModelVersionRequest(name=name, version=version)
    await registry.versions_stub.DeleteModelVersion(request)


async def test_a_model_that_is_registered_cannot_be_deleted(registry: Registry, models: Models) -> None:
    model_id = await models.made("", {"MLmodel": b"1"})
    await registry.model()
    await registry.model("other")
    await registry.version(source=f"models:/{model_id}")
    await registry.version("other", "models:/m/1")
    async with invalid_state("version 1 of 'm', version 1 of 'other'"):
        await models.delete(model_id)
    await drop(registry)
    async with invalid_state(f"model {model_id} cannot be deleted: the registry needs it for version 1"):
        await models.delete(model_id)
    await registry.models_stub.DeleteRegisteredModel(pb.DeleteRegisteredModelRequest(name="other"))
    await models.delete(model_id)
    async with not_found("not found"):
        await registry.version(source=f"models:/{model_id}")


async def test_many_versions_are_counted(registry: Registry, models: Models) -> None:
    model_id = await models.made("", {"MLmodel": b"1"})
    await registry.model()
    for _ in range(7):
        await registry.version(source=f"models:/{model_id}")
    async with invalid_state("version 5 of 'm', 2 more"):
        await models.delete(model_id)


async def test_a_version_stays_with_the_model_that_its_run_showed(registry: Registry, models: Models) -> None:
    run_id = await models.run()
    first = await models.made(run_id, {"MLmodel": b"1", "data/x": b"x"})
    await registry.model()
    of_run = await registry.version(source=f"runs:/{run_id}/m")
    info = (await models.get(first)).artifact_uri
    below = await registry.version(source=f"{info.split('/models/')[0]}/{run_id}/artifacts/m")
    assert {of_run.storage_uri, below.storage_uri} == {info}
    assert (of_run.source, of_run.run_id, of_run.model_id) == (f"runs:/{run_id}/m", run_id, first)
    second = await models.made(run_id, {"MLmodel": b"2"})
    assert (await registry.get(version=1)).storage_uri == info
    await models.delete(second)
    async with invalid_state("version 1 of 'm', version 2 of 'm'"):
        await models.delete(first)


async def test_files_that_are_the_runs_own_stay_in_it(registry: Registry, models: Models) -> None:
    run_id = await models.run()
    for path in ("a/MLmodel", "a/data/x", "ab/y"):
        await models.put(run_id, path, b"1")
    await registry.model()
    version = await registry.version(source=f"runs:/{run_id}/a")
    assert version.storage_uri == f"runs:/{run_id}/a"
    for path in ("", "a", "a/data", "a/data/x"):
        async with invalid_state("version 1 of 'm'"):
            await remove(models, run_id, path)
    await remove(models, run_id, "ab")
    await drop(registry)
    await remove(models, run_id, "a")
    assert await models.files(run_id) == []


async def remove(models: Models, run_id: str, path: str) -> None:
    request = artifacts_pb2.DeleteArtifactsRequest(run_id=run_id, path=path)
    await models.artifacts.DeleteArtifacts(request)


async def collect(pool: Pool, dry_run: bool = False) -> dict[str, object]:
    return await collect_garbage(pool, Selection(), dry_run, lambda text: None)


async def test_gc_keeps_what_versions_need(registry: Registry, models: Models, pool: Pool) -> None:
    run_id, lone = await models.run(), await models.run()
    await models.put(lone, "a/MLmodel", b"1")
    model_id = await models.made(run_id, {"MLmodel": b"1"})
    await registry.model()
    await registry.version(source=f"runs:/{run_id}/m")
    await registry.version(source=f"runs:/{lone}/a")
    # An experiment takes along what is in it, also models that cannot be deleted one by one.
    await rows(pool, "UPDATE run SET lifecycle_stage = 'deleted' RETURNING 1")
    await rows(pool, "UPDATE experiment SET lifecycle_stage = 'deleted' RETURNING 1")
    kept = [
        f"run {lone}: the registry needs it for version 2 of 'm'",
        f"model {model_id}: the registry needs it for version 1 of 'm'",
    ]
    for dry_run in (True, False):
        done = await collect(pool, dry_run)
        assert (done["runs"], done["models"], done["experiments"], done["kept"]) == (1, 0, 0, kept)
    assert await models.read(model_id, "MLmodel") == await models.read(lone, "a/MLmodel") == b"1"
    await drop(registry)
    await drop(registry, 2)
    done = await collect(pool)
    assert (done["runs"], done["models"], done["kept"], done["left"]) == (1, 1, [], [])


async def test_a_run_that_is_removed_while_its_version_is_made_has_none(
    registry: Registry, pool: Pool
) -> None:
    """The run was there when the source was looked at; of one that never was, a version may be made."""
    await registry.model()
    run_id, store = uuid4(), PostgresModelVersionStore(pool)
    spec = VersionSpec("m", f"runs:/{run_id.hex}/a", run_id=run_id.hex, files_of=run_id, files_path="a")
    with pytest.raises(InvalidStateError, match="about to be removed"):
        await store.create_version(spec, Author())
    assert (await store.create_version(replace(spec, run_id=""), Author())).version == 1


async def test_a_version_comes_before_the_removal_or_not_at_all(
    registry: Registry, models: Models, pool: Pool
) -> None:
    await registry.model()
    for _ in range(5):
        model_id = await models.made("", {"MLmodel": b"1"})
        outcomes = await asyncio.gather(
            registry.version(source=f"models:/{model_id}"), models.delete(model_id), return_exceptions=True
        )
        assert sum(isinstance(outcome, grpc.aio.AioRpcError) for outcome in outcomes) == 1
        # A run whose removal has begun takes no version.
        run_id = await models.run()
        await models.put(run_id, "a/MLmodel", b"1")
        await rows(
            pool, "UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = $1 RETURNING 1", UUID(run_id)
        )
        outcomes = await asyncio.gather(
            registry.version(source=f"runs:/{run_id}/a"), collect(pool), return_exceptions=True
        )
        is_there = bool(await rows(pool, "SELECT FROM run WHERE run_id = $1", UUID(run_id)))
        # Where the run was gone before the call came, it is a run that nobody knows: the version is of no run here.
        assert is_there == (
            not isinstance(outcomes[0], grpc.aio.AioRpcError) and outcomes[0].run_id == run_id
        )
