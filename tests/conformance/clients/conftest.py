"""Clients that are not ours, as programs of their own: scripts in `scripts/`, run by one Python or another."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.clients.environments import python_of
from tests.harness.servers.processes import ServerProcess

SCRIPTS = Path(__file__).parent / "scripts"
SCRIPT_S = 240.0
# Needs environments of some gigabytes: `make test-clients`.
collect_ignore = [] if os.environ.get("STEPWELL_TEST_CLIENTS") else ["test_environments.py"]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def experiment() -> str:
    """Name of an experiment of the test's own."""
    return f"clients-{uuid.uuid4().hex}"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script with MLFLOW_TRACKING_URI and returns how it went: `run(uri, "fluent.py", "argument")`.

    `by` stands before the script, for a module that runs it.
    """

    def run_script(
        uri: str,
        script: str,
        *arguments: str,
        python: object = sys.executable,
        by: Sequence[str] = (),
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, *by, str(SCRIPTS / script), *arguments],
            cwd=tmp_path,
            env={**_environment(), "MLFLOW_TRACKING_URI": uri, **environment},
            capture_output=True,
            text=True,
            timeout=SCRIPT_S,
            check=False,
        )

    return run_script


@pytest.fixture
def grpc_uri(shared_server: ServerProcess) -> str:
    """The server's gRPC address, for MLflow's clients with the plugin."""
    return shared_server.tracking_uri


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Starts MLflow's own server on a store of its plugins; returns its address."""
    with ExitStack() as stack:

        def start(store: str) -> str:
            command = [python_of("mlflow-3"), "-m", "mlflow", "server", "--port", "0", "--workers", "1"]
            options = ["--backend-store-uri", store, "--artifacts-destination", store]
            process = stack.enter_context(
                subprocess.Popen(
                    [*command, *options], cwd=tmp_path, env=_environment(), stderr=subprocess.PIPE, text=True
                )
            )
            stack.callback(process.terminate)
            log = ""
            for line in process.stderr:
                log += line
                if found := re.search(r"running on (http://127.0.0.1:\d+)", line):
                    return found[1]
            raise AssertionError(log)

        yield start


def succeeded(process: subprocess.CompletedProcess[str]) -> str:
    """Return the last run id that a script printed, after looking that it ended well; "" if it printed none."""
    assert process.returncode == 0, process.stdout + process.stderr
    # What MLflow does with a plugin that it cannot load: a warning, and all goes on without.
    assert "Failure attempting to register" not in process.stderr, process.stderr
    # MLflow prints lines of its own around it.
    return next(iter(re.findall(r"^[0-9a-f]{32}$", process.stdout, re.MULTILINE)[::-1]), "")


def _environment() -> dict[str, str]:
    """The environment without what names runs and servers; nothing is sent to the makers of MLflow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
