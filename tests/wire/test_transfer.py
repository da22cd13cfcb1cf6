"""Runs out and in: exports and imports keep every point, once, however often they are repeated."""

import json
import math
import sqlite3
import struct
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient
from stepwell.commands.export import export
from stepwell.commands.imports import imports
from stepwell.transfer import bulk
from tests.harness.processes import ServerProcess

Points = list[tuple[int, int, float]]


@pytest.fixture
def client(server_process: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> StepwellClient:
    """A client of a server of the test's own, to which is imported."""
    monkeypatch.setenv("STEPWELL_TRACKING_URI", server_process.tracking_uri)
    monkeypatch.setattr(bulk, "MESSAGE_POINTS_MAX", 7)
    return StepwellClient()


def run_import(*arguments: str) -> str:
    result = CliRunner().invoke(imports, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def points_of(run_id: str, key: str) -> Points:
    (series,) = stepwell.get_metric_series(run_id, key)
    return list(zip(series.steps.tolist(), series.timestamps.tolist(), series.values.tolist(), strict=True))


def same(found: Points, expected: Points) -> bool:
    return [repr(point) for point in found] == [
        repr(point) for point in sorted(expected, key=lambda p: p[:2])
    ]


def test_an_export_comes_back_whole_and_once(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    experiment_id = source.create_experiment(f"exported {uuid.uuid4().hex}")
    run_id = source.create_run(experiment_id, run_name="first", start_time=5).info.run_id
    expected = [(step * 3 - 50, 1_000 + step, step / 7) for step in range(100)]
    expected += [(500, 2_000, math.nan), (501, 2_000, math.inf)]
    for step, time, value in expected:
        source.log_metric(run_id, "loss", value, timestamp=time, step=step)
    source.log_metric(run_id, "a/b c", 1.5, timestamp=1, step=2**62)
    source.log_param(run_id, "lr", 0.1)
    source.set_tag(run_id, "colour", "blue")
    source.set_terminated(run_id, "FAILED", end_time=77)
    empty = source.create_run(experiment_id).info.run_id

    folder = str(tmp_path / "out")
    arguments = [folder, "--tracking-uri", shared_server.tracking_uri, "--run-id", run_id, "--run-id", empty]
    result = CliRunner().invoke(export, arguments, catch_exceptions=False)
    assert "2 runs, 2 series, 103 points" in result.output
    assert "is not empty" in CliRunner().invoke(export, arguments).output

    assert "2 runs, 103 new points, 0 entries refused" in run_import("export", folder)
    assert "2 runs, 0 new points" in run_import("export", folder)
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time) == (
        "first",
        "FAILED",
        5,
        77,
    )
    assert run.data.params == {"lr": "0.1"}
    assert run.data.tags["colour"] == "blue"
    assert same(points_of(run_id, "loss"), expected)
    assert points_of(run_id, "a/b c") == [(2**62, 1, 1.5)]
    assert client.get_run(empty).data.metrics == {}


MLFLOW_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                   user_id TEXT, experiment_id INTEGER, lifecycle_stage TEXT);
CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
"""


def test_a_database_of_mlflow_and_what_it_gets_later(client: StepwellClient, tmp_path: Path) -> None:
    run_id, deleted = uuid.uuid4().hex, uuid.uuid4().hex
    database = sqlite3.connect(tmp_path / "mlflow.db")
    database.executescript(MLFLOW_TABLES)
    database.execute("INSERT INTO experiments VALUES (3, 'cats')")
    for name, stage in ((run_id, "active"), (deleted, "deleted")):
        database.execute(
            "INSERT INTO runs VALUES (?, 'a run', 'FINISHED', 10, 20, 'ada', 3, ?)", (name, stage)
        )
    database.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", (run_id,))
    database.execute("INSERT INTO tags VALUES ('mlflow.runName', 'a run', ?)", (run_id,))
    points = [("loss", step, 100 + step, step / 3) for step in range(30)] + [
        ("acc", 0, 100, 0.5),
        ("zeta", 0, 101, 0.5),
    ]
    special = [("loss", 30, 130, 0.0, 1), ("loss", 31, 131, 1.7976931348623157e308, 0)]
    rows = [(key, value, time, run_id, step, 0) for key, step, time, value in points]
    rows += [(key, value, time, run_id, step, nan) for key, step, time, value, nan in special]
    database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.commit()
    location = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert "1 runs, 34 new points, 0 entries refused" in run_import("mlflow", location)
    assert "1 runs, 0 new points" in run_import("mlflow", location)
    database.execute("INSERT INTO metrics VALUES ('loss', 9, 200, ?, 40, 0)", (run_id,))
    database.execute("INSERT INTO tags VALUES ('later', 'x', ?)", (run_id,))
    database.commit()
    database.close()
    assert "1 runs, 1 new points" in run_import("mlflow", location)
    expected = [(step, 100 + step, step / 3) for step in range(30)]
    expected += [(30, 130, math.nan), (31, 131, math.inf), (40, 200, 9.0)]
    assert same(points_of(run_id, "loss"), expected)
    run = client.get_run(run_id)
    assert client.get_experiment(run.info.experiment_id).name == "cats"
    assert (run.info.status, run.info.end_time, run.data.tags["later"]) == ("FINISHED", 20, "x")


def test_a_folder_of_mlflow(client: StepwellClient, tmp_path: Path) -> None:
    run_id = uuid.uuid4().hex
    folder = tmp_path / "mlruns" / "7" / run_id
    (folder / "metrics" / "eval").mkdir(parents=True)
    (folder / "params").mkdir()
    (folder.parent / "meta.yaml").write_text("name: dogs\nexperiment_id: '7'\n")
    (folder / "meta.yaml").write_text(
        f"run_id: {run_id}\nrun_name: second\nstatus: 4\nstart_time: 10\nend_time: null\nlifecycle_stage: active\n"
    )
    (folder / "metrics" / "loss").write_text("100 0.5 1\n101 nan 2\n")
    (folder / "metrics" / "eval" / "acc").write_text("90 0.75 0\n")
    (folder / "params" / "lr").write_text("0.1")
    assert "1 runs, 3 new points" in run_import("mlflow", str(tmp_path / "mlruns"))
    (folder / "metrics" / "late").write_text("200 1.0 5\n")
    (folder / "metrics" / "loss").write_text("100 0.5 1\n101 nan 2\n201 0.25 3\n")
    assert "1 runs, 2 new points" in run_import("mlflow", str(tmp_path / "mlruns"))
    assert same(points_of(run_id, "loss"), [(1, 100, 0.5), (2, 101, math.nan), (3, 201, 0.25)])
    assert points_of(run_id, "eval/acc") == [(0, 90, 0.75)]
    assert client.get_run(run_id).info.status == "FAILED"


@pytest.fixture
def mlflow_server() -> Iterator[tuple[str, str]]:
    """Answers as MLflow's server does, one run of one metric, in pages."""
    run_id = uuid.uuid4().hex
    history = [
        {"key": "loss", "value": step / 3, "timestamp": str(100 + step), "step": str(step)}
        for step in range(5)
    ]
    run = {
        "info": {
            "run_id": run_id,
            "run_name": "remote",
            "status": "RUNNING",
            "start_time": "10",
            "user_id": "ada",
        },
        "data": {"metrics": [{"key": "loss"}], "params": [{"key": "lr", "value": "1"}], "tags": []},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("experiments/search"):
                return self.say({"experiments": [{"experiment_id": "3", "name": "birds"}]})
            return self.say({"runs": [run]})

        def do_GET(self) -> None:
            token = parse_qs(urlsplit(self.path).query).get("page_token")
            self.say(
                {"metrics": history[3:]} if token else {"metrics": history[:3], "next_page_token": "more"}
            )

        def say(self, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", run_id
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_of_mlflow(client: StepwellClient, mlflow_server: tuple[str, str]) -> None:
    location, run_id = mlflow_server
    assert "1 runs, 5 new points" in run_import("mlflow", location)
    assert "1 runs, 0 new points" in run_import("mlflow", location)
    assert points_of(run_id, "loss") == [(step, 100 + step, step / 3) for step in range(5)]
    assert client.get_run(run_id).info.status == "RUNNING"


def event(step: int, value: bytes, time_s: float = 12.5) -> bytes:
    """A record of an event file."""
    summary = b"\x0a" + bytes([len(value)]) + value
    message = (
        b"\x09"
        + struct.pack("<d", time_s)
        + b"\x10"
        + bytes([step])
        + b"\x2a"
        + bytes([len(summary)])
        + summary
    )
    return struct.pack("<Q", len(message)) + b"\0\0\0\0" + message + b"\0\0\0\0"


def scalar(tag: str, value: float) -> bytes:
    return b"\x0a" + bytes([len(tag)]) + tag.encode() + b"\x15" + struct.pack("<f", value)


def tensor(tag: str, value: float) -> bytes:
    content = b"\x08\x01" + b"\x22\x04" + struct.pack("<f", value)
    return b"\x0a" + bytes([len(tag)]) + tag.encode() + b"\x42" + bytes([len(content)]) + content


def test_event_files_of_tensorboard(client: StepwellClient, tmp_path: Path) -> None:
    train = tmp_path / "logs" / "train"
    train.mkdir(parents=True)
    file = train / "events.out.tfevents.1.host"
    whole = event(1, scalar("loss", 0.5)) + event(2, tensor("loss", 0.25)) + event(3, scalar("acc", math.inf))
    file.write_bytes(whole + event(4, scalar("loss", 0.125))[:-6])  # the last record is not finished
    assert "1 runs, 3 new points" in run_import("tensorboard", str(tmp_path / "logs"), "--experiment", "tb")
    file.write_bytes(whole + event(4, scalar("loss", 0.125)))
    assert "1 runs, 1 new points" in run_import("tensorboard", str(tmp_path / "logs"), "--experiment", "tb")
    run_id = uuid.uuid5(importing_namespace(), "run tensorboard tb train").hex
    assert client.get_run(run_id).info.run_name == "train"
    assert points_of(run_id, "loss") == [(1, 12_500, 0.5), (2, 12_500, 0.25), (4, 12_500, 0.125)]
    assert points_of(run_id, "acc") == [(3, 12_500, math.inf)]


def importing_namespace() -> uuid.UUID:
    from stepwell.transfer.importing import NAMESPACE

    return NAMESPACE


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path / "nothing.db")]).output
    assert "no runs.parquet" in CliRunner().invoke(imports, ["export", str(tmp_path)]).output
