"""What operators see: the page for Prometheus, and the caller's trace in the log."""

import re
import socket
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import psutil
import pytest
from prometheus_client import REGISTRY

from stepwell_api.v1 import ingest_pb2, ingest_pb2_grpc, runs_pb2, runs_pb2_grpc
from stepwell_server.process import telemetry
from stepwell_server.web.metrics import THREADS_MAX
from tests.faults.patience import until
from tests.harness.servers.processes import ServerFailedError, ServerProcess

StartServer = Callable[..., ServerProcess]

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def page_url(server: ServerProcess) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/metrics", server.log())
    assert found
    return found[0]


def figures(server: ServerProcess) -> dict[str, float]:
    with urllib.request.urlopen(page_url(server)) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def commit_three_points(server: ServerProcess, metadata: list[tuple[str, str]] | None = None) -> None:
    run = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0, name="a run", start_time_ms=1)
    opening = ingest_pb2.OpenWriter(run=run, writer_id=uuid4().hex)
    points = ingest_pb2.Points(key=[0], count=[3], step=[1, 2, 3], timestamp_ms=[1, 2, 3], value=[1, 2, 3])
    batch = ingest_pb2.Batch(end_position=3, new_keys=["loss"], points=points)
    messages = [ingest_pb2.StreamRequest(open=opening), ingest_pb2.StreamRequest(batch=batch)]
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        answers = list(ingest_pb2_grpc.IngestServiceStub(channel).Stream(iter(messages), metadata=metadata))
    assert answers[-1].committed.points == 3


def test_the_page_counts_what_was_committed(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--metrics-port", "0")
    commit_three_points(server)
    found = figures(server)
    assert found["stepwell_points_committed_total"] == 3
    assert found["stepwell_batch_points_count"] == 1
    assert found["stepwell_chunks_committed_total"] == 1
    assert found["stepwell_commit_lag_seconds_count"] == 1
    assert (
        found["stepwell_queue_bytes"]
        == found["stepwell_queue_batches"]
        == found["stepwell_streams_open"]
        == 0
    )
    call = '{method="/stepwell_api.v1.IngestService/Stream",status="OK"}'
    assert found[f"stepwell_calls_total{call}"] == 1
    assert server.terminate() == 0


def test_every_figure_is_explained() -> None:
    text = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")
    assert telemetry.CALLS
    for family in REGISTRY.collect():
        if family.name.startswith("stepwell_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            assert f"| `{name}` | {family.type} |" in text


def test_a_taken_port_is_refused(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--metrics-port", "0")
    port = page_url(server).split(":")[2].partition("/")[0]
    with pytest.raises(ServerFailedError) as caught:
        start_server("--store", database_url, "--metrics-port", port)
    assert caught.value.exit_code == 1
    assert "--metrics-port" in caught.value.log


def test_a_trace_is_on_the_lines_of_its_call(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--log-level", "debug")
    commit_three_points(server, [("traceparent", f"00-{TRACE}-{SPAN}-01")])
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError):
        runs_pb2_grpc.RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(run_id=uuid4().hex))
    server.terminate()
    ingest, read = sorted(server.events("call"), key=lambda call: call["method"])
    assert (ingest["trace_id"], ingest["span_id"], ingest["status"]) == (TRACE, SPAN, "OK")
    assert "trace_id" not in read
    assert read["status"] == "NOT_FOUND"


def test_slow_readers_of_the_page_take_no_thread_each(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--metrics-port", "0")
    port = urlsplit(page_url(server)).port
    process = psutil.Process(server.process.pid)
    before = process.num_threads()
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert process.num_threads() <= before + THREADS_MAX
    # Those that wait still may be served first.
    until(lambda: answers(server), "the page")


def answers(server: ServerProcess) -> bool:
    """Whether the page can be read."""
    try:
        return figures(server)["process_open_fds"] > 0
    except (OSError, HTTPException):
        return False
