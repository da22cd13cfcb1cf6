"""Which runs have a place for files, where it is, and who else may look into it."""

import stat
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_server.app import RunningServer
from tests.harness.calls import invalid, invalid_state, not_found
from tests.harness.content.uploads import (
    Place,
    begin,
    complete,
    create_run,
    listing,
    log,
    messages,
    read,
    serving,
)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_runs_that_cannot_get_artifacts(
    artifacts: ArtifactServiceStub, run_id: str, server: RunningServer, channel: grpc.aio.Channel
) -> None:
    async with not_found("no run"):
        await begin(artifacts, uuid4().hex, "a", b"")
    async with not_found("no run"):
        await listing(artifacts, uuid4().hex)
    plan = await begin(artifacts, run_id, "a", b"a")
    await artifacts.Upload(iter(messages(run_id, plan.upload_id, b"a")))
    async with server.pool.connection() as connection:
        await connection.execute("UPDATE run SET lifecycle_stage = 'deleted'")
    async with invalid_state("deleted"):
        await begin(artifacts, run_id, "b", b"")
    async with invalid_state("deleted"):
        await complete(artifacts, run_id, plan.upload_id)
    # A location from before, when none was checked.
    for location, problem in (("file:///etc", "not in a folder"), ("ftp://x/y", "are not served")):
        request = runs_pb2.CreateExperimentRequest(name=location)
        experiment = (await ExperimentServiceStub(channel).CreateExperiment(request)).experiment
        async with server.pool.connection() as connection:
            await connection.execute(
                "UPDATE experiment SET artifact_location = $2 WHERE experiment_id = $1",
                experiment.experiment_id,
                location,
            )
        async with invalid(problem):
            await begin(artifacts, await create_run(channel, experiment.experiment_id), "a", b"")


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_nobody_else_of_the_machine_reads_the_files(
    artifacts: ArtifactServiceStub, run_id: str, place: Place
) -> None:
    await log(artifacts, run_id, "small", b"1")
    await begin(artifacts, run_id, "unfinished", b"1")
    for path in (place.folder, *place.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if path.is_file() else 0o700), path


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_an_experiment_has_a_location_of_its_own(
    database_url: str, tmp_path: Path, place: Place
) -> None:
    own = tmp_path / "shared disk" / "own"
    settings = {"artifact_folders": (str(tmp_path / "shared disk"),)}
    async with (
        serving(database_url, place, tmp_path, **settings) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        request = runs_pb2.CreateExperimentRequest(name="own", artifact_location=own.as_uri())
        experiment = (await ExperimentServiceStub(channel).CreateExperiment(request)).experiment
        run_id, stub = await create_run(channel, experiment.experiment_id), ArtifactServiceStub(channel)
        await log(stub, run_id, "a", b"here")
        assert await read(stub, run_id, "a") == b"here"
        assert len([path for path in own.rglob("*") if path.is_file()]) == 1
        assert place.files() == []
