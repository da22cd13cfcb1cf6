"""MLflow's client with the plugin, on a server by gRPC: the mlflow that is installed beside us."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell import StepwellClient
from stepwell.errors import StepwellException
from stepwell.integrations.mlflow_plugin import addresses
from tests.conformance.clients.conftest import SCRIPTS, Run, succeeded
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess

POINTS = 2_000


def sync(folder: Path, uri: str) -> None:
    command = [Path(sys.executable).with_name("stepwell"), "sync", str(folder), "--to", uri]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def spool(tmp_path: Path) -> dict[str, str]:
    return {"STEPWELL_SPOOL_DIR": str(tmp_path / "spool")}


def test_what_scripts_do(run: Run, shared_server: ServerProcess, experiment: str) -> None:
    one_address = shared_server.url.replace("http", "stepwell")
    left_open = succeeded(run(one_address, "fluent.py", experiment))
    found = StepwellClient(shared_server.tracking_uri).get_run(left_open)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"implicit": 1.0}


def test_operations_pages_and_refusals(run: Run, shared_server: ServerProcess, experiment: str) -> None:
    succeeded(run(shared_server.tracking_uri, "operations.py", experiment, shared_server.url))


@pytest.mark.parametrize("door", ["grpc", "rest"])
def test_the_registry_of_models(run: Run, shared_server: ServerProcess, experiment: str, door: str) -> None:
    uri = shared_server.tracking_uri if door == "grpc" else shared_server.url
    succeeded(run(uri, "registry.py", experiment))


def test_offline_mode_asks_nobody(run: Run, grpc_uri: str, tmp_path: Path) -> None:
    run_id = succeeded(run(grpc_uri, "train.py", "normally", STEPWELL_MODE="offline", **spool(tmp_path)))
    sync(tmp_path / "spool", grpc_uri)
    assert_trained(grpc_uri, run_id, "FINISHED")
    assert [it.path for it in StepwellClient(grpc_uri).list_artifacts(run_id)] == ["x.txt"]


def test_forked_processes_log_too(run: Run, grpc_uri: str) -> None:
    run_id = succeeded(run(grpc_uri, "forking.py"))
    client = StepwellClient(grpc_uri)
    assert client.get_run(run_id).data.metrics == {"parent": 2.0, **{f"child {n}": 499.0 for n in range(3)}}
    assert all(len(client.get_metric_history(run_id, f"child {n}")) == 500 for n in range(3))


def test_the_end_of_the_process_delivers(run: Run, grpc_uri: str, tmp_path: Path) -> None:
    run_id = succeeded(run(grpc_uri, "train.py", "normally", **spool(tmp_path)))
    assert_trained(grpc_uri, run_id, "FINISHED")


def test_a_script_that_dies_of_an_exception_has_failed(run: Run, grpc_uri: str) -> None:
    process = run(grpc_uri, "train.py", "exception")
    assert process.returncode == 1
    assert "ZeroDivisionError" in process.stderr
    assert_trained(grpc_uri, process.stdout.strip(), "FAILED")


def test_what_was_logged_outlives_kill_9(run: Run, grpc_uri: str, tmp_path: Path) -> None:
    process = run(grpc_uri, "train.py", "kill", **spool(tmp_path))
    assert process.returncode == -signal.SIGKILL
    sync(tmp_path / "spool", grpc_uri)
    assert_trained(grpc_uri, process.stdout.strip(), "RUNNING")


def test_a_run_that_nobody_ended_leaves_nothing_behind(run: Run, grpc_uri: str, tmp_path: Path) -> None:
    succeeded(run(grpc_uri, "train.py", "client", **spool(tmp_path)))
    found = StepwellClient(grpc_uri).get_run((tmp_path / "made").read_text())
    assert (found.info.status, found.data.metrics) == ("RUNNING", {"loss": 1.0})
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_server_that_goes_stops_nothing(
    start_server: Callable[..., ServerProcess], database_url: str, tmp_path: Path
) -> None:
    options = ("--store", database_url, "--data", str(tmp_path / "data"), "--grpc-port", str(free_port()))
    server = start_server(*options)
    environment = {**os.environ, **spool(tmp_path), "MLFLOW_TRACKING_URI": server.tracking_uri}
    with subprocess.Popen(
        [sys.executable, str(SCRIPTS / "train.py"), "server goes"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as script:
        run_id = script.stdout.readline().strip()
        server.signal(signal.SIGKILL)
        server.process.wait(30)
        alone, errors = script.communicate("gone\n", timeout=90)
        assert script.returncode == 0, errors
    assert "stepwell sync" in errors
    again = start_server(*options)
    sync(tmp_path / "spool", again.tracking_uri)
    assert_trained(again.tracking_uri, run_id, "FINISHED", 2 * POINTS)
    client = StepwellClient(again.tracking_uri)
    assert client.get_run(run_id).data.tags["late"] == "yes"
    found = client.get_run(alone.strip())
    assert (found.info.status, found.info.run_name, found.data.metrics) == (
        "FINISHED",
        "alone",
        {"loss": 1.0},
    )
    assert [it.path for it in client.list_artifacts(run_id)] == ["late.txt"]
    assert [it.path for it in client.list_artifacts(found.info.run_id)] == ["alone.txt"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("grpc://host:7", "grpc://host:7"),
        ("grpcs://[::1]:7/", "grpcs://[::1]:7"),
        ("stepwell://host:5000", "http://host:5000"),
        ("stepwells://host/below/it/", "https://host/below/it"),
        ("stepwell://host:5000/below/5/" + "a" * 32 + "/artifacts", "http://host:5000/below"),
        ("grpc://host:7/" + "a" * 32 + "/artifacts/model", "grpc://host:7"),
    ],
)
def test_uris_of_servers(given: str, meant: str) -> None:
    assert addresses.client_uri(given) == meant


@pytest.mark.parametrize("bad", ["grpc:host", "sqlite:///x.db", "grpc://host:port", "grpc://"])
def test_uris_that_name_no_server(bad: str) -> None:
    with pytest.raises(StepwellException, match="grpc://HOST:PORT"):
        addresses.client_uri(bad)


def test_uris_of_artifacts() -> None:
    run_id = "0123456789abcdef" * 2
    whole = addresses.artifact_uri("grpc://host:7/", run_id)
    assert whole == f"grpc://host:7/{run_id}/artifacts"
    place = addresses.artifact_place
    assert place(whole, None) == addresses.ArtifactPlace(run_id, "")
    assert place(f"{whole}/model/", "data/x?#.csv") == addresses.ArtifactPlace(run_id, "model/data/x?#.csv")
    assert place("grpc://host:7", f"5/{run_id}/artifacts/a") == addresses.ArtifactPlace(run_id, "a")
    for bad in (f"{whole}/..", "grpc://host:7", "grpc://host:7/5/artifacts/x"):
        with pytest.raises(StepwellException):
            place(bad, None)


def assert_trained(uri: str, run_id: str, status: str, points: int = POINTS) -> None:
    client = StepwellClient(uri)
    found = client.get_run(run_id)
    assert found.info.status == status
    assert found.data.params == {"lr": "0.1"}
    history = client.get_metric_history(run_id, "loss")
    assert [(it.step, it.value) for it in history] == [(step, step / 2) for step in range(points)]
