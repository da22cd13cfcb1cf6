"""The server's one address: the client asks there where gRPC is, and says what stands between when it is not."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stepwell import StepwellClient, StepwellException
from stepwell.addresses import Address
from stepwell.spool import addresses
from stepwell.wire import connection, door
from tests.client.offline.test_offline import sync
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess

StartServer = Callable[..., ServerProcess]

TRAINING = """
import stepwell

with stepwell.start_run() as run:
    for step in range(100):
        stepwell.log_metric("loss", step / 2, step=step)
    stepwell.flush()
    print(run.info.run_id)
"""


class Page(BaseHTTPRequestHandler):
    """Something else that speaks HTTP; `answers` of its server says what it answers by path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, headers, body = self.server.answers.get(self.path, (404, {}, b"no such page"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def page(
    answers: dict[str, tuple[int, dict[str, str], bytes]],
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Page)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.answers = answers
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(address: str = "127.0.0.1:7") -> bytes:
    return json.dumps({"grpc": {"address": address, "tls": False}}).encode()


def ask(url: str) -> Address:
    return asyncio.run(door.ask(url, 10.0))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spools"))
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "1")
    return tmp_path / "spools"


@pytest.mark.parametrize("variable", ["STEPWELL_TRACKING_URI", "MLFLOW_TRACKING_URI"])
def test_a_training_over_the_one_address(
    variable: str, script: Callable[..., object], shared_server: ServerProcess, tmp_path: Path
) -> None:
    environment = {"STEPWELL_TRACKING_URI": "", "STEPWELL_SPOOL_DIR": str(tmp_path)}
    done = script(TRAINING, **{**environment, variable: shared_server.url})
    assert (done.returncode, done.stderr) == (0, "")
    points = StepwellClient(shared_server.url).get_metric_history(done.stdout.strip(), "loss")
    assert [point.step for point in points] == list(range(100))
    assert json.loads((tmp_path / addresses.FILE).read_text()) == {
        shared_server.url: [f"127.0.0.1:{shared_server.port}", False]
    }


def test_what_was_logged_offline_is_delivered(
    script: Callable[..., object], shared_server: ServerProcess, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.url)
    done = script(
        TRAINING.replace("    stepwell.flush()\n", ""),
        STEPWELL_MODE="offline",
        STEPWELL_TRACKING_URI=shared_server.url,
    )
    assert done.returncode == 0, done.stderr
    assert sync(str(place), "--to", shared_server.url).returncode == 0
    assert len(StepwellClient(shared_server.url).get_metric_history(done.stdout.strip(), "loss")) == 100


def test_a_prefix(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--static-prefix", "/sub/path")
    assert server.url.endswith("/sub/path")
    assert StepwellClient(server.url).get_experiment("0").name == "Default"


def test_a_server_that_moves_its_grpc_is_found_again(database_url: str, start_server: StartServer) -> None:
    http_port = str(free_port())
    first = start_server("--store", database_url, "--http-port", http_port)
    client = StepwellClient(first.url)
    client.get_experiment("0")
    first.terminate()
    second = start_server("--store", database_url, "--http-port", http_port)
    assert second.port != first.port
    assert client.get_experiment("0").name == "Default"


LONG_TRAINING = """
import stepwell

with stepwell.start_run() as run:
    print(run.info.run_id, flush=True)
    for half in range(2):
        for step in range(1_000):
            stepwell.log_metric("loss", step, step=half * 1_000 + step)
        input()
    while stepwell.flush().waiting:
        pass
"""


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.terminate])
def test_a_training_goes_on_when_the_server_dies_and_moves(
    end: Callable[[ServerProcess], object], database_url: str, start_server: StartServer, place: Path
) -> None:
    http_port = str(free_port())
    first = start_server("--store", database_url, "--http-port", http_port)
    with subprocess.Popen(
        [sys.executable, "-c", LONG_TRAINING],
        env={**os.environ, "STEPWELL_TRACKING_URI": first.url},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as training:  # fmt: skip
        run_id = training.stdout.readline().strip()
        end(first)
        training.stdin.write("\n")
        training.stdin.flush()
        second = start_server("--store", database_url, "--http-port", http_port)
        training.communicate("\n", timeout=100)
    assert training.returncode == 0
    points = StepwellClient(second.url).get_metric_history(run_id, "loss")
    assert [point.step for point in points] == list(range(2_000))


def test_grpc_that_is_not_let_through(database_url: str, start_server: StartServer, place: Path) -> None:
    server = start_server("--store", database_url, "--advertise-grpc", "127.0.0.1:1")
    with pytest.raises(
        StepwellException, match=r"its gRPC at 127\.0\.0\.1:1 does not: nothing listens there"
    ) as caught:
        StepwellClient(server.url).get_experiment("0")
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert "--advertise-grpc" in str(caught.value)


def test_the_wrong_one_of_two_ports(shared_server: ServerProcess, place: Path) -> None:
    grpc = f"127.0.0.1:{shared_server.port}"
    with pytest.raises(StepwellException, match=f"gRPC port, the address is grpc://{grpc}"):
        StepwellClient(f"http://{grpc}").get_experiment("0")
    # A server on another machine takes gRPC at gRPC's port alone.
    answers = {"/api/stepwell/v1/server": (200, {}, told())}
    with page(answers) as url, pytest.raises(StepwellException, match=f"the address is {url}"):
        StepwellClient(url.replace("http://", "grpc://")).get_experiment("0")


def test_another_program_on_the_port(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with page({}) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        monkeypatch.delenv("STEPWELL_TRACKING_URI", raising=False)
        with pytest.raises(StepwellException, match=r"from MLFLOW_TRACKING_URI.*it answered 404"):
            StepwellClient().get_experiment("0")


def test_nobody_there(place: Path) -> None:
    with pytest.raises(StepwellException, match="nothing listens there"):
        StepwellClient(f"http://127.0.0.1:{free_port()}").get_experiment("0")


def test_the_remembered_address_serves_while_a_proxy_is_in_the_way(
    shared_server: ServerProcess, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir()
    with page({}) as url:
        addresses.remember(url, Address(f"127.0.0.1:{shared_server.port}", False))
        assert StepwellClient(url).get_experiment("0").name == "Default"
    # Where nothing listens, the server is gone: another one may have its gRPC port now.
    monkeypatch.setattr(connection, "_connections", {})
    with pytest.raises(StepwellException, match="nothing listens there"):
        StepwellClient(url).get_experiment("0")


def test_what_is_recalled_is_another_port_of_the_same_host(place: Path, tmp_path: Path) -> None:
    place.mkdir(mode=0o700)
    page = "http://tracker.example.org:5000"
    addresses.remember(page, Address("tracker.example.org:50051", False))
    assert addresses.recall(page) == Address("tracker.example.org:50051", False)
    (place / addresses.FILE).write_text(json.dumps({page: ["thief.example.org:50051", False]}))
    assert addresses.recall(page) is None
    addresses.remember(page, Address("tracker.example.org:50051", False))
    (place / addresses.FILE).rename(tmp_path / "elsewhere")
    (place / addresses.FILE).symlink_to(tmp_path / "elsewhere")
    assert addresses.recall(page) is None, "not through a link"


def test_reading_leaves_nothing_behind(shared_server: ServerProcess, place: Path) -> None:
    StepwellClient(shared_server.url).get_experiment("0")
    assert not place.exists()


@pytest.mark.parametrize(
    ("address", "asked", "used"),
    [
        ("0.0.0.0:50051", "http://tracker:5000", "tracker:50051"),
        ("[::]:50051", "http://[fe80::1]:5000", "[fe80::1]:50051"),
        ("127.0.0.1:50051", "http://10.0.0.7:5000", "10.0.0.7:50051"),
        ("localhost:50051", "https://tracker.example.org/sub", "tracker.example.org:50051"),
        ("127.0.0.1:50051", "http://localhost:5000", "127.0.0.1:50051"),
        ("0.0.0.0:50051", "http://127.0.0.1:5000", "127.0.0.1:50051"),
        ("inner.example.org:443", "http://tracker:5000", "inner.example.org:443"),
    ],
)
def test_an_address_that_only_the_server_can_use_is_replaced(address: str, asked: str, used: str) -> None:
    assert door.reachable(address, asked) == used


def test_what_the_server_refuses_is_passed_on() -> None:
    told = json.dumps({"error_code": "PERMISSION_DENIED", "message": "start it with --some-option"}).encode()
    answer = (403, {"Content-Length": str(len(told))}, told)
    with (
        page({"/api/stepwell/v1/server": answer}) as url,
        pytest.raises(door.NoDoorError, match="--some-option"),
    ):
        ask(url)


def test_a_name_that_the_server_does_not_know_will_do(shared_server: ServerProcess) -> None:
    """Not for browsers, but for our client: names of containers and tunnels are nobody's business."""
    request = urllib.request.Request(
        f"{shared_server.url}/api/stepwell/v1/server", headers={"Host": "stepwell.inner"}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["grpc"]["address"] == f"127.0.0.1:{shared_server.port}"


def test_redirects_and_chunks_are_understood() -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(told()), told())
    answers = {
        "/old/api/stepwell/v1/server": (
            308,
            {"Location": "/new/api/stepwell/v1/server", "Content-Length": "0"},
            b"",
        ),
        "/new/api/stepwell/v1/server": (200, {"Transfer-Encoding": "chunked"}, chunked),
        "/loop/api/stepwell/v1/server": (
            302,
            {"Location": "/loop/api/stepwell/v1/server", "Content-Length": "0"},
            b"",
        ),
    }
    with page(answers) as url:
        assert ask(f"{url}/old") == Address("127.0.0.1:7", False)
        with pytest.raises(door.NoDoorError, match="302"):
            ask(f"{url}/loop")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"<html>", b'{"grpc": 1}', b'{"grpc": {"address": "x", "tls": false}}', b"x" * 100_000],
)
def test_what_is_not_ours_is_not_believed(body: bytes) -> None:
    answer = (200, {"Content-Length": str(len(body))}, body)
    with (
        page({"/api/stepwell/v1/server": answer}) as url,
        pytest.raises(door.NoDoorError, match="no Stepwell"),
    ):
        ask(url)
