"""Stepwell and MLflow read each other's models, live; heavy libraries. Run by `make test-flavors`."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.flavors.cases import CASES
from tests.flavors.environments import OLDEST, python_of
from tests.harness.environments import ROOT
from tests.harness.servers.processes import ServerProcess

MLFLOWS = ("mlflow-2.22", "mlflow-3.12", "mlflow-3.17")
# The libraries that are too heavy to be beside all others, each with an MLflow that knows it.
HEAVY = ("tensorflow", "fastai")
PROGRAM_S = 1_800.0


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases of the libraries of this Python, saved by Stepwell."""
    folder = tmp_path_factory.mktemp("ours")
    run(Path(sys.executable), "write", "stepwell", str(folder))
    return folder


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_mlflow_reads_what_stepwell_wrote(ours: Path, mlflow: str) -> None:
    found = answers(python_of(mlflow), "mlflow", ours)
    assert len(found) >= 10
    assert set(found.values()) == {"same"}, found


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_stepwell_reads_what_mlflow_wrote(tmp_path: Path, mlflow: str) -> None:
    run(python_of(mlflow), "write", "mlflow", str(tmp_path))
    found = answers(Path(sys.executable), "stepwell", tmp_path)
    assert len(found) >= 10
    assert set(found.values()) == {"same"}, found


@pytest.mark.parametrize("library", HEAVY)
@pytest.mark.parametrize(("writer", "reader"), [("mlflow", "stepwell"), ("stepwell", "mlflow")])
def test_heavy_libraries_both_ways(tmp_path: Path, library: str, writer: str, reader: str) -> None:
    names = [case.name for case in CASES.values() if case.library == library]
    run(python_of(library), "write", writer, str(tmp_path), *names)
    assert answers(python_of(library), reader, tmp_path) == dict.fromkeys(names, "same")


@pytest.mark.parametrize("library", HEAVY)
def test_flavor_of_a_heavy_library(library: str) -> None:
    """The tests of the flavor itself, in the Python that has its library."""
    tests = [f"tests/flavors/test_{library}.py", "tests/flavors/test_recorded.py"]
    call([python_of(library), "-m", "pytest", "-q", "-W", "ignore", "--noconftest", *tests])


@pytest.mark.parametrize("library", HEAVY)
def test_autologging_of_a_heavy_library(
    library: str, shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    tests = f"tests/flavors/test_autolog_{library}.py"
    call([python_of(library), "-m", "pytest", "-q", "-W", "ignore", "--noconftest", tests])


def test_autologging_of_the_oldest_versions() -> None:
    call([python_of(OLDEST), "-m", "pytest", "-q", "-W", "ignore", "tests/autologging"])


def answers(python: Path, reader: str, folder: Path) -> dict[str, str]:
    """Let MLflow or Stepwell read all cases of a folder; return what it said of each."""
    printed = run(python, "read", reader, str(folder))
    return dict(re.findall(r"^(\w+): (.*)$", printed, re.MULTILINE))


def run(python: Path, program: str, *arguments: str) -> str:
    """Run `write` or `read` and return what it printed."""
    return call([python, "-m", f"tests.flavors.{program}", *arguments])


def call(command: list[object]) -> str:
    """Run a command in the tree; what it printed, or a failure with all of it."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "torch"}
    if ".venv-flavors/tensorflow" in str(command[0]):
        del environment["KERAS_BACKEND"]
    with tempfile.TemporaryDirectory() as folder:
        environment["MLFLOW_TRACKING_URI"] = f"file://{folder}/mlruns"  # MLflow 2 makes one, wherever it runs
        process = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
        )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout
