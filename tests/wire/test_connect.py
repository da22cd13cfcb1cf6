"""The Connect protocol by raw HTTP: the same services, errors and streams as over gRPC."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

from stepwell_api.v1 import ingest_pb2, runs_pb2, search_pb2, series_pb2
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_server.app import RunningServer
from stepwell_server.config import RECEIVE_BYTES_MAX
from stepwell_server.process import telemetry
from tests.harness.network.raw_http import Peer, Place, head
from tests.harness.servers.processes import ServerProcess

EXPERIMENTS, RUNS = "/stepwell_api.v1.ExperimentService", "/stepwell_api.v1.RunService"
SERIES = "/stepwell_api.v1.SeriesService"
UNARY, STREAM = "application/proto", "application/connect+proto"


@pytest.fixture
async def place(server: RunningServer) -> AsyncIterator[Place]:
    opened = at(server.http_url)
    yield opened
    opened.close()


def at(url: str) -> Place:
    async def nothing() -> None:
        pass

    return Place(int(url.rsplit(":", 1)[1]), nothing)


async def ask(place: Place, path: str, request: Message, **headers: str) -> Any:
    return await place.ask("POST", path, request.SerializeToString(), content_type=UNARY, **headers)


def enveloped(request: Message, flags: int = 0) -> bytes:
    data = request.SerializeToString()
    return bytes([flags]) + len(data).to_bytes(4, "big") + data


async def open_stream(place: Place, path: str, request: Message, **headers: str) -> Peer:
    peer = await place.connect()
    body = enveloped(request)
    await peer.send(head("POST", path, body, content_type=STREAM, **headers) + body)
    return peer


def messages(body: bytes) -> list[tuple[int, bytes]]:
    """Take a stream's body apart: flags and data of each envelope."""
    found = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        found.append((body[0], body[5 : 5 + size]))
        body = body[5 + size :]
    return found


async def test_a_call(place: Place, channel: grpc.aio.Channel) -> None:
    created = await ask(
        place, f"{EXPERIMENTS}/CreateExperiment", runs_pb2.CreateExperimentRequest(name="by HTTP")
    )
    assert (created.status, created.headers["content-type"]) == (200, UNARY)
    experiment = runs_pb2.CreateExperimentResponse.FromString(created.body).experiment
    request = runs_pb2.GetExperimentRequest(experiment_id=experiment.experiment_id)
    over_grpc = await ExperimentServiceStub(channel).GetExperiment(request)
    assert over_grpc.experiment == experiment


