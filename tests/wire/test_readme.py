"""What README and the examples say is what happens: its commands and its programs are run as they stand."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.servers.processes import ServerProcess

pytestmark = pytest.mark.timeout(300)  # builds and trainings, on a machine that has much else to do

COMMAND_S = 200.0
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Commands of README that others run: CI itself, or a test of this module.
RUN_BY_CI = {"make test"}
RUN_HERE = {
    "make serve",
    ".venv/bin/python examples/train_digits.py",
    "stepwell server --store postgresql://user:password@db.example.org/stepwell",
    "pip install .",
    "pip install '.[server]'",
    ".venv/bin/pip install scikit-learn",  # what the tests of the example have, too
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run_python(*arguments: str, tracking_uri: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "STEPWELL_TRACKING_URI": tracking_uri,
            "STEPWELL_SPOOL_DIR": str(folder / "spool"),
        },
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_of_the_readme_is_run_somewhere() -> None:
    commands = {line.strip() for block in blocks("bash") for line in block.splitlines() if line.strip()}
    assert commands == RUN_BY_CI | RUN_HERE


def test_the_program_of_the_readme(shared_server: ServerProcess, tmp_path: Path) -> None:
    (program,) = blocks("python")
    assert len(program.strip().splitlines()) <= 20
    told = program.replace("http://127.0.0.1:5000", shared_server.url)
    output = run_python("-c", told, tracking_uri=shared_server.tracking_uri, folder=tmp_path)
    assert output.startswith("1000 points, the last one is 0.0")


def test_the_digits_example(shared_server: ServerProcess, tmp_path: Path) -> None:
    example = str(ROOT / "examples" / "train_digits.py")
    output = run_python("-W", "ignore", example, tracking_uri=shared_server.tracking_uri, folder=tmp_path)
    assert "points of 3 nested runs came back as they were logged" in output


def test_make_serve_starts_a_server(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "STEPWELL_GRPC_PORT": "0",
        "STEPWELL_HTTP_PORT": "0",
        "STEPWELL_DATA": str(tmp_path / "data"),
    }
    process = subprocess.Popen(
        ["make", "--no-print-directory", "serve"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout
        told = next(line for line in process.stdout if "http://" in line)
        assert re.search(r"ready: http://127\.0\.0\.1:\d+$", told)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_server_takes_a_store(database_url: str) -> None:
    command = [
        str(Path(sys.executable).parent / "stepwell"),
        "server",
        "--grpc-port",
        "0",
        "--http-port",
        "0",
        "--store",
        database_url,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        assert "http://" in process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.xdist_group("pip")  # where the page is not built yet, both would build it
@pytest.mark.parametrize("requirement", [".", ".[server]"])
def test_what_pip_would_install(requirement: str) -> None:
    """Resolves and builds the package as README says; nothing is installed."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", requirement]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert done.returncode == 0, done.stderr
