"""What the server holds for callers is bounded: per stream, per peer, in total; then they are told when to come."""

import asyncio
import hashlib
import itertools
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import grpc.aio
import pytest

import stepwell
from stepwell.files import uploads
from stepwell.wire import connection
from stepwell_api.v1 import artifacts_pb2, ingest_pb2, runs_pb2, series_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config, HoldingLimits
from stepwell_server.errors import ExhaustedError
from stepwell_server.process.holding import Holding
from stepwell_server.services.content.uploads import UploadService
from stepwell_server.services.runs import RunService
from stepwell_server.store.ingest import writer as writer_module
from stepwell_server.transport import interceptors, on_the_way
from stepwell_server.transport.content import artifacts as artifacts_module
from stepwell_server.transport.content.artifacts import UPLOAD_WAITING_BYTES
from stepwell_server.transport.series.servicer import WATCH_HELD_BYTES, WATCHED_POSITION_BYTES
from stepwell_server.transport.stream_holding import REJECTION_BYTES
from stepwell_server.web.mlflow import search
from tests.harness.calls import is_exhausted, refused
from tests.harness.network.neighbours import good_neighbour
from tests.harness.network.raw_http import Peer, Place, head
from tests.harness.store.databases import blocked_table

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
    async with asyncio.timeout(30):
        while not await has_opened(channel):  # noqa: ASYNC110 - until the server has heard of the end
            await asyncio.sleep(0.02)


async def has_opened(channel: grpc.aio.Channel) -> bool:
    try:
        await opened(channel)
    except grpc.aio.AioRpcError as error:
        if not is_exhausted(error):
            raise
        return False
    return True


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


