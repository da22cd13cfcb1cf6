"""What the server holds for callers is bounded: per stream, per peer, in total; then they are told when to come."""

import asyncio
import hashlib
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import grpc.aio
import pytest

import stepwell
from stepwell_api.v1 import artifacts_pb2, ingest_pb2, runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config, HoldingLimits
from stepwell_server.store.ingest import writer as writer_module
from stepwell_server.transport import artifacts as artifacts_module
from stepwell_server.transport import interceptors
from tests.harness.calls import is_exhausted, refused
from tests.harness.databases import blocked_table
from tests.harness.neighbours import good_neighbour
from tests.harness.raw_http import Place, head

EXHAUSTED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
MIB = 2**20


@pytest.fixture
async def narrow(database_url: str, tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server that holds little, and lets nobody wait for long."""
    # Of one address nine downloads, and the names of the good neighbour's metrics.
    limits = HoldingLimits(
        bytes_max=20 * MIB, peer_bytes_max=18 * MIB + MIB // 8, wait_s=0.3, calls_max=30, peer_calls_max=20
    )
    config = Config(
        port=0,
        http_port=0,
        store=database_url,
        data=tmp_path / "data",
        shutdown_grace_s=5,
        holding_limits=limits,
    )
    async with running_server(config) as server:
        yield server


def address(server: RunningServer) -> str:
    return f"127.0.0.1:{server.port}"


@pytest.fixture
async def channel(narrow: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address(narrow)) as opened:
        yield opened


async def opened(channel: grpc.aio.Channel) -> grpc.aio.StreamStreamCall:
    stream = IngestServiceStub(channel).Stream()
    spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0)
    opening = ingest_pb2.OpenWriter(run=spec, writer_id=uuid4().hex)
    await stream.write(ingest_pb2.StreamRequest(open=opening))
    assert (await stream.read()).HasField("opened")
    return stream


async def name_metrics_for_ever(stream: grpc.aio.StreamStreamCall) -> None:
    for number in itertools.count():
        names = [f"{number}" + "k" * 3 * MIB, *(f"{number} {part}" + "k" * 990 for part in range(900))]
        batch = ingest_pb2.Batch(first_position=10, end_position=11, new_keys=names)
        await stream.write(ingest_pb2.StreamRequest(batch=batch))


async def test_names_of_metrics_are_bounded_per_stream(
    narrow: RunningServer, channel: grpc.aio.Channel
) -> None:
    """They never join: the server drops the batches, and keeps the names."""
    async with good_neighbour(address(narrow)):
        stream = await opened(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await name_metrics_for_ever(stream)
        assert is_exhausted(caught.value)
        # It is free again.
        await opened(channel)


async def test_calls_are_bounded_per_peer(narrow: RunningServer, channel: grpc.aio.Channel) -> None:
    streams = [await opened(channel) for _ in range(20)]
    async with refused(*EXHAUSTED, "too many calls"):
        await opened(channel)
    streams[0].cancel()
    await asyncio.sleep(0.1)
    await opened(channel)


async def test_our_client_comes_again_when_it_is_told_to(
    narrow: RunningServer, channel: grpc.aio.Channel
) -> None:
    streams = [await opened(channel) for _ in range(20)]
    stepwell.set_tracking_uri(f"grpc://{address(narrow)}")
    getting = asyncio.create_task(asyncio.to_thread(stepwell.get_experiment, "0"))
    await asyncio.sleep(0.3)
    assert not getting.done()
    for stream in streams:
        stream.cancel()
    assert (await getting).name == "Default"


async def test_idle_uploads_are_bounded_and_end(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts_module, "STALL_S", 2.0)
    artifacts = ArtifactServiceStub(channel)
    run_id = uuid4().hex
    spec = runs_pb2.RunSpec(run_id=run_id, experiment_id=0)
    await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))
    files = [
        artifacts_pb2.UploadSpec(path=f"u{number}", size_bytes=10 * MIB, sha256=os.urandom(32))
        for number in range(4)
    ]
    plans = (
        await artifacts.BeginUploads(artifacts_pb2.BeginUploadsRequest(run_id=run_id, files=files))
    ).plans
    calls = []
    for plan in plans:
        call = artifacts.Upload()
        message = artifacts_pb2.UploadRequest(run_id=run_id, upload_id=plan.upload_id, data=b"x" * MIB)
        await call.write(message)
        calls.append(call)
    # Two have room; the others are told to come again, and in the end all are.
    codes = [await call.code() for call in calls]
    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 4
    assert "nothing came" in await calls[0].details()
    assert "room" in await calls[3].details() or "hold" in await calls[3].details()
    held = await artifacts.GetUpload(
        artifacts_pb2.GetUploadRequest(run_id=run_id, upload_id=plans[0].upload_id)
    )
    assert held.held_bytes == MIB


async def test_who_does_not_read_ends(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downloads and histories that nobody reads hold no more than their share, and only for a while."""
    monkeypatch.setattr(interceptors, "STALL_S", 1.0)
    content = os.urandom(32 * MIB)
    stepwell.set_tracking_uri(f"grpc://{address(narrow)}")
    path = Path(os.environ["STEPWELL_SPOOL_DIR"]) / "big.bin"
    path.write_bytes(content)

    def log() -> str:
        with stepwell.start_run() as run:
            stepwell.log_artifact(str(path))
        return run.info.run_id

    run_id = await asyncio.to_thread(log)
    request = artifacts_pb2.DownloadRequest(run_id=run_id, path="big.bin")
    async with good_neighbour(address(narrow)) as neighbour:
        options = [("grpc.http2.lookahead_bytes", 65_535), ("grpc.http2.bdp_probe", 0)]
        async with grpc.aio.insecure_channel(address(narrow), options) as slow:
            calls = [ArtifactServiceStub(slow).Download(request) for _ in range(12)]
            first = await asyncio.gather(*(call.read() for call in calls), return_exceptions=True)
            told = [it for it in first if isinstance(it, grpc.aio.AioRpcError)]
            assert len(told) == 12 - 9
            assert all(map(is_exhausted, told))
            # What they hold is given back although they neither read nor go away.
            await asyncio.sleep(2)
            downloaded = b"".join([it.data async for it in ArtifactServiceStub(channel).Download(request)])
        assert hashlib.sha256(downloaded).digest() == hashlib.sha256(content).digest()
        await neighbour.get()


async def test_batches_that_wait_are_bounded(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database stands still: streams wait, and beyond a limit are told to come again."""
    monkeypatch.setattr(writer_module, "WAITING_BYTES_MAX", 8 * MIB)
    count = 150_000
    points = ingest_pb2.Points(
        key=[0], count=[count], step=range(count), timestamp_ms=[1] * count, value=[0.5] * count
    )
    batches = [
        ingest_pb2.Batch(
            first_position=number * count,
            end_position=(number + 1) * count,
            new_keys=[] if number else ["loss"],
            points=points,
        )
        for number in range(9)
    ]
    async with good_neighbour(address(narrow)):
        streams = [await opened(channel) for _ in range(6)]
        async with blocked_table(narrow.store, "metric_chunk"):

            async def send(stream: grpc.aio.StreamStreamCall) -> grpc.StatusCode:
                for batch in batches:
                    if stream.done():
                        break
                    await stream.write(ingest_pb2.StreamRequest(batch=batch))
                return await stream.code()

            sending = [asyncio.create_task(send(stream)) for stream in streams]
            await asyncio.sleep(3)
        ends = []
        for stream, task in zip(streams, sending, strict=True):
            try:
                while (answer := await stream.read()) is not grpc.aio.EOF:
                    if answer.committed.position == len(batches) * count:
                        await stream.done_writing()
            except grpc.aio.AioRpcError as error:
                ends.append(error)
            task.cancel()
    assert 0 < len(ends) < len(streams)
    assert all(map(is_exhausted, ends))


async def test_bodies_over_http_count_too(narrow: RunningServer) -> None:
    place = Place(urlsplit(narrow.http_url).port, stop=no_stop)
    length = {"content-length": str(12 * MIB), "content-type": "application/json"}
    peers = [await place.connect() for _ in range(2)]
    for peer in peers:
        request = head("POST", "/api/2.0/mlflow/runs/create", **length)
        await peer.send(request + b"x" * 11 * MIB)
    answer = await peers[1].answer("POST")
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert answer.json["error_code"] == "RESOURCE_EXHAUSTED"
    await peers[0].send(b"x" * MIB)
    assert (await peers[0].answer("POST")).status == 400  # no JSON
    place.close()


async def no_stop() -> None:
    """The fixture stops the server."""