async def test_an_error_is_that_of_grpc(place: Place) -> None:
    answer = await ask(place, f"{RUNS}/GetRun", runs_pb2.GetRunRequest(run_id="x" * 32))
    assert answer.status == 400
    assert answer.json["code"] == "invalid_argument"
    assert "run_id has to be 32" in answer.json["message"]
    assert answer.headers["trailer-stepwell-error-code"] == "INVALID_PARAMETER_VALUE"
    answer = await ask(place, f"{RUNS}/GetRun", runs_pb2.GetRunRequest(run_id=uuid4().hex))
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert answer.headers["trailer-stepwell-error-code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_a_stream(place: Place, run_id: str) -> None:
    request = series_pb2.GetHistoryRequest(series=[series_pb2.SeriesName(run_id=run_id, key="loss")])
    answer = await (await open_stream(place, f"{SERIES}/GetHistory", request)).answer()
    (flags, data), (end_flags, end) = messages(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (200, STREAM)
    assert (flags, end_flags, json.loads(end)) == (0, 2, {})
    assert list(series_pb2.GetHistoryResponse.FromString(data).series[0].step) == [1, 2, 3]


async def test_an_error_of_a_stream_comes_at_its_end(place: Place) -> None:
    request = series_pb2.GetHistoryRequest(series=[series_pb2.SeriesName(run_id=uuid4().hex, key="loss")])
    answer = await (await open_stream(place, f"{SERIES}/GetHistory", request)).answer()
    ((flags, end),) = messages(answer.body)
    told = json.loads(end)
    assert (answer.status, flags, told["error"]["code"]) == (200, 2, "not_found")
    assert told["metadata"] == {"stepwell-error-code": ["RESOURCE_DOES_NOT_EXIST"]}


async def test_a_stream_goes_on_until_the_client_leaves(place: Place, run_id: str) -> None:
    peer = await watch(place, run_id)
    before = calls("Watch", "CANCELLED")  # by other tests of this process
    peer.close()
    await until(lambda: calls("Watch", "CANCELLED") == before + 1)


async def test_a_deadline_ends_a_stream(place: Place, run_id: str) -> None:
    peer = await watch(place, run_id, connect_timeout_ms="300")
    ended = json.loads((await envelope(peer))[1])
    assert ended["error"]["code"] == "deadline_exceeded"


async def test_a_client_that_leaves_ends_its_call(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def get(*_: object) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setattr("stepwell_server.services.runs.RunService.get", get)
    peer = await place.connect()
    body = runs_pb2.GetRunRequest(run_id=uuid4().hex).SerializeToString()
    await peer.send(head("POST", f"{RUNS}/GetRun", body, content_type=UNARY) + body)
    await entered.wait()
    assert not cancelled.is_set()
    peer.close()
    await asyncio.wait_for(cancelled.wait(), 30)
    entered.clear()
    cancelled.clear()
    answer = await ask(
        place, f"{RUNS}/GetRun", runs_pb2.GetRunRequest(run_id=uuid4().hex), connect_timeout_ms="100"
    )
    assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")
    assert cancelled.is_set()


async def test_a_stop_ends_streams(server_process: ServerProcess) -> None:
    place = at(server_process.url)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server_process.port}") as channel:
        peer = await watch(place, await three_points(channel))
    server_process.signal(signal.SIGTERM)
    flags, end = await envelope(peer)
    assert (flags, json.loads(end)["error"]["code"]) == (2, "unavailable")
    assert await asyncio.to_thread(server_process.wait) == 0
    place.close()


async def test_what_fails_by_surprise_tells_no_secrets(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr("stepwell_server.services.runs.RunService.get", broken)
    answer = await ask(place, f"{RUNS}/GetRun", runs_pb2.GetRunRequest(run_id=uuid4().hex))
    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert "secret" not in answer.json["message"]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (f"{RUNS}/GetRun", "application/json"),
        (f"{RUNS}/GetRun", "text/plain"),
        (f"{RUNS}/GetRun", "application/grpc"),
        (f"{RUNS}/GetRun", "application/grpc-web+proto"),
        (f"{RUNS}/GetRun", STREAM),
        (f"{SERIES}/GetHistory", UNARY),
        (f"{SERIES}/GetHistory", ""),
    ],
)
async def test_other_content_types_are_refused(place: Place, path: str, content_type: str) -> None:
    answer = await place.ask("POST", path, b"", content_type=content_type)
    assert (answer.status, answer.json["error_code"]) == (415, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stepwell_api.v1.IngestService/Stream", 404),
        ("/stepwell_api.v1.ArtifactService/Upload", 404),
        ("/stepwell_api.v1.RunService/Nothing", 404),
        ("/grpc.health.v1.Health/Check", 404),
    ],
)
async def test_what_connect_does_not_carry(place: Place, path: str, status: int) -> None:
    assert (await place.ask("POST", path, b"", content_type=UNARY)).status == status


