"""The server as people start and stop it."""

import signal
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_server import cli
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerFailedError, ServerProcess

StartServer = Callable[..., ServerProcess]


def create_experiment(server: ServerProcess, name: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        ExperimentServiceStub(channel).CreateExperiment(pb.CreateExperimentRequest(name=name))


def experiment_names(server: ServerProcess) -> list[str]:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        answer = ExperimentServiceStub(channel).ListExperiments(pb.ListExperimentsRequest())
    return [experiment.name for experiment in answer.experiments]


def test_it_says_how_to_use_it(server_process: ServerProcess) -> None:
    assert f"gRPC is at grpc://127.0.0.1:{server_process.port}" in server_process.output
    assert server_process.output.startswith("Stepwell is ready: http://127.0.0.1:")
    assert "postgresql://" in server_process.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_when_asked(server_process: ServerProcess, number: int) -> None:
    create_experiment(server_process, "kept")
    server_process.signal(number)
    assert server_process.wait() == 0
    assert [event["event"] for event in server_process.events()][-2:] == ["server stops", "server stopped"]


def test_health_says_not_serving_before_the_end(server_process: ServerProcess) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server_process.port}") as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        server_process.signal(signal.SIGTERM)
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watched.cancel()
    assert server_process.wait() == 0


def test_the_embedded_postgresql_survives_kills_of_the_server(
    tmp_path: Path, start_server: StartServer
) -> None:
    first = start_server("--data", str(tmp_path / "data"))
    assert str(tmp_path / "data") in first.output
    create_experiment(first, "kept")
    with pytest.raises(ServerFailedError, match="another Stepwell server") as caught:
        start_server("--data", str(tmp_path / "data"))
    assert caught.value.exit_code == 1
    first.kill()
    second = start_server("--data", str(tmp_path / "data"))
    assert "left its PostgreSQL behind" in second.log()
    assert experiment_names(second) == ["kept", "Default"]
    assert second.terminate() == 0


def test_a_second_server_on_the_port_is_refused(
    server_process: ServerProcess, database_url: str, start_server: StartServer
) -> None:
    with pytest.raises(ServerFailedError) as caught:
        start_server("--store", database_url, "--grpc-port", str(server_process.port))
    assert caught.value.exit_code == 1
    message = caught.value.log.splitlines()
    assert len(message) == 1
    assert f"port {server_process.port}: Address already in use" in message[0]
    assert "--grpc-port" in message[0]


@pytest.mark.parametrize(
    "options",
    [
        ("--artifacts", "hdfs://bucket/x"),
        ("--artifact-folder", "hdfs://host/x"),
        ("--artifact-bucket", "https://host/x"),
        ("--data", "s3://bucket/x"),
    ],
)
def test_places_of_kinds_that_are_not_served_are_refused(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ServerFailedError) as caught:
        start_server("--data", str(tmp_path / "data"), *options)
    assert caught.value.exit_code in (1, 2)
    assert repr(options[1]) in caught.value.log
    assert list(tmp_path.iterdir()) == []


def test_the_password_is_never_shown(start_server: StartServer) -> None:
    with pytest.raises(ServerFailedError) as caught:
        start_server("--store", "postgresql://me:secret@127.0.0.1:1/runs", "--log-level", "debug")
    assert caught.value.exit_code == 1
    assert "me:***@127.0.0.1:1" in caught.value.log
    assert "secret" not in caught.value.log


def test_options_come_from_the_environment(database_url: str, start_server: StartServer) -> None:
    port = str(free_port())
    environment = {"STEPWELL_STORE": database_url, "STEPWELL_LOG_FORMAT": "text"}
    server = start_server("--grpc-port", port, environment=environment)
    assert server.port == int(port)
    assert "[info" in server.log()


def test_a_warning_when_others_can_reach_it(database_url: str, start_server: StartServer) -> None:
    server = start_server("--store", database_url, "--host", "0.0.0.0", "--insecure")
    assert server.tracking_uri == f"grpc://127.0.0.1:{server.port}"
    server.terminate()
    assert "everybody who reaches this address can read and change everything" in server.log()
    assert "what is logged travels as plain text" in server.log()


@pytest.mark.parametrize(
    "options",
    [["--grpc-port", "70000"], ["--store", "mysql://x"], ["--shutdown-grace", "0"], ["--log-format", "xml"]],
)
def test_wrong_options_are_refused(options: list[str]) -> None:
    result = CliRunner().invoke(cli.server, options)
    assert result.exit_code == 2
    assert options[0] in result.output


@pytest.mark.parametrize(
    "store",
    [
        "postgresql://me:se/cret@127.0.0.1:1/runs",
        "postgresql://me:se[cret@127.0.0.1:1/runs",
        "postgresql://me@127.0.0.1:1/runs?PASSWORD=se/cret",
        "host=127.0.0.1 password=se/cret",
    ],
)
def test_a_bad_address_is_one_line_without_the_password(
    store: str, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    with pytest.raises(ServerFailedError) as caught:
        start_server("--store", store, "--data", str(tmp_path / "data"))
    assert "cret" not in caught.value.log
    assert "Traceback" not in caught.value.log
    told = [line for line in caught.value.log.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1, caught.value.log
