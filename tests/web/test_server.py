"""The HTTP door of real servers: one process and several, their start and their stop."""

import asyncio
import re
import signal
import socket
from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import pytest

from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from tests.harness.network.raw_http import Place, head
from tests.harness.servers.processes import ServerFailedError, ServerProcess
from tests.harness.store.databases import blocked_table

StartServer = Callable[..., ServerProcess]
GET_RUN = "/stepwell_api.v1.RunService/GetRun"
CREATE = "/stepwell_api.v1.ExperimentService/CreateExperiment"


def at(server: ServerProcess) -> Place:
    async def stop() -> None:
        await asyncio.to_thread(server.terminate)

    return Place(urlsplit(server.url).port, stop)


async def test_what_is_where(server_process: ServerProcess) -> None:
    place = at(server_process)
    assert server_process.url in (await place.ask("GET", "/", host=f"127.0.0.1:{place.port}")).body.decode()
    assert (await place.ask("GET", "/health")).body == b"OK"
    version = (await place.ask("GET", "/version")).body.decode()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    told = (await place.ask("GET", "/api/stepwell/v1/server")).json
    assert told["version"] == version
    assert told["grpc"] == {"address": f"127.0.0.1:{server_process.port}", "tls": False}
    assert told["features"]["connect"] is True
    figures = (await place.ask("GET", "/metrics")).body.decode()
    assert "# TYPE stepwell_points_committed_total counter" in figures


async def test_requests_are_counted_and_traced(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--log-level", "debug")
    place = at(server)
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    await place.ask("GET", "/version", traceparent=trace)
    await place.ask("POST", "/version", host="localhost")
    await place.ask("GET", f"/nothing/{uuid4().hex}")
    figures = (await place.ask("GET", "/metrics")).body.decode()
    for method, route, status in (("GET", "/version", 200), ("POST", "/version", 405), ("GET", "none", 404)):
        counted = f'stepwell_http_requests_total{{method="{method}",route="{route}",status="{status}"}} 1.0'
        assert counted in figures
    assert 'stepwell_http_request_seconds_count{route="/version"} 2.0' in figures
    server.terminate()
    lines = server.events("request")
    assert [line.get("trace_id") for line in lines[:2]] == ["a" * 32, None]
    assert (lines[0]["path"], lines[0]["status"]) == ("/version", 200)


async def test_hosts_that_are_named(database_url: str, start_server: StartServer) -> None:
    place = at(start_server("--store", database_url, "--allowed-hosts", "tracker.example.org"))
    for host, status in (
        ("tracker.example.org", 200),
        (socket.gethostname(), 200),
        ("evil.example.com", 403),
    ):
        assert (await place.ask("GET", "/version", host=host)).status == status


async def test_what_clients_are_told_can_be_chosen(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--advertise-grpc", "tracker.example.org:443")
    told = (await at(server).ask("GET", "/api/stepwell/v1/server")).json
    assert told["grpc"]["address"] == "tracker.example.org:443"


def test_without_http(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--no-http")
    assert server.output.startswith(f"Stepwell is ready: grpc://127.0.0.1:{server.port}\n")
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError):
        RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(run_id=uuid4().hex))


@pytest.mark.parametrize("more", [[], ["--workers", "2"]])
def test_a_port_that_is_taken(database_url: str, start_server: StartServer, more: list[str]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        with pytest.raises(ServerFailedError) as caught:
            start_server("--store", database_url, "--http-port", port, *more)
    assert caught.value.exit_code == 1
    (line,) = [line for line in caught.value.log.splitlines() if "Error" in line]
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line
    assert "--port" in line


def test_localhost_has_all_its_addresses(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--http-host", "localhost")
    port = urlsplit(server.url).port
    for family, _, _, _, address in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM):
        with socket.socket(family) as peer:
            peer.settimeout(10)
            peer.connect(address)


async def test_workers_share_the_port(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--workers", "2", "--log-level", "debug")
    place = at(server)
    for number in range(20):
        body = runs_pb2.CreateExperimentRequest(name=f"number {number}").SerializeToString()
        answer = await place.ask("POST", CREATE, body, content_type="application/proto")
        assert answer.status == 200
    # Whichever worker answers, it tells of all.
    counted = f'stepwell_calls_total{{method="{CREATE}",status="OK"}} 20.0'
    for _ in range(4):
        assert counted in (await place.ask("GET", "/metrics")).body.decode()
    assert server.terminate() == 0
    assert {line["worker"] for line in server.events("call") if line["method"] == CREATE} == {1, 2}


@pytest.mark.parametrize("more", [[], ["--workers", "2"]])
async def test_a_stop_finishes_what_was_received(
    database_url: str, start_server: StartServer, more: list[str]
) -> None:
    server = start_server("--store", database_url, *more)
    place = at(server)
    body = runs_pb2.CreateExperimentRequest(name="late").SerializeToString()
    async with blocked_table(database_url, "experiment") as wait_until_blocked:
        busy, idle = await place.connect(), await place.connect()
        await idle.send(head("GET", "/health"))
        await idle.answer()
        await busy.send(head("POST", CREATE, body, content_type="application/proto") + body)
        await wait_until_blocked()
        server.signal(signal.SIGTERM)
        assert await idle.is_closed()
    answer = await busy.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert runs_pb2.CreateExperimentResponse.FromString(answer.body).experiment.name == "late"
    assert await asyncio.to_thread(server.wait) == 0
    place.close()
