"""Versions: numbers, sources, searches."""

import json
import uuid

import grpc.aio
import pytest

from stepwell_api.v1 import models_pb2, runs_pb2
from stepwell_api.v1 import registry_pb2 as pb
from stepwell_api.v1.models_pb2_grpc import LoggedModelServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from tests.harness.calls import already_exists, invalid, not_found
from tests.wire.registry.conftest import Registry, tags


@pytest.fixture
async def run(channel: grpc.aio.Channel) -> runs_pb2.RunInfo:
    spec = runs_pb2.RunSpec(run_id=uuid.uuid4().hex, experiment_id=0)
    return (await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run.info


async def test_a_version_is_read_back(registry: Registry, run: runs_pb2.RunInfo) -> None:
    await registry.model()
    created = await registry.version(
        source=f"runs:/{run.run_id}/model",
        run_link="http://x",
        description="d",
        tags=tags(a="1"),
        author=pb.Author(user="ada"),
    )
    assert (created.version, created.stage, created.user) == (1, "None", "ada")
    assert created.run_id == run.run_id
    assert created.storage_uri == created.source == f"runs:/{run.run_id}/model"
    assert created == await registry.get(version=1) == await registry.get(alias="latest")
    changed = await pb_update(registry, description="e", tags=tags(b="2"))
    assert changed.description == "e"
    assert [(tag.key, tag.value) for tag in changed.tags] == [("a", "1"), ("b", "2")]
    assert changed.last_update_time_ms >= created.last_update_time_ms
    assert (await registry.get_model()).last_update_time_ms >= changed.last_update_time_ms


async def pb_update(registry: Registry, version: int = 1, **fields: object) -> pb.ModelVersion:
    request = pb.UpdateModelVersionRequest(name="m", version=version, **fields)
    return (await registry.versions_stub.UpdateModelVersion(request)).model_version


async def test_numbers_are_never_given_again(registry: Registry) -> None:
    await registry.model()
    assert [(await registry.version()).version for _ in range(3)] == [1, 2, 3]
    await registry.alias("champion", 3)
    await registry.versions_stub.DeleteModelVersion(pb.DeleteModelVersionRequest(name="m", version=3))
    for call in (registry.get(version=3), pb_update(registry, 3), registry.move(3, "Staging")):
        async with not_found("version=3"):
            await call
    async with not_found("version=3"):
        await registry.versions_stub.DeleteModelVersion(pb.DeleteModelVersionRequest(name="m", version=3))
    assert not (await registry.get_model()).aliases
    assert (await registry.version()).version == 4


async def test_imports_keep_numbers_and_times(registry: Registry) -> None:
    await registry.model()
    imported = await registry.version(version=7, creation_time_ms=5)
    assert (imported.version, imported.creation_time_ms) == (7, 5)
    assert (await registry.version()).version == 8
    for given in (7, 3):
        async with already_exists("given before"):
            await registry.version(version=given)
    assert (await registry.version(version=9)).version == 9
    async with invalid("is no version"):
        await registry.version(version=-1)


@pytest.mark.parametrize("version", [0, -1])
async def test_numbers_that_no_version_has(registry: Registry, version: int) -> None:
    await registry.model()
    async with invalid("is no version"):
        await registry.get(version=version)


async def test_calls_about_nothing(registry: Registry) -> None:
    async with not_found("'none'"):
        await registry.version("none")
    async with not_found("name=none"):
        await registry.get("none", version=1)
    async with not_found("'none'"):
        await registry.latest(name="none")
    await registry.model()
    async with not_found("no versions"):
        await registry.get(alias="latest")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "needs a source"),
        ("/etc/passwd", "Invalid model version source"),
        ("etc/passwd", "Invalid model version source"),
        ("file:///etc/passwd", "Invalid model version source"),
        ("FILE:/etc/passwd", "Invalid model version source"),
        ("C:\\models", "Invalid model version source"),
        ("s3://bucket/../x", "'..'"),
        ("s3://bucket/%2e%2e/x", "'..'"),
        ("s3://bucket/%252e%252e/x", "'..'"),
        ("models:/", "models:/<name>/<version>"),
        ("models:/a/b/c", "models:/<name>/<version>"),
        ("s3://" + "x" * 2_048, "2,048"),
        ("s3://a\0", "NUL"),
    ],
)
async def test_what_is_no_source(registry: Registry, source: str, problem: str) -> None:
    await registry.model()
    async with invalid(problem):
        await registry.version(source=source)