async def test_only_post(place: Place) -> None:
    assert (
        await place.ask("GET", f"{RUNS}/GetRun?encoding=proto&message=", content_type=UNARY)
    ).status == 405


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"\xff\xff\xff", {}, "invalid_argument"),
        (bytes(RECEIVE_BYTES_MAX + 1), {}, "resource_exhausted"),
        (bytes(20 * 2**20), {}, "resource_exhausted"),
        (b"", {"connect_timeout_ms": "soon"}, "invalid_argument"),
        (b"", {"content_encoding": "gzip"}, "unimplemented"),
        (b"", {"x_name": "caf\u00e9"}, "invalid_argument"),
    ],
)
async def test_bad_requests(place: Place, body: bytes, headers: dict[str, str], code: str) -> None:
    answer = await place.ask("POST", f"{RUNS}/GetRun", body, content_type=UNARY, **headers)
    assert answer.json["code"] == code
    assert 400 <= answer.status < 600
    assert answer.status != 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x00\x09abc",
        b"\x01\x00\x00\x00\x00",
        b"\x00\xff\xff\xff\xff",
        b"\x80\x00\x00\x00\x00",
        b"\x00\x00\x00\x00\x00" * 2,
        b"\x00\x00\x00\x00\x02\xff\xff",
    ],
)
async def test_bad_envelopes(place: Place, body: bytes) -> None:
    answer = await place.ask("POST", f"{SERIES}/GetHistory", body, content_type=STREAM)
    (flags, end) = messages(answer.body)[-1]
    assert (answer.status, flags) == (200, 2)
    assert json.loads(end)["error"]["code"] in (
        "invalid_argument", "internal", "resource_exhausted", "unimplemented"
    )  # fmt: skip


async def test_a_whole_trip(place: Place) -> None:
    """Create, search, delete: what a page does."""
    experiment = runs_pb2.CreateExperimentResponse.FromString(
        (
            await ask(place, f"{EXPERIMENTS}/CreateExperiment", runs_pb2.CreateExperimentRequest(name="trip"))
        ).body
    ).experiment
    spec = runs_pb2.RunSpec(
        run_id=uuid4().hex, experiment_id=experiment.experiment_id, name="a run", start_time_ms=1
    )
    assert (await ask(place, f"{RUNS}/CreateRun", runs_pb2.CreateRunRequest(spec=spec))).status == 200
    request = search_pb2.SearchRunsRequest(experiment_ids=[experiment.experiment_id])
    answer = await ask(place, "/stepwell_api.v1.SearchService/SearchRuns", request)
    (run,) = search_pb2.SearchRunsResponse.FromString(answer.body).runs
    assert run.info.run_id == spec.run_id


@pytest.fixture
async def run_id(channel: grpc.aio.Channel) -> str:
    return await three_points(channel)


async def three_points(channel: grpc.aio.Channel) -> str:
    """Make a run with three points of `loss`."""
    run = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0, name="a run", start_time_ms=1)
    points = ingest_pb2.Points(key=[0], count=[3], step=[1, 2, 3], timestamp_ms=[1, 2, 3], value=[1, 2, 3])
    call = IngestServiceStub(channel).Stream()
    opening = ingest_pb2.OpenWriter(run=run, writer_id=uuid4().hex)
    await call.write(ingest_pb2.StreamRequest(open=opening))
    batch = ingest_pb2.Batch(end_position=3, new_keys=["loss"], points=points)
    await call.write(ingest_pb2.StreamRequest(batch=batch))
    await call.done_writing()
    assert [answer async for answer in call][-1].committed.points == 3
    return run.run_id


async def watch(place: Place, run_id: str, **headers: str) -> Peer:
    """Open a stream that goes on, and read what is there."""
    request = series_pb2.WatchRequest(run_ids=[run_id], keys=["loss"], start=series_pb2.WATCH_START_BEGINNING)
    peer = await open_stream(place, f"{SERIES}/Watch", request, **headers)
    await peer.reader.readuntil(b"\r\n\r\n")
    await envelope(peer)  # from where it watches
    flags, data = await envelope(peer)
    assert flags == 0
    assert list(series_pb2.WatchResponse.FromString(data).series[0].points.step) == [1, 2, 3]
    return peer


async def envelope(peer: Peer) -> tuple[int, bytes]:
    """Read one chunk, which holds one envelope."""
    async with asyncio.timeout(30):
        size = int(await peer.reader.readuntil(b"\r\n"), 16)
        (found,) = messages((await peer.reader.readexactly(size + 2))[:-2])
        return found


def calls(method: str, status: str) -> float:
    """How many calls of SeriesService ended so."""
    return telemetry.CALLS.labels(f"{SERIES}/{method}", status)._value.get()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)
