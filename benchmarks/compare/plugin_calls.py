"""mlflow.log_metric with the plugin, on a Stepwell server: the whole call, and our part of it. Prints JSON.

    PYTHON benchmarks/compare/plugin_calls.py URI CALLS

`PYTHON` has mlflow (or mlflow-skinny) and Stepwell installed. The tracking store's part is measured by calling it with
points as MLflow's client makes them.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import mlflow
from mlflow.entities import Metric

ROUNDS = 5


def microseconds(calls: int, call: Callable[[int], object]) -> float:
    """The median over some rounds of what a call takes."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for step in range(calls):
            call(step)
        rounds.append((time.perf_counter() - began) / calls * 1e6)
    return round(statistics.median(rounds), 2)


def main(uri: str, calls: int) -> None:
    """Measure and print."""
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run() as run:
        run_id = run.info.run_id
        store = mlflow.MlflowClient()._tracking_client.store
        points = [Metric("loss", step / 7, 1_700_000_000_000 + step, step) for step in range(20 * calls)]
        mlflow.log_metric("loss", 0.5, step=0)
        found = {
            "mlflow": mlflow.__version__,
            "calls": calls,
            "log_metric_us": microseconds(calls, lambda step: mlflow.log_metric("loss", 0.5, step=step)),
            "ours_us": microseconds(20 * calls, lambda step: store.log_metric(run_id, points[step])),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