async def test_a_source_in_the_artifacts_of_a_run_names_the_run(
    registry: Registry, run: runs_pb2.RunInfo
) -> None:
    await registry.model()
    for source in (
        f"{run.artifact_uri}/model",
        f"runs://host:5000/{run.run_id}/model",
        f"runs:/{run.run_id}",
    ):
        assert (await registry.version(source=source)).run_id == run.run_id
    # Of a run that is not here it is known, but nothing is claimed of it.
    assert (await registry.version(source=f"runs:/{'0' * 32}/model")).run_id == ""
    for unknown in ("0" * 32, "x", "A" * 32):
        async with invalid("no run"):
            await registry.version(run_id=unknown)


async def test_a_version_of_a_version_has_its_files(registry: Registry, run: runs_pb2.RunInfo) -> None:
    for name in ("m", "copy"):
        await registry.model(name)
    await registry.version(source=f"runs:/{run.run_id}/model", model_id="m-1")
    await registry.alias("champion", 1)
    await registry.move(1, "Staging")
    for which in ("/1", "/latest", "/staging", "@champion"):
        copy = await registry.version("copy", source=f"models:/m{which}")
        assert (copy.source, copy.storage_uri) == (f"models:/m{which}", f"runs:/{run.run_id}/model")
        assert (copy.run_id, copy.model_id) == (run.run_id, "m-1")
    async with not_found("name=m, version=9"):
        await registry.version("copy", source="models:/m/9")
    async with not_found("'none'"):
        await registry.version("copy", source="models:/none/Production")


async def test_a_version_of_a_logged_model(
    registry: Registry, channel: grpc.aio.Channel, run: runs_pb2.RunInfo
) -> None:
    models = LoggedModelServiceStub(channel)
    model_id = f"m-{uuid.uuid4().hex}"
    spec = models_pb2.LoggedModelSpec(model_id=model_id, name="model", source_run_id=run.run_id)
    model = (await models.CreateLoggedModel(models_pb2.CreateLoggedModelRequest(spec=spec))).model
    await registry.model('it\'s "quoted"')
    for number in (1, 2):
        version = await registry.version('it\'s "quoted"', source=f"models:/{model_id}")
        assert (version.run_id, version.model_id, version.version) == (run.run_id, model_id, number)
        assert version.storage_uri == model.artifact_uri
    found = (await models.GetLoggedModel(models_pb2.GetLoggedModelRequest(model_id=model_id))).model
    noted = {tag.key: tag.value for tag in found.tags}["mlflow.modelVersions"]
    assert json.loads(noted) == [{"name": 'it\'s "quoted"', "version": number} for number in (1, 2)]
    async with not_found("m-"):
        await registry.version('it\'s "quoted"', source=f"models:/m-{'0' * 32}")


async def test_versions_are_searched(registry: Registry, run: runs_pb2.RunInfo) -> None:
    for name in ("a", "b"):
        await registry.model(name)
        await registry.version(name, source=f"s3://bucket/{name}", tags=tags(kind="x"))
        await registry.version(name, source=f"runs:/{run.run_id}/m", author=pb.Author(user="ada"))
    await registry.move(1, "Production", name="a")
    assert await registry.versions() == [("a", 1), ("b", 2), ("b", 1), ("a", 2)]
    assert await registry.versions(page_size=1) == [("a", 1), ("b", 2), ("b", 1), ("a", 2)]
    order = ("name", "version_number DESC")
    assert await registry.versions("", *order, page_size=1) == [("a", 2), ("a", 1), ("b", 2), ("b", 1)]
    assert await registry.versions("name = 'a'", "version_number") == [("a", 1), ("a", 2)]
    assert await registry.versions(f"run_id = '{run.run_id}'", "name") == [("a", 2), ("b", 2)]
    assert await registry.versions("tags.kind = 'x' AND stage = 'Production'") == [("a", 1)]
    for same in ("stage = 'production'", "current_stage IN ('PRODUCTION', 'no_e')"):
        assert await registry.versions(f"tags.kind = 'x' AND {same}") == [("a", 1)]
    for other in ("stage != 'production'", "stage NOT IN ('PRODUCTION')"):
        assert ("a", 1) not in await registry.versions(f"tags.kind = 'x' AND {other}")
    # None of these signs stands for another.
    assert await registry.versions("stage = 'P%' OR stage = 'Productio_' OR stage = 'Production\\'") == []
    assert await registry.versions("source_path = 's3://bucket/b'") == [("b", 1)]
    assert await registry.versions("version_number > 1 AND user_id = 'ada'", "name") == [("a", 2), ("b", 2)]
    assert await registry.versions("name LIKE '%' AND creation_timestamp > 9999999999999") == []
    async with invalid("have no attribute 'unknown'"):
        await registry.versions("unknown = 'x'")
