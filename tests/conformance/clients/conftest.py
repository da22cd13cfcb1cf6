"""Clients that are not ours, as programs of their own: scripts in `scripts/`, run by one Python or another."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.processes import ServerProcess

SCRIPTS = Path(__file__).parent / "scripts"
SCRIPT_S = 100.0

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def experiment() -> str:
    """Name of an experiment of the test's own."""
    return f"clients-{uuid.uuid4().hex}"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script with MLFLOW_TRACKING_URI and returns how it went: `run(uri, "fluent.py", "argument")`."""

    def run_script(
        uri: str, script: str, *arguments: str, python: object = sys.executable, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, str(SCRIPTS / script), *arguments],
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


def succeeded(process: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a script printed, after looking that it ended well."""
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout.strip().rsplit("\n", 1)[-1]


def _environment() -> dict[str, str]:
    """The environment without what names runs and servers; nothing is sent to the makers of MLflow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
