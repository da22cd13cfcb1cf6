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

import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient
from stepwell.commands.export import export
from stepwell.commands.imports import imports
from stepwell.transfer import bulk, known_points
from stepwell.transfer.tensorboard import masked_crc32c
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


def run_export(*arguments: str) -> str:
    result = CliRunner().invoke(export, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def artifacts_of(client: StepwellClient, run_id: str, folder: Path) -> dict[str, str]:
    """All artifacts of a run: their content by path."""
    client.download_artifacts(run_id, "", str(folder / run_id))
    files = [path for path in (folder / run_id).rglob("*") if path.is_file()]
    return {path.relative_to(folder / run_id).as_posix(): path.read_text() for path in files}


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
    assert "2 runs, 2 series, 103 points, 0 artifacts" in run_export(*arguments)
    assert "is not empty" in CliRunner().invoke(export, arguments).output

    assert "2 runs, 103 new points, 0 new artifacts, 0 entries refused" in run_import("export", folder)
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


def test_an_export_comes_back_to_where_it_came_from(client: StepwellClient, tmp_path: Path) -> None:
    run_id = client.create_run("0").info.run_id
    points = [(step, 100 - step, step % 3 / 7) for step in range(50)] + [(7, 1, math.nan), (7, 1, math.nan)]
    for step, time, value in points:
        client.log_metric(run_id, "loss", value, timestamp=time, step=step)
        client.log_metric(run_id, "acc", 1.0, timestamp=time, step=0)
    client.flush()
    run_export(str(tmp_path / "first"), "--run-id", run_id)
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "first"))
    client.log_metric(run_id, "acc", 2.0, timestamp=5, step=-1)
    client.flush()
    run_export(str(tmp_path / "second"), "--run-id", run_id)
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "first"))
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "second"))
    assert same(points_of(run_id, "loss"), points)
    assert len(points_of(run_id, "acc")) == len(points) + 1
    (tmp_path / "second" / "tags.parquet").unlink()
    refused = CliRunner().invoke(imports, ["export", str(tmp_path / "second")])
    assert refused.exit_code == 1
    assert "tags.parquet" in refused.output


def test_a_run_that_is_too_large_to_compare_is_refused(
    client: StepwellClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.create_run("0").info.run_id
    for step in range(3):
        client.log_metric(run_id, "loss", 1.0, timestamp=1, step=step)
        client.log_metric(run_id, "accuracy", 1.0, timestamp=1, step=step)
    client.flush()
    run_export(str(tmp_path / "out"), "--run-id", run_id)
    monkeypatch.setattr(known_points, "KNOWN_POINTS_MAX", 6)
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "out"))
    monkeypatch.setattr(known_points, "KNOWN_POINTS_MAX", 5)
    refused = CliRunner().invoke(imports, ["export", str(tmp_path / "out")])
    assert refused.exit_code == 1
    assert f"Run {run_id} has 6 points here" in refused.output
    assert len(points_of(run_id, "loss")) == 3


