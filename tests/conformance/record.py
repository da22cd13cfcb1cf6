"""Records what MLflow's own server answers to the requests of `scenarios`, for `test_differential`.

    python3 -m venv /tmp/mlflow3 && /tmp/mlflow3/bin/pip install 'mlflow==3.17.2'
    /tmp/mlflow3/bin/python -m tests.conformance.record    # from the root of the tree

Starts a server of the MLflow that is installed beside this Python, on an SQLite database in a temporary folder, and
writes `recorded/mlflow-<version>.jsonl`: one line a step, with the fingerprint of its request. Of older versions than
`NEWEST`, which comes first, only what was answered otherwise. Of `NEWEST` also its routes, see `ROUTES`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from tests.conformance.normalise import normalised
from tests.conformance.scenarios import SCENARIOS
from tests.conformance.steps import Answer, Step, Variables, play

RECORDED = Path(__file__).with_name("recorded")
NEWEST = "mlflow-3.17.2.jsonl"
ROUTES = "routes-3.17.2.txt"
# No telemetry, and none of the seven processes for jobs.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
READY_S = 120.0
STOP_S = 20.0


def main() -> None:
    """Record everything anew."""
    lines: list[str] = []
    with mlflow_server() as port:
        for scenario in SCENARIOS:

            def see(step: Step, answer: Answer, variables: Variables, name: str = scenario.name) -> None:
                line = {"scenario": name, "step": step.name, "request": step.fingerprint}
                lines.append(
                    json.dumps(
                        line | normalised(answer, variables), ensure_ascii=False, separators=(",", ":")
                    )
                )

            play("127.0.0.1", port, scenario, see)
    RECORDED.mkdir(exist_ok=True)
    made = RECORDED / f"mlflow-{version('mlflow')}.jsonl"
    if made.name == NEWEST:
        (RECORDED / ROUTES).write_text("\n".join(routes()) + "\n")
    else:
        known = set((RECORDED / NEWEST).read_text().splitlines())
        lines = [line for line in lines if line not in known]
    made.write_text("\n".join(lines) + "\n")


def routes() -> list[str]:
    """Return the routes of the MLflow that is installed, but for those of its page that its clients ask, too."""
    from mlflow.server import app

    found = {(",".join(sorted(it.methods - {"HEAD", "OPTIONS"})), it.rule) for it in app.url_map.iter_rules()}
    twins = {
        (methods, path.replace("/api/", "/ajax-api/")) for methods, path in found if path.startswith("/api/")
    }
    return sorted(" ".join(route) for route in found - twins)


@contextmanager
def mlflow_server() -> Iterator[int]:
    """Run MLflow's server on a new database while the context lasts; yields its port."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
                *("--artifacts-destination", f"{folder}/artifacts", "--serve-artifacts", "--workers", "1"),
            ],
            cwd=folder,
            env={**os.environ, **QUIET},
            stdout=subprocess.DEVNULL,
            stderr=(Path(tempfile.gettempdir()) / "mlflow-recording.log").open("w"),
            start_new_session=True,
        )
        try:
            _wait_until_ready(port, process)
            yield port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it keeps nothing, and its children are slow to end
            process.wait(STOP_S)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"MLflow's server ended with code {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"MLflow's server did not listen within {READY_S} s")


if __name__ == "__main__":
    main()
