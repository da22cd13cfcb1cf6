"""`stepwell models serve` in a process of its own: routes, limits, time-outs, workers, the end."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stepwell import __version__
from tests.harness.network.ports import free_port

START_S = 60.0

MODEL = """
import sys, time
import stepwell as mlflow

def answer(data):
    for seconds in data:
        time.sleep(seconds)
    return data

mlflow.pyfunc.save_model(sys.argv[1], python_model=answer)
"""


class Server:
    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port

    def ask(
        self,
        path: str,
        body: Any = None,
        method: str | None = None,
        content_type: str | None = "application/json",
    ) -> tuple[int, str, str]:
        """Status, content type and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            headers = {"content-type": content_type} if content_type and data is not None else {}
            connection.request(method or ("GET" if data is None else "POST"), path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read().decode()
        finally:
            connection.close()

    def predict(self, *data: float) -> tuple[int, Any]:
        status, _, body = self.ask("/invocations", {"inputs": data})
        return status, json.loads(body)


@contextmanager
def serving(model: object, *options: str) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "models", "serve"]
    process = subprocess.Popen(
        [*command, "-m", str(model), "-p", str(port), *options], start_new_session=True
    )
    server = Server(process, port)
    try:
        until = time.monotonic() + START_S
        while True:
            try:
                assert server.ask("/ping")[0] == 200
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that sleeps as many seconds as it is told, and answers with them."""
    made = tmp_path_factory.mktemp("served") / "model"
    subprocess.run([sys.executable, "-c", MODEL, str(made)], check=True)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(
        folder, "-t", "4", "--body-bytes-max", "1000", "--requests-max", "2", "--threads", "2"
    ) as started:
        yield started


def test_routes(server: Server) -> None:
    for path in ("/ping", "/health"):
        assert server.ask(path) == (200, "application/json", "\n")
    assert server.ask("/version")[::2] == (200, __version__)
    assert server.ask("/invocations")[0] == 405
    assert server.ask("/elsewhere") == (404, "application/json", '{"detail":"Not Found"}')
    assert server.predict(0) == (200, {"predictions": [0]})


def test_what_is_no_request(server: Server) -> None:
    status, kind, body = server.ask("/invocations", b"<x/>", content_type="text/xml")
    assert (status, kind.partition(";")[0]) == (415, "text/plain")
    assert "This predictor only supports" in body
    assert server.ask("/invocations", b"{}", content_type=None)[0] == 415
    status, _, body = server.ask("/invocations", b"{")
    assert (status, json.loads(body)["error_code"]) == (400, "BAD_REQUEST")


def test_too_large_a_request(server: Server) -> None:
    status, _, body = server.ask("/invocations", b"x" * 2_000)
    assert status == 413
    assert "1,000 bytes" in json.loads(body)["message"]


def test_a_model_that_takes_too_long(server: Server) -> None:
    status, answer = server.predict(5)
    assert (status, answer["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert server.ask("/ping")[0] == 200


def test_too_many_requests_at_once_while_health_answers(server: Server) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(server.predict(2)[0])) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert server.ask("/health")[0] == 200
    for thread in threads:
        thread.join()
    assert set(found) == {200, 503}


def test_figures(server: Server) -> None:
    server.predict(0)
    page = server.ask("/metrics")[2]
    assert 'stepwell_serving_requests_total{status="200"}' in page
    assert "stepwell_serving_request_seconds_bucket" in page


def test_requests_under_way_are_answered_when_it_is_told_to_stop(folder: Path) -> None:
    with serving(folder) as server:
        found: list[Any] = []
        asking = threading.Thread(target=lambda: found.append(server.predict(1.5)))
        asking.start()
        while "stepwell_serving_requests_in_progress 1.0" not in server.ask("/metrics")[2]:
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        asking.join()
        assert found == [(200, {"predictions": [1.5]})]
        server.process.wait(20)


def test_workers_count_together(folder: Path) -> None:
    with serving(folder, "-w", "2") as server:
        for _ in range(20):
            assert server.predict(0)[0] == 200
        # Any worker tells for all of them.
        assert 'stepwell_serving_requests_total{status="200"} 20.0' in server.ask("/metrics")[2]


def command(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    program = [sys.executable, "-c", "from stepwell.cli import main; main()", "models", *arguments]
    return subprocess.run(program, input=given, capture_output=True, check=False)


def test_predict_answers_for_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"inputs": [0]}')
    done = command(
        "predict", "-m", str(folder), "-i", str(tmp_path / "in.json"), "-o", str(tmp_path / "out.json")
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": [0]}
    assert json.loads(command("predict", "-m", str(folder), given=b'{"inputs": [0]}').stdout) == {
        "predictions": [0]
    }
    refused = command("predict", "-m", str(folder), given=b"{")
    assert refused.returncode == 1
    assert b"no valid JSON" in refused.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_model_that_does_not_load_is_said_at_once(tmp_path: Path, workers: str) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {python_function: {loader_module: no_such_loader}}")
    refused = command("serve", "-m", str(tmp_path), "-w", workers)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"no_such_loader" in refused.stderr


def test_a_model_that_is_not_there_is_said_at_once() -> None:
    refused = command("serve", "-m", "/nowhere/at/all")
    assert refused.returncode == 1
    assert b"nothing at '/nowhere/at/all'" in refused.stderr