def test_a_run_that_grew_is_imported_again(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    run_id = source.create_run("0").info.run_id
    uri = ("--tracking-uri", shared_server.tracking_uri)
    expected: dict[str, Points] = {"a": [], "b": []}
    for number, steps in enumerate((range(10), (-4, 3, 3, 12))):
        for key, points in expected.items():
            for step in steps:
                points.append((step, 5 - number, step / 4))
                source.log_metric(run_id, key, step / 4, timestamp=5 - number, step=step)
        folder = str(tmp_path / f"export {number}")
        source.flush()
        run_export(folder, "--run-id", run_id, *uri)
        assert f"1 runs, {(20, 8)[number]} new points" in run_import("export", folder)
    for key, points in expected.items():
        assert same(points_of(run_id, key), points)


def test_experiments_and_searches_are_exported_with_their_artifacts(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    names = [f"exported {uuid.uuid4().hex}" for _ in range(2)]
    ids = [source.create_experiment(name, tags={"team": "blue"}) for name in names]
    runs = [source.create_run(one, start_time=5).info.run_id for one in ids for _ in range(2)]
    for number, run_id in enumerate(runs):
        source.log_metric(run_id, "loss", number, step=number)
    source.log_text(runs[0], "of the first", "notes/a b.txt")
    source.log_text(runs[3], "of the last", "model.bin")

    def exported(name: str, *arguments: str) -> dict[str, object]:
        uri = ("--tracking-uri", shared_server.tracking_uri, "--json")
        return json.loads(run_export(str(tmp_path / name), *uri, *arguments))

    assert exported("one", "--experiment-name", names[0])["runs"] == 2
    assert exported("filtered", "-x", ids[0], "-x", ids[1], "--filter", "metrics.loss > 1.5")["runs"] == 2
    assert exported("nothing", "-x", ids[0], "--filter", "metrics.loss > 99")["points"] == 0
    assert not (tmp_path / "one" / "artifacts").exists()
    whole = exported("both", "-x", ids[0], "-n", names[1], "--with-artifacts")
    assert whole == {
        "runs": 4, "series": 4, "points": 4, "artifacts": 2, "folder": str(tmp_path / "both")
    }  # fmt: skip
    listed = parquet.read_table(tmp_path / "both" / "artifacts.parquet").to_pylist()
    assert {(row["run_id"], row["path"], row["size"]) for row in listed} == {
        (runs[0], "notes/a b.txt", 12),
        (runs[3], "model.bin", 11),
    }

    report = json.loads(run_import("export", str(tmp_path / "both"), "--json"))
    assert (report["runs"], report["points"], report["artifacts"], report["rejected"]) == (4, 4, 2, 0)
    assert "4 runs, 0 new points, 0 new artifacts" in run_import("export", str(tmp_path / "both"))
    assert artifacts_of(client, runs[0], tmp_path / "back") == {"notes/a b.txt": "of the first"}
    assert artifacts_of(client, runs[3], tmp_path / "back") == {"model.bin": "of the last"}
    found = client.get_experiment_by_name(names[1])
    assert found is not None
    assert found.tags == {"team": "blue"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give --run-id, or one of"),
        (["--run-id", "0" * 32, "--all-experiments"], "Give --run-id, or one of"),
        (["--run-id", "0" * 32, "--filter", "metrics.a > 1"], "--filter chooses among"),
        (["--all-experiments", "-x", "1"], "leaves nothing to choose"),
        (["--experiment-name", "no such"], "There is no experiment 'no such'"),
        (["--run-id", "0" * 32], "there is no run"),
        (["-x", "0", "--filter", "metrics.a >"], "metrics.a >"),
    ],
)
def test_an_export_says_what_it_cannot_choose(
    shared_server: ServerProcess,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    result = CliRunner().invoke(export, [str(tmp_path / "out"), *arguments])
    assert result.exit_code != 0
    assert message in result.output
    assert not (tmp_path / "out").exists()


MLFLOW_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT DEFAULT 'active');
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                   user_id TEXT, experiment_id INTEGER, lifecycle_stage TEXT, artifact_uri TEXT);
CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
"""


def test_a_database_of_mlflow_and_what_it_gets_later(client: StepwellClient, tmp_path: Path) -> None:
    run_id, deleted = uuid.uuid4().hex, uuid.uuid4().hex
    database = sqlite3.connect(tmp_path / "mlflow.db")
    database.executescript(MLFLOW_TABLES)
    database.execute("INSERT INTO experiments (experiment_id, name) VALUES (3, 'cats'), (4, 'no runs')")
    database.execute("INSERT INTO experiment_tags VALUES ('owner', 'ada', 4)")
    artifacts = tmp_path / "files" / "3" / run_id / "artifacts"
    (artifacts / "model").mkdir(parents=True)
    (artifacts / "model" / "weights.txt").write_text("1 2 3")
    for name, stage in ((run_id, "active"), (deleted, "deleted")):
        database.execute(
            "INSERT INTO runs VALUES (?, 'a run', 'FINISHED', 10, 20, 'ada', 3, ?, ?)",
            (name, stage, f"mlflow-artifacts:/3/{name}/artifacts"),
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
    first = run_import("mlflow", location)
    assert "1 runs, 34 new points, 0 new artifacts, 1 entries refused" in first
    assert f"the artifacts are at mlflow-artifacts:/3/{run_id}/artifacts" in first
    served = ("--artifacts", str(tmp_path / "files"))
    assert "1 runs, 0 new points, 1 new artifacts, 0 entries" in run_import("mlflow", location, *served)
    assert "1 runs, 0 new points, 0 new artifacts, 0 entries" in run_import("mlflow", location, *served)
    assert artifacts_of(client, run_id, tmp_path / "back") == {"model/weights.txt": "1 2 3"}
    without_runs = client.get_experiment_by_name("no runs")
    assert without_runs is not None
    assert without_runs.tags == {"owner": "ada"}
    database.execute("INSERT INTO metrics VALUES ('loss', 9, 200, ?, 40, 0)", (run_id,))
    database.execute("INSERT INTO metrics VALUES ('loss', 8, 50, ?, 5, 0)", (run_id,))  # in the past
    database.execute("INSERT INTO tags VALUES ('later', 'x', ?)", (run_id,))
    database.commit()
    database.close()
    assert "1 runs, 2 new points" in run_import("mlflow", location)
    expected = [(step, 100 + step, step / 3) for step in range(30)] + [(5, 50, 8.0)]
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
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "notes.txt").write_text("old")
    assert "1 runs, 3 new points" in run_import("mlflow", str(tmp_path / "mlruns"))
    (folder / "metrics" / "late").write_text("200 1.0 5\n")
    (folder / "metrics" / "loss").write_text("100 0.5 1\n101 nan 2\n201 0.25 3\n")
    (folder / "artifacts" / "notes.txt").write_text("new")  # as long as before
    assert "1 runs, 2 new points, 0 new artifacts" in run_import("mlflow", str(tmp_path / "mlruns"))
    assert artifacts_of(client, run_id, tmp_path / "back") == {"notes.txt": "new"}
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

    listed = {
        False: {"files": [{"path": "model", "is_dir": True}]},
        True: {"files": [{"path": "model/a.txt", "is_dir": False, "file_size": "7"}]},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("experiments/search"):
                return self.say({"experiments": [{"experiment_id": "3", "name": "birds"}]})
            return self.say({"runs": [run]})

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            assert self.headers["Authorization"] == "Basic YWRhOnNlY3JldA=="  # ada:secret
            token = query.get("page_token")
            if "artifacts/list" in self.path:
                return self.say(listed["path" in query])
            if self.path.startswith("/get-artifact"):
                assert query == {"path": ["model/a.txt"], "run_uuid": [run_id]}
                return self.send(b"weights")
            return self.say(
                {"metrics": history[3:]} if token else {"metrics": history[:3], "next_page_token": "more"}
            )

        def say(self, answer: object) -> None:
            self.send(json.dumps(answer).encode())

        def send(self, body: bytes) -> None:
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


def test_a_server_of_mlflow(
    client: StepwellClient,
    mlflow_server: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    location, run_id = mlflow_server
    assert "1 runs, 5 new points, 1 new artifacts" in run_import("mlflow", location)
    assert "1 runs, 0 new points, 0 new artifacts" in run_import("mlflow", location)
    assert artifacts_of(client, run_id, tmp_path / "back") == {"model/a.txt": "weights"}
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
    length = struct.pack("<Q", len(message))
    return length + struct.pack("<I", masked_crc32c(length)) + message + b"\0\0\0\0"


def scalar(tag: str, value: float) -> bytes:
    return b"\x0a" + bytes([len(tag)]) + tag.encode() + b"\x15" + struct.pack("<f", value)


def tensor(tag: str, value: float) -> bytes:
    content = b"\x08\x01" + b"\x22\x04" + struct.pack("<f", value)
    return b"\x0a" + bytes([len(tag)]) + tag.encode() + b"\x42" + bytes([len(content)]) + content


def test_event_files_of_tensorboard(
    client: StepwellClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
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
    file.write_bytes(whole + b"\xff" * 100)
    (train / "tfevents.2").write_bytes(event(5, scalar("acc", 1.0)))
    with caplog.at_level("WARNING", "stepwell"):
        assert "1 runs, 1 new points" in run_import(
            "tensorboard", str(tmp_path / "logs"), "--experiment", "tb"
        )
    assert f"{file} is damaged before byte {len(whole) + 12}" in caplog.text


def test_the_checksum_of_event_files_is_tensorboards() -> None:
    # "123456789" has the CRC-32C e3069283.
    assert (
        masked_crc32c(b"123456789") == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    )


def importing_namespace() -> uuid.UUID:
    from stepwell.transfer.importing import NAMESPACE

    return NAMESPACE


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path / "nothing.db")]).output
    assert "no runs.parquet" in CliRunner().invoke(imports, ["export", str(tmp_path)]).output
    assert "no event files" in CliRunner().invoke(imports, ["tensorboard", str(tmp_path)]).output
    assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path)]).output
    (tmp_path / "a.db").write_text("no database, however long it is")
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE runs (run_uuid TEXT)").connection.close()
    for name in ("a.db", "empty.db"):
        assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path / name)]).output
