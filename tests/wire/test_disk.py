"""Artifacts leave the disk what the database needs, and keep to quotas; giving up always works."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_server.app import running_server
from stepwell_server.config import Config
from tests.harness.calls import is_exhausted, refused
from tests.harness.content.disks import small_disk

MIB = 2**20
FULL = (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")


@pytest.fixture
def disk(tmp_path: Path) -> AsyncIterator[Path]:
    with small_disk(tmp_path / "disk", 64) as mounted:
        yield mounted


async def new_run(channel: grpc.aio.Channel, experiment_id: int = 0) -> str:
    spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=experiment_id)
    return (await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run.info.run_id


async def begin(stub: ArtifactServiceStub, run_id: str, path: str, content: bytes | int) -> str:
    """Announce a file by its content, or by its size alone; returns the id of the upload."""
    size = content if isinstance(content, int) else len(content)
    sha256 = os.urandom(32) if isinstance(content, int) else hashlib.sha256(content).digest()
    files = [pb.UploadSpec(path=path, size_bytes=size, sha256=sha256)]
    return (await stub.BeginUploads(pb.BeginUploadsRequest(run_id=run_id, files=files))).plans[0].upload_id


async def send(stub: ArtifactServiceStub, run_id: str, upload_id: str, content: bytes) -> None:
    async def messages() -> AsyncIterator[pb.UploadRequest]:
        for start in range(0, len(content), MIB):
            named = {} if start else {"run_id": run_id, "upload_id": upload_id}
            yield pb.UploadRequest(data=content[start : start + MIB], **named)

    await stub.Upload(messages())


async def test_artifacts_leave_the_database_its_room(database_url: str, tmp_path: Path, disk: Path) -> None:
    config = Config(
        port=0,
        http_port=None,
        store=database_url,
        data=tmp_path / "data",
        artifacts=str(disk / "artifacts"),
        shutdown_grace_s=5,
    )
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = ArtifactServiceStub(channel)
        run_id = await new_run(channel)
        async with refused(*FULL, "the disk of the artifacts"):
            await begin(stub, run_id, "huge", 5 * 2**40)
        content = os.urandom(40 * MIB)
        first = await begin(stub, run_id, "first", content)
        # What was announced counts before it comes, and a repeat of the same does not count twice.
        async with refused(*FULL, "the disk of the artifacts"):
            await begin(stub, run_id, "second", 40 * MIB)
        assert await begin(stub, run_id, "first", content) == first
        await send(stub, run_id, first, content)
        assert await begin(stub, run_id, "first", content) == first
        # Somebody else takes the disk meanwhile: what goes on stops before the last of it.
        third = await begin(stub, run_id, "third", 10 * MIB)
        (disk / "ballast").write_bytes(os.urandom(19 * MIB))
        with pytest.raises(grpc.aio.AioRpcError) as full:
            await send(stub, run_id, third, os.urandom(10 * MIB))
        assert is_exhausted(full.value)
        free = os.statvfs(disk)
        assert free.f_bavail * free.f_frsize > 2 * MIB
        await stub.AbandonUploads(pb.AbandonUploadsRequest(run_id=run_id, upload_ids=[first, third]))


async def test_a_quota_of_an_experiment(database_url: str, tmp_path: Path) -> None:
    config = Config(
        port=0,
        http_port=None,
        store=database_url,
        data=tmp_path / "data",
        shutdown_grace_s=5,
        artifact_experiment_quota_gib=2 / 1024,
    )
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = ArtifactServiceStub(channel)
        first, second = await new_run(channel), await new_run(channel)
        content = os.urandom(MIB)
        upload_id = await begin(stub, first, "a", content)
        await send(stub, first, upload_id, content)
        await stub.CompleteUploads(
            pb.CompleteUploadsRequest(run_id=first, uploads=[pb.FinishedUpload(upload_id=upload_id)])
        )
        await begin(stub, second, "b", MIB // 2)  # what is announced counts, too
        async with refused(*FULL, f"the quota of the experiment of run {second}"):
            await begin(stub, second, "c", MIB)
        created = await ExperimentServiceStub(channel).CreateExperiment(
            runs_pb2.CreateExperimentRequest(name="another")
        )
        await begin(stub, await new_run(channel, created.experiment.experiment_id), "d", MIB)


async def test_quotas_of_a_run_and_of_all(database_url: str, tmp_path: Path) -> None:
    config = Config(
        port=0,
        http_port=None,
        store=database_url,
        data=tmp_path / "data",
        shutdown_grace_s=5,
        artifact_run_quota_gib=2 / 1024,
        artifact_quota_gib=5 / 1024,
    )
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = ArtifactServiceStub(channel)
        for number in range(2):
            run_id = await new_run(channel)
            content = os.urandom(MIB + number)
            upload_id = await begin(stub, run_id, "a", content)
            await send(stub, run_id, upload_id, content)
            uploads = [pb.FinishedUpload(upload_id=upload_id)]
            await stub.CompleteUploads(pb.CompleteUploadsRequest(run_id=run_id, uploads=uploads))
            async with refused(*FULL, f"the quota of run {run_id}"):
                await begin(stub, run_id, "b", 3 * MIB // 2)
            await begin(stub, run_id, "c", MIB // 2)
        await begin(stub, await new_run(channel), "d", 3 * MIB // 2)
        async with refused(*FULL, "the quota of all artifacts"):
            await begin(stub, await new_run(channel), "e", MIB)
