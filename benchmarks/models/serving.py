"""A server of one model, one worker: requests of one row of a small estimator, beside MLflow's server, in one run.

    python -m benchmarks.models.serving [--requests 300] [--clients 8] [--mlflow PYTHON]

Prints JSON: milliseconds of a request by itself (p50, p99), and requests a second of several clients at once. With
--mlflow the same folder is served by the `mlflow` of another Python, after ours, on the same machine.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measuring import surroundings
from tests.harness.network.ports import free_port

START_S = 120.0
ROW = json.dumps(
    {
        "dataframe_split": {
            "columns": ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
            "data": [[5.1, 3.5, 1.4, 0.2]],
        }
    }
).encode()

SAVE = """
import sys, stepwell
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
features, kinds = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=200).fit(features, kinds)
stepwell.sklearn.save_model(model, sys.argv[1], input_example=features.head(3))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--mlflow", metavar="PYTHON")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"surroundings": surroundings.surroundings()}
    with tempfile.TemporaryDirectory() as around:
        folder = str(Path(around, "model"))
        subprocess.run([sys.executable, "-W", "ignore", "-c", SAVE, folder], check=True)
        ours = [sys.executable, "-c", "from stepwell.commands.models import models; models()"]
        sides = {"stepwell": (ours, sys.executable)}
        if chosen.mlflow:
            sides["mlflow"] = ([chosen.mlflow, "-m", "mlflow", "models"], chosen.mlflow)
        for side, (command, python) in sides.items():
            with _serving(command, python, folder) as (process_id, port):
                result[side] = _measured(process_id, port, chosen.requests, chosen.clients)
    print(json.dumps(result, indent=2))


@contextmanager
def _serving(command: list[str], python: str, folder: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [*command, "serve", "-m", folder, "-p", str(port), "-w", "1", "--env-manager", "local"],
        env={**os.environ, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{command[0]} did not start a server")
            time.sleep(0.2)
        yield process.pid, port
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def _answers(port: int) -> bool:
    try:
        return _ask(http.client.HTTPConnection("127.0.0.1", port), "GET", "/ping", None) == 200
    except OSError:
        return False


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> int:
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _measured(process_id: int, port: int, requests: int, clients: int) -> dict[str, float]:
    taken = _requests(port, requests)
    family = surroundings.family(process_id)
    used = surroundings.cpu_seconds(family)
    began = time.perf_counter()
    threads = [threading.Thread(target=_requests, args=(port, requests)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "p50_ms": round(statistics.median(taken), 2),
        "p99_ms": round(sorted(taken)[int(len(taken) * 0.99) - 1], 2),
        "requests_per_s": round(requests * clients / seconds, 1),
        "server_cpu_ms_per_request": round(
            1e3 * (surroundings.cpu_seconds(family) - used) / (requests * clients), 2
        ),
    }


def _requests(port: int, count: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        assert _ask(connection, "POST", "/invocations", ROW) == 200
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


if __name__ == "__main__":
    main()
