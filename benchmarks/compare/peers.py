"""The other servers: each in a virtual environment of its own, on a database of its own in the same PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".venv-compare"
READY_S = 120.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that speaks MLflow's REST interface. `command` gets its environment, the database's URL and the port."""

    name: str
    module: str  # where its interface is, below /
    durable: str
    command: Callable[[Path, str, int, Path], Sequence[str | Path]]


# MLflow's workers are killed when a transfer or a read takes longer than their default of 30 s.
_PATIENT_WORKERS = ("--gunicorn-opts", "--timeout 600")

# The same of MLflow 3: 5 s, which is little where server, clients and PostgreSQL share two cores.
_PATIENT_UVICORN = ("--uvicorn-opts", "--timeout-worker-healthcheck 600 --timeout-keep-alive 600")


def _mlflow(environment: Path, store: str, port: int, folder: Path) -> Sequence[str | Path]:
    url = store.replace("postgresql://", "postgresql+psycopg2://", 1)
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--no-serve-artifacts"]
    return [
        environment / "bin/mlflow", "server", "--backend-store-uri", url,
        "--default-artifact-root", str(folder), *options, *_PATIENT_WORKERS,
    ]  # fmt: skip


def _mlflow_with_artifacts(environment: Path, store: str, port: int, folder: Path) -> Sequence[str | Path]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--serve-artifacts"]
    return [
        environment / "bin/mlflow", "server", "--backend-store-uri", store,
        "--artifacts-destination", str(folder / "artifacts"), *options, *_PATIENT_WORKERS,
    ]  # fmt: skip


def _fasttrackml(environment: Path, store: str, port: int, folder: Path) -> Sequence[str | Path]:
    options = ["--listen-address", f"127.0.0.1:{port}", "--default-artifact-root", str(folder)]
    return [environment / "bin/fml", "server", "--database-uri", store, *options]


PEERS = (
    Peer("mlflow", "", "committed to PostgreSQL with fsync", _mlflow),
    Peer(
        "fasttrackml", "", "committed to PostgreSQL with fsync, in several transactions a batch", _fasttrackml
    ),
)


def _mlflow3(environment: Path, store: str, port: int, folder: Path) -> Sequence[str | Path]:
    url = store.replace("postgresql://", "postgresql+psycopg2://", 1)
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    return [
        environment / "bin/mlflow", "server", "--backend-store-uri", url,
        "--artifacts-destination", str(folder / "artifacts"), *options, *_PATIENT_UVICORN,
    ]  # fmt: skip


# The newest one, which takes artifacts as well; for compare/rest_servers.py.
MLFLOW_3 = Peer("mlflow3", "", "committed to PostgreSQL with fsync, artifacts not flushed", _mlflow3)

# Not beside the others: it takes artifacts for its clients, and its database may be a file.
MLFLOW_WITH_ARTIFACTS = Peer(
    "mlflow", "", "written to files, not flushed to the disk", _mlflow_with_artifacts
)


def environment_of(peer: Peer) -> Path:
    """Make the peer's virtual environment unless it is there."""
    return environment_at(peer.name)


def environment_at(name: str) -> Path:
    """Make the virtual environment of requirements-NAME.txt unless it is there.

    Raises:
        RuntimeError: it cannot be installed on this Python, and why.
    """
    folder = ENVIRONMENTS / name
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        requirements = HERE / f"requirements-{name}.txt"
        pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} cannot be installed: {done.stderr[-1_000:]}")
        (folder / "installed").touch()
    return folder


@contextmanager
def running_peer(peer: Peer, store: str) -> Iterator[int]:
    """Run the peer's server while the context lasts; yields its port."""
    with running_process(peer, store) as (port, _):
        yield port


@contextmanager
def running_process(peer: Peer, store: str) -> Iterator[tuple[int, int]]:
    """The same; yields its port and the id of its first process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            peer.command(environment_of(peer), store, port, Path(folder)),
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
        try:
            _wait(process, port, log)
            yield port, process.pid
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server with all of its workers, which are a session of their own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: object) -> None:
    give_up = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > give_up:
                log.seek(0)  # type: ignore[attr-defined]
                raise RuntimeError(f"it does not start: {log.read()[-2_000:]}") from error  # type: ignore[attr-defined]
        time.sleep(0.2)
