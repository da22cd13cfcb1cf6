"""Clients of MLflow's REST interface: one process each, a connection that is kept, batches that were encoded before."""

import http.client
import json
import multiprocessing
import time
from typing import Any

from benchmarks.loads.streams import Shape
from benchmarks.loads.workloads import Result

API = "/api/2.0/mlflow"


def log_batches(port: int, clients: int, shape: Shape, batches: int) -> Result:
    """Let each client send its batches of one run, one after the other, as MLflow's client does; time them together."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(clients) as pool:
        pool.map(abs, range(clients))
        jobs = [pool.apply_async(_client, (port, shape, batches)) for _ in range(clients)]
        reports = [job.get(900) for job in jobs]
    seconds = max(report["seconds"] for report in reports)
    points = clients * batches * len(shape)
    return {"points": points, "seconds": round(seconds, 3), "points_per_second": round(points / seconds)}


def _client(port: int, shape: Shape, batches: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    run = _post(connection, "/runs/create", {"experiment_id": "0", "start_time": int(time.time() * 1_000)})
    run_id = run["run"]["info"]["run_id"]
    bodies = [_batch(run_id, shape, number) for number in range(batches)]
    connection.close()  # encoding took its time, and servers close what is silent; the next call opens it again
    started = time.perf_counter()
    for body in bodies:
        _send(connection, "/runs/log-batch", body)
    return {"seconds": time.perf_counter() - started}


def _batch(run_id: str, shape: Shape, number: int) -> bytes:
    first = number * shape.points
    metrics = [
        {
            "key": f"metric_{metric}",
            "value": step * 0.37 + metric,
            "timestamp": 1_700_000_000_000 + step,
            "step": step,
        }
        for metric in range(shape.metrics)
        for step in range(first, first + shape.points)
    ]
    return json.dumps({"run_id": run_id, "metrics": metrics}).encode()


def _post(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    return json.loads(_send(connection, path, json.dumps(body).encode()))


def _send(connection: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    connection.request("POST", API + path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {text[:500]!r}")
    return text
