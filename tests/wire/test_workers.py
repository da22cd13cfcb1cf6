"""Several processes and several servers are one: writers may move between them in mid-run."""

import os
import queue
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from stepwell_api.v1 import ingest_pb2, ingest_pb2_grpc, runs_pb2, series_pb2, series_pb2_grpc
from tests.harness.servers.processes import ServerFailedError, ServerProcess
from tests.wire.test_metrics_page import commit_three_points, figures

StartServer = Callable[..., ServerProcess]
PATIENCE_S = 60.0  # a worker that is started anew, on a busy machine


class MovingWriter:
    """A writer that opens a new connection for each few batches, wherever that leads."""

    def __init__(self, run_id: str) -> None:
        self.run_id, self.writer_id = run_id, uuid4().hex

    def write(self, port: int, until: int, piece: int = 10) -> None:
        """Go on from where the server says, up to a position; what was the last batch is sent again first."""
        messages: queue.SimpleQueue[ingest_pb2.StreamRequest | None] = queue.SimpleQueue()
        run = runs_pb2.RunSpec(run_id=self.run_id, experiment_id=0, name="a run", start_time_ms=1)
        messages.put(ingest_pb2.StreamRequest(open=ingest_pb2.OpenWriter(run=run, writer_id=self.writer_id)))
        with connection(port) as channel:
            answers = ingest_pb2_grpc.IngestServiceStub(channel).Stream(iter(messages.get, None))
            position = next(answers).opened.committed_position
            messages.put(batch_message(max(0, position - piece), piece, new_keys=["loss"]))
            if position:
                assert next(answers).resume.committed_position == position
            for first in range(max(position, piece), until, piece):
                messages.put(batch_message(first, piece))
            messages.put(None)
            assert max(answer.committed.position for answer in answers) == until


def batch_message(first: int, count: int, **fields: Any) -> ingest_pb2.StreamRequest:
    steps = range(first, first + count)
    points = ingest_pb2.Points(
        key=[0], count=[count], step=steps, timestamp_ms=steps, value=[step / 2 for step in steps]
    )
    batch = ingest_pb2.Batch(first_position=first, end_position=first + count, points=points, **fields)
    return ingest_pb2.StreamRequest(batch=batch)


def connection(port: int) -> grpc.Channel:
    """A connection of its own: gRPC would share one among channels otherwise."""
    return grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])


def steps_of(port: int, run_id: str) -> list[int]:
    with connection(port) as channel:
        name = series_pb2.SeriesName(run_id=run_id, key="loss")
        request = series_pb2.GetHistoryRequest(series=[name])
        return [
            step
            for answer in series_pb2_grpc.SeriesServiceStub(channel).GetHistory(request)
            for piece in answer.series
            for step in piece.step
        ]


def workers_of(server: ServerProcess) -> list[int]:
    return [int(event["process"]) for event in server.events("worker ready")]


def runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_writers_move_between_workers_in_mid_run(database_url: str, start_server: StartServer) -> None:
    server = start_server(
        "--store", database_url, "--workers", "2", "--log-level", "debug", "--metrics-port", "0"
    )
    writers = [MovingWriter(uuid4().hex) for _ in range(3)]
    for until in range(50, 600, 50):
        for writer in writers:
            writer.write(server.port, until)
    for writer in writers:
        assert steps_of(server.port, writer.run_id) == list(range(550))
    assert figures(server)["stepwell_points_committed_total"] == 3 * 550
    assert server.terminate() == 0
    assert {event["worker"] for event in server.events("call")} == {1, 2}


def test_a_killed_worker_loses_nothing_and_comes_back(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--workers", "2")
    writer = MovingWriter(uuid4().hex)
    writer.write(server.port, 50)
    first, second = workers_of(server)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(workers_of(server)) == 3)
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: len(workers_of(server)) == 4)
    writer.write(server.port, 100)
    assert steps_of(server.port, writer.run_id) == list(range(100))
    assert [event["code"] for event in server.events("worker ended; it is started again")] == [-9, -9]
    assert server.terminate() == 0
    assert not any(map(runs, workers_of(server)))


def test_workers_end_with_their_parent(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--workers", "2")
    workers = workers_of(server)
    server.kill()
    wait_until(lambda: not any(map(runs, workers)))


def test_the_parent_owns_the_embedded_postgresql(tmp_path: Path, start_server: StartServer) -> None:
    server = start_server("--data", str(tmp_path / "data"), "--workers", "2")
    commit_three_points(server)
    assert server.terminate() == 0
    again = start_server("--data", str(tmp_path / "data"))
    assert "left its PostgreSQL behind" not in again.log()


def test_a_port_of_workers_is_taken_for_others(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--workers", "2")
    for more in ([], ["--workers", "2"]):
        with pytest.raises(ServerFailedError, match="Address already in use"):
            start_server("--store", database_url, "--grpc-port", str(server.port), *more)


def test_a_store_that_is_away_is_told_once(start_server: StartServer) -> None:
    with pytest.raises(ServerFailedError, match="cannot be reached"):
        start_server("--store", "postgresql://me:secret@127.0.0.1:1/runs", "--workers", "2")


def test_writers_move_between_servers_that_share_a_database(
    database_url: str, start_server: StartServer
) -> None:
    servers = [start_server("--store", database_url) for _ in range(2)]
    writers = [MovingWriter(uuid4().hex) for _ in range(2)]
    for turn, until in enumerate(range(50, 450, 50)):
        for number, writer in enumerate(writers):
            writer.write(servers[(turn + number) % 2].port, until)
    servers[0].kill()
    writers[0].write(servers[1].port, 450)
    assert steps_of(servers[1].port, writers[0].run_id) == list(range(450))
    assert steps_of(servers[1].port, writers[1].run_id) == list(range(400))