async def test_few_uploads_wait_because_each_has_sent_something(database_url: str, tmp_path: Path) -> None:
    limits = HoldingLimits(
        bytes_max=20 * MIB, peer_bytes_max=18 * MIB, wait_s=60.0, waiting_bytes_max=2 * UPLOAD_WAITING_BYTES
    )
    config = Config(
        port=0,
        http_port=None,
        store=database_url,
        data=tmp_path / "data",
        shutdown_grace_s=5,
        holding_limits=limits,
    )
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(address(server)) as channel,
    ):
        calls = [ArtifactServiceStub(channel).Upload() for _ in range(5)]
        ends = {asyncio.create_task(call.code()): call for call in calls}
        # Two have room and two wait; they are silent, so that it stays so.
        (refused_one,), others = await asyncio.wait(ends, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert refused_one.result() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for end in others:
            await ends[end].done_writing()
        assert await asyncio.gather(*others) == [grpc.StatusCode.INVALID_ARGUMENT] * 4


async def test_our_client_waits_for_a_crowded_server_whatever_the_number_of_attempts(
    narrow: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "1")
    monkeypatch.setattr(uploads, "BACKOFF_MAX_S", 0.02)
    monkeypatch.setattr(connection, "REFUSED_TRIES_MAX", 1)
    holding, refusals = holding_of(narrow), 0
    take = holding.take

    async def counted(*given: Any, **more: Any) -> Any:
        nonlocal refusals
        try:
            return await take(*given, **more)
        except ExhaustedError:
            refusals += 1
            raise

    monkeypatch.setattr(holding, "take", counted)
    stepwell.set_tracking_uri(f"grpc://{address(narrow)}")
    (tmp_path / "large").write_bytes(bytes(5 * MIB))

    def log() -> str:
        with stepwell.start_run() as run:
            stepwell.log_artifact(tmp_path / "large")
        return run.info.run_id

    others = await take("ipv4:127.0.0.1", 18 * MIB)
    logging = asyncio.create_task(asyncio.to_thread(log))
    async with asyncio.timeout(60):
        while refusals < 3:  # noqa: ASYNC110 - it comes again by itself
            await asyncio.sleep(0.02)
    others.give_back()
    listed = await asyncio.to_thread(stepwell.artifacts.list_artifacts, run_id=await logging)
    assert [it.path for it in listed] == ["large"]


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
            await until(narrow, lambda held: held < 2 * MIB)
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
            await asyncio.wait(sending, timeout=60, return_when=asyncio.FIRST_COMPLETED)
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


def holding_of(server: RunningServer) -> Holding:
    assert server.holding is not None
    return server.holding


def held_by(server: RunningServer) -> int:
    return holding_of(server).bytes_held


async def until(server: RunningServer, is_so: Callable[[int], bool]) -> None:
    """Wait until so much is held."""
    async with asyncio.timeout(30):
        while not is_so(held_by(server)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_small_files_count_while_they_are_written(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    held: list[int] = []
    peer_held: list[int] = []

    async def write_small(self: object, run_id: object, files: object) -> None:
        held.append(held_by(narrow))
        peer_held.append(holding_of(narrow).bytes_held_for("ipv4:127.0.0.1"))
        await go_on.wait()

    monkeypatch.setattr(UploadService, "write_small", write_small)
    data = bytes(4 * MIB)
    file = artifacts_pb2.SmallFile(upload_id=uuid4().hex, data=data)
    request = artifacts_pb2.UploadSmallRequest(run_id=uuid4().hex, files=[file])
    calls = [ArtifactServiceStub(channel).UploadSmall(request) for _ in range(5)]
    # Two have room, with their copies; one waits with its message in its hands, and not for long.
    ends = [asyncio.create_task(call.code()) for call in calls]
    async with asyncio.timeout(30):
        while sum(end.done() for end in ends) < 3 or len(held) < 2:  # noqa: ASYNC110 - whichever they are
            await asyncio.sleep(0.02)
    assert [end.result() for end in ends if end.done()] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 3
    assert held == peer_held
    assert 8 * MIB <= held[0] < 9 * MIB < 16 * MIB <= held[1]
    go_on.set()
    assert (
        sorted(code.name for code in await asyncio.gather(*ends)) == ["OK"] * 2 + ["RESOURCE_EXHAUSTED"] * 3
    )
    await until(narrow, lambda held: held == 0)


async def test_refusals_count_until_they_are_told(narrow: RunningServer, channel: grpc.aio.Channel) -> None:
    """All of a batch is refused: its reasons take ten times its bytes, as long as nobody can be told them."""
    entries = [
        ingest_pb2.Entry(position=number, param=runs_pb2.Param(key="!", value="v"))
        for number in range(20_000)
    ]
    batch = ingest_pb2.Batch(first_position=0, end_position=20_000, entries=entries)
    streams = [await opened(channel) for _ in range(4)]
    async with blocked_table(narrow.store, "writer"):
        for stream in streams:
            await stream.write(ingest_pb2.StreamRequest(batch=batch))
        # Two have room, and the others are told to come again.
        codes = [asyncio.create_task(stream.code()) for stream in streams]
        await until(narrow, lambda held: held >= 2 * 20_000 * REJECTION_BYTES)
        async with asyncio.timeout(20):
            while sum(code.done() for code in codes) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        told = [code.result() for code in codes if code.done()]
        assert told == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    for stream, code in zip(streams, codes, strict=True):
        if not code.done():
            assert (await stream.read()).committed.rejected
            stream.cancel()
    await until(narrow, lambda held: held == 0)


async def params_of(channel: grpc.aio.Channel, count: int) -> str:
    """Return a run whose params have 6,000 characters each."""
    run_id = uuid4().hex
    stream = IngestServiceStub(channel).Stream()
    spec = runs_pb2.RunSpec(run_id=run_id, experiment_id=0)
    opening = ingest_pb2.OpenWriter(run=spec, writer_id=uuid4().hex)
    await stream.write(ingest_pb2.StreamRequest(open=opening))
    await stream.read()
    for first in range(0, count, 500):
        end = min(first + 500, count)
        entries = [
            ingest_pb2.Entry(position=number, param=runs_pb2.Param(key=f"p{number}", value="v" * 6_000))
            for number in range(first, end)
        ]
        batch = ingest_pb2.Batch(first_position=first, end_position=end, entries=entries)
        await stream.write(ingest_pb2.StreamRequest(batch=batch))
        assert (await stream.read()).committed.position == end
    stream.cancel()
    return run_id


async def test_answers_count_until_they_are_taken(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_the_way, "STALL_S", 2.0)
    run_id = await params_of(channel, 400)  # 2.4 MB
    request = runs_pb2.GetRunRequest(run_id=run_id)
    options = [("grpc.http2.lookahead_bytes", 65_535), ("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(address(narrow), options) as slow:
        # A stream of one message is what the answer to a usual call is; whoever does not read it, lets it wait.
        get_run = slow.unary_stream("/stepwell_api.v1.RunService/GetRun", lambda it: it.SerializeToString())
        calls = [get_run(request) for _ in range(6)]
        await until(narrow, lambda held: held > 12 * MIB)
        assert held_by(narrow) <= 18 * MIB + MIB // 8
        # They neither read nor go away; what is held for them ends.
        await until(narrow, lambda held: held == 0)
        assert len((await RunServiceStub(channel).GetRun(request)).run.params) == 400
        del calls


async def test_a_watch_counts_with_what_it_sends(narrow: RunningServer, channel: grpc.aio.Channel) -> None:
    run_id = await params_of(channel, 1)
    before = held_by(narrow)
    watch = SeriesServiceStub(channel).Watch(series_pb2.WatchRequest(run_ids=[run_id]))
    await watch.read()
    assert held_by(narrow) == before + WATCH_HELD_BYTES
    positions = [
        series_pb2.WriterPosition(run_id=run_id, writer_id=uuid4().hex, position=1) for _ in range(1_000)
    ]
    start = series_pb2.WATCH_START_POSITIONS
    many = series_pb2.WatchRequest(run_ids=[run_id], start=start, positions=positions)
    second = SeriesServiceStub(channel).Watch(many)
    await second.read()
    assert held_by(narrow) >= before + 2 * WATCH_HELD_BYTES + 1_000 * WATCHED_POSITION_BYTES
    for call in (watch, second):
        call.cancel()
    await until(narrow, lambda held: held == 0)


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


async def test_answers_over_http_count_until_they_are_sent(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By REST and by Connect: while one is put together others wait, and are told when to come again."""
    run_id = await params_of(channel, 850)  # 5.1 MB
    place = Place(urlsplit(narrow.http_url).port, stop=no_stop)
    path = f"/api/2.0/mlflow/runs/get?run_id={run_id}"
    go_on, is_whole = asyncio.Event(), RunService.whole

    async def whole(*given: Any) -> Any:
        run = await is_whole(*given)
        await go_on.wait()
        return run

    monkeypatch.setattr(RunService, "whole", whole)
    first = asyncio.create_task(place.ask("GET", path))
    await until(narrow, lambda held: held > 14 * MIB)
    message = runs_pb2.GetRunRequest(run_id=run_id).SerializeToString()
    by_connect = await place.ask(
        "POST", "/stepwell_api.v1.RunService/GetRun", message, content_type="application/proto"
    )
    by_rest = await place.ask("GET", path)
    assert (by_connect.status, by_connect.json["code"]) == (429, "resource_exhausted")
    assert (by_rest.status, by_rest.headers["retry-after"]) == (429, "1")
    assert held_by(narrow) == holding_of(narrow).bytes_held_for("http") <= 18 * MIB + MIB // 8
    go_on.set()
    assert len((await first).json["run"]["data"]["params"]) == 850
    await until(narrow, lambda held: held == 0)
    place.close()


async def test_who_reads_files_slowly_keeps_nobody_from_the_rest(
    narrow: RunningServer, channel: grpc.aio.Channel
) -> None:
    run_id = await params_of(channel, 400)
    place = Place(urlsplit(narrow.http_url).port, stop=no_stop)
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/large"
    assert (await place.ask("PUT", path, bytes(12 * MIB))).status == 200
    readers = [await slow_reader(narrow) for _ in range(20)]
    for reader in readers:
        await reader.send(head("GET", path))
    # Of one address eighteen, each with a block of its own.
    await until(narrow, lambda held: held == 18 * MIB)
    small = await place.ask("GET", f"/api/2.0/mlflow/runs/get?run_id={uuid4().hex}")
    assert small.status == 404
    narrow_answer = await place.ask("GET", path, range="bytes=0-99")
    assert narrow_answer.status == 206
    assert holding_of(narrow).bytes_held_for("http") == 0
    for reader in readers:
        reader.close()
    await until(narrow, lambda held: held == 0)
    place.close()


async def slow_reader(server: RunningServer) -> Peer:
    """Return a connection of which the kernel takes little before it is read."""
    reading = socket.socket()
    reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    reading.setblocking(False)
    await asyncio.get_running_loop().sock_connect(reading, ("127.0.0.1", urlsplit(server.http_url).port))
    return Peer(*await asyncio.open_connection(sock=reading, limit=65_536))


async def test_lists_over_http_are_cut_by_bytes(
    narrow: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ANSWER_BYTES_MAX", 100_000)
    experiments = ExperimentServiceStub(channel)
    tags = [runs_pb2.Tag(key=f"t{number}", value="v" * 20_000) for number in range(50)]
    names = [uuid4().hex for _ in range(6)]
    for name in names:
        await experiments.CreateExperiment(runs_pb2.CreateExperimentRequest(name=name, tags=tags))
    place = Place(urlsplit(narrow.http_url).port, stop=no_stop)
    found: list[str] = []
    pages, token = 0, ""
    while not pages or token:
        body = json.dumps({"max_results": 100, "page_token": token}).encode()
        answer = await place.ask(
            "POST", "/api/2.0/mlflow/experiments/search", body, content_type="application/json"
        )
        found += [it["name"] for it in answer.json.get("experiments", [])]
        pages, token = pages + 1, answer.json.get("next_page_token", "")
    assert sorted(found) == sorted([*names, "Default"])
    assert pages > 1
    place.close()


async def no_stop() -> None:
    """The fixture stops the server."""
