"""Imports of MLflow's server, which may stumble."""

import copy
import json
import math
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.errors import StepwellException
from stepwell.transfer.mlflow import calls as mlflow_calls
from stepwell.transfer.mlflow.calls import MlflowCalls
from stepwell.transfer.mlflow.server import MlflowServer
from tests.harness.transfers import artifacts_of, imported, points_of, read_all, run_import


class MlflowStub:
    """Answers as MLflow's server does, with runs of one metric, in pages; `failing` says what it answers with 500."""

    def __init__(self) -> None:
        self.ids = [uuid.uuid4().hex for _ in range(3)]
        self.model_id = f"m-{uuid.uuid4().hex}"
        self.registered = f"churn {uuid.uuid4().hex}"
        self.failing: Callable[[str], bool] = lambda _: False
        self.runs = [self._run(run_id, number) for number, run_id in enumerate(self.ids)]
        self.asked: list[str] = []

    def _run(self, run_id: str, number: int) -> dict[str, Any]:
        info = {"run_id": run_id, "run_name": f"remote {number}", "status": "FINISHED", "start_time": "10"}
        data = {
            "metrics": [{"key": "acc"}, {"key": "loss"}],
            "params": [{"key": "lr", "value": "1"}],
            "tags": [],
        }
        toy = {"name": "toy", "digest": "d", "source_type": "local", "source": "{}"}
        inputs = [{"dataset": toy, "tags": [{"key": "mlflow.data.context", "value": "training"}]}]
        return {"info": {**info, "user_id": "ada"}, "data": data, "inputs": {"dataset_inputs": inputs}}

    def _model(self) -> dict[str, Any]:
        point = {"key": "loss", "value": 0.5, "timestamp": 104, "step": 4, "run_id": self.ids[0]}
        info = {
            "model_id": self.model_id,
            "name": "logged",
            "status": "LOGGED_MODEL_READY",
            "source_run_id": self.ids[0],
            "creation_timestamp_ms": 5,
            "tags": [{"key": "team", "value": "a"}],
        }
        return {"info": info, "data": {"params": [{"key": "lr", "value": "1"}], "metrics": [point]}}

    def answer(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> object:
        token = query.get("page_token", [""])[0] or body.get("page_token", "")
        history = [
            {"key": "loss", "value": step / 3, "timestamp": str(100 + step), "step": str(step)}
            for step in range(5)
        ]
        match path.removeprefix("/api/2.0/mlflow/"):
            case "experiments/search":
                return {"experiments": [{"experiment_id": "3", "name": "birds"}]}
            case "runs/search":
                return (
                    {"runs": self.runs[2:]} if token else {"runs": self.runs[:2], "next_page_token": "more"}
                )
            case "metrics/get-history":
                return (
                    {"metrics": history[3:]} if token else {"metrics": history[:3], "next_page_token": "more"}
                )
            case "artifacts/list":
                folder = query.get("path", [""])[0]
                if folder:
                    return {"files": [{"path": "model/a.txt", "is_dir": False, "file_size": "7"}]}
                bad = [{"path": path, "is_dir": False, "file_size": "1"} for path in ("c:d", "../../x")]
                return {"files": [{"path": "model", "is_dir": True}, {"path": "", "is_dir": True}, *bad]}
            case "logged-models/search":
                return {"models": [self._model()]}
            case "runs/get":
                return {"run": {"outputs": {"model_outputs": [{"model_id": self.model_id, "step": 4}]}}}
            case listing if listing.endswith("/artifacts/directories"):
                return {"files": [{"path": "MLmodel", "is_dir": False, "file_size": "7"}]}
            case "model-versions/search":
                version = {
                    "name": self.registered,
                    "version": "2",
                    "source": f"mlflow-artifacts:/3/{self.ids[1]}/artifacts/model",
                    "run_id": self.ids[1],
                    "current_stage": "Production",
                    "creation_timestamp": 5,
                    "tags": [{"key": "a", "value": "1"}],
                }
                return {"model_versions": [version]}
            case "registered-models/search":
                aliases = [{"alias": "champion", "version": "2"}]
                named = {"name": self.registered, "description": "d", "aliases": aliases}
                return {"registered_models": [named]}
        return None


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, MlflowStub]]:
    """A server of MLflow that knows Ada, and its address."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setattr(mlflow_calls, "PAUSE_S", 0.0)
    mlflow = MlflowStub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.handle_call(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self.handle_call({})

        def handle_call(self, body: dict[str, Any]) -> None:
            assert self.headers["Authorization"] == "Basic YWRhOnNlY3JldA=="  # ada:secret
            mlflow.asked.append(self.path)
            parts = urlsplit(self.path)
            if mlflow.failing(self.path):
                return self.send(500, b"oh dear")
            if parts.path == "/get-artifact" or parts.path.endswith("/artifacts/files"):
                return self.send(200, b"weights")
            found = mlflow.answer(parts.path, parse_qs(parts.query), body)
            return self.send(404 if found is None else 200, json.dumps(found).encode())

        def send(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", mlflow
    server.shutdown()
    thread.join()
    server.server_close()


POINTS = [(step, 100 + step, step / 3) for step in range(5)]
# Two artifacts of each run that no artifact can be called.
ALWAYS_LEFT = 3 * 2


def test_a_server_of_mlflow(client: StepwellClient, stub: tuple[str, MlflowStub], tmp_path: Path) -> None:
    location, mlflow = stub
    report = imported("mlflow", location)
    assert (report["runs"], report["points"], report["artifacts"], report["data_sets"]) == (3, 30, 4, 3)
    assert report["models"] == 1
    assert (report["rejected"], len(report["reasons"])) == (ALWAYS_LEFT, ALWAYS_LEFT)
    again = imported("mlflow", location)
    assert (again["runs"], again["points"], again["artifacts"], again["data_sets"]) == (3, 0, 0, 0)
    registered = client.get_registered_model(mlflow.registered)
    assert (registered.description, registered.aliases) == ("d", {"champion": 2})
    (version,) = registered.latest_versions
    assert (version.version, version.current_stage, version.run_id) == (2, "Production", mlflow.ids[1])
    assert (version.tags, version.creation_timestamp) == ({"a": "1"}, 5)
    uri = f"models:/{mlflow.registered}@champion/a.txt"
    assert stepwell.artifacts.load_text(uri) == "weights"
    assert client.create_model_version(mlflow.registered, "s3://bucket/m").version == 3
    model = client.get_logged_model(mlflow.model_id)
    assert (model.name, model.status, model.source_run_id) == ("logged", "READY", mlflow.ids[0])
    assert (model.params, model.tags, model.creation_timestamp) == ({"lr": "1"}, {"team": "a"}, 5)
    assert [(it.key, it.value, it.step, it.run_id) for it in model.metrics] == [
        ("loss", 0.5, 4, mlflow.ids[0])
    ]
    (output,) = client.get_run(mlflow.ids[0]).outputs.model_outputs
    assert (output.model_id, output.step) == (mlflow.model_id, 4)
    for run_id in mlflow.ids:
        of_models = {"logged/MLmodel": "weights"} if run_id == mlflow.ids[0] else {}
        assert artifacts_of(client, run_id, tmp_path / "back") == {"model/a.txt": "weights", **of_models}
        assert points_of(run_id, "loss") == POINTS
        run = client.get_run(run_id)
        assert (run.info.status, run.data.params) == ("FINISHED", {"lr": "1"})
        assert [it.dataset.name for it in run.inputs.dataset_inputs] == ["toy"]


def test_a_server_that_stumbles_once_at_every_call(
    client: StepwellClient, stub: tuple[str, MlflowStub]
) -> None:
    location, mlflow = stub
    met: set[str] = set()

    def fails_once(path: str) -> bool:
        fresh = path not in met
        met.add(path)
        return fresh

    mlflow.failing = fails_once
    report = imported("mlflow", location)
    assert (report["runs"], report["points"], report["artifacts"]) == (3, 30, 4)
    assert report["rejected"] == ALWAYS_LEFT


@pytest.mark.parametrize(
    ("failing", "runs", "points", "artifacts", "said"),
    [
        ("get-history?run_id={run}&metric_key=loss", 3, 25, 4, "points of metric 'loss'"),
        ("page_token=more", 3, 18, 4, "points of metric 'acc'"),
        ("artifacts/list?run_id={run}", 3, 30, 3, "artifacts in 'its root'"),
        ("get-artifact?path=model%2Fa.txt&run_uuid={run}", 3, 30, 3, "artifact 'model/a.txt'"),
        ("logged-models/search", 3, 30, 3, "which logged models of experiment 'birds' there are"),
        ("artifacts/files", 3, 30, 3, "artifact 'MLmodel'"),
        ("model-versions", 3, 30, 4, "which registered models there are"),
        ("runs/search", 0, 0, 1, "experiment 'birds', what is left of its runs"),
    ],
)
def test_a_call_that_never_answers_keeps_nothing_else_back(
    client: StepwellClient,
    stub: tuple[str, MlflowStub],
    failing: str,
    runs: int,
    points: int,
    artifacts: int,
    said: str,
) -> None:
    location, mlflow = stub
    mlflow.failing = lambda path: failing.format(run=mlflow.ids[1]) in path
    report = imported("mlflow", location)
    assert (report["runs"], report["points"], report["artifacts"]) == (runs, points, artifacts)
    assert any(said in reason and "500" in reason for reason in report["reasons"]), report
    found = client.search_runs(None)
    assert len(found) == runs
    assert all(run.info.status == "FINISHED" for run in found)


def test_answers_that_are_none_of_mlflows(client: StepwellClient, stub: tuple[str, MlflowStub]) -> None:
    location, mlflow = stub
    mlflow.runs[1] = {"info": {"run_name": "without an id"}}
    mlflow.runs[2]["info"].update(status="ODD", start_time="soon")
    report = imported("mlflow", location)
    assert report["runs"] == 2
    said = " ".join(report["reasons"])
    for part in (
        "a run of experiment 'birds' is not as MLflow's are",
        "no status 'ODD'",
        "start_time is no time",
    ):
        assert part in said
    assert client.get_run(mlflow.ids[2]).info.status == "FAILED"


def test_an_address_with_a_password_is_asked_with_it_and_shown_without(
    client: StepwellClient, stub: tuple[str, MlflowStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    location, mlflow = stub
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    address = location.replace("http://", "http://ada:secret@")
    assert imported("mlflow", address)["runs"] == 3
    mlflow.failing = lambda path: True
    for place in (address, "http://ada:secret@127.0.0.1:9", "postgresql://ada:secret@host/db"):
        assert "secret" not in run_import("mlflow", place, left=True)


def test_a_server_that_is_none(client: StepwellClient, stub: tuple[str, MlflowStub]) -> None:
    location, mlflow = stub
    mlflow.failing = lambda path: "experiments" in path
    assert "Is it a server of MLflow?" in run_import("mlflow", location, left=True)
    assert "did not answer" in run_import("mlflow", "http://127.0.0.1:9", left=True)


ODD = (None, 0, -1, math.inf, "", "x", [], {}, [None], {"a": 1}, True, 2**70, "\ud800")


def test_answers_with_anything_in_them_are_read_as_far_as_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    random, mlflow = Random(3), MlflowStub()

    def ask(_: object, path: str, body: dict[str, Any] | None = None) -> Any:
        parts = urlsplit(path)
        answer = copy.deepcopy(mlflow.answer(parts.path, parse_qs(parts.query), body or {}))
        places = list(places_in(answer))
        if places and random.random() < 0.5:
            holder, name = random.choice(places)
            holder[name] = random.choice(ODD)
        return answer

    monkeypatch.setattr(MlflowCalls, "ask", ask)
    for fetch in ("fetch", "fetch_of_model"):
        monkeypatch.setattr(MlflowCalls, fetch, lambda _, run_id, path, file: file.write_bytes(b"weights"))
    read = 0
    for _ in range(500):
        with suppress(StepwellException):
            read += read_all(MlflowServer("http://mlflow"))
    assert read > 500


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """All places in an answer at which something can be replaced."""
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield value, name
        yield from places_in(value[name])
