"""log_model of a small estimator, with signature and example, to committed, and load_model of a stage; beside MLflow's.

    python -m benchmarks.models [--rounds 5] [--mlflow]

Prints JSON: milliseconds of each call, the first of a process apart. With --mlflow also what MLflow takes to save the
same to a local folder with its requirements inferred: it starts a process that loads the model, once a call.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import surroundings
from tests.harness.processes import ServerProcess

SCRIPT = """
import json, sys, tempfile
from time import perf_counter
import {module} as mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
{more}
features, kinds = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=200).fit(features, kinds)
{before}
taken = []
for _ in range(int(sys.argv[1])):
    began = perf_counter()
    {call}
    taken.append((perf_counter() - began) * 1e3)
print(json.dumps(taken))
"""
OURS = SCRIPT.format(
    module="stepwell",
    more="run = mlflow.start_run()",
    before="",
    call="mlflow.sklearn.log_model(model, 'model', input_example=features.head(5))",
)
LOAD = SCRIPT.format(
    module="stepwell",
    more="",
    before="mlflow.sklearn.log_model(model, 'model', registered_model_name='flowers')\n"
    "mlflow.StepwellClient().transition_model_version_stage('flowers', '1', 'Production')",
    call="mlflow.sklearn.load_model('models:/flowers/Production')",
)
THEIRS = SCRIPT.format(
    module="mlflow",
    more="import mlflow.sklearn",
    before="",
    call="mlflow.sklearn.save_model(model, tempfile.mkdtemp(), input_example=features.head(5), "
    "serialization_format='cloudpickle')",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mlflow", action="store_true")
    chosen = parser.parse_args()
    result = {"surroundings": surroundings.surroundings(), **_stepwell(chosen.rounds)}
    if chosen.mlflow:
        result["mlflow_save_model_ms"] = _summary(_run(THEIRS, 2, {}))
    print(json.dumps(result, indent=2))


def _stepwell(rounds: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess("--data", str(Path(folder, "data"))) as server,
    ):
        place = {
            "STEPWELL_TRACKING_URI": server.tracking_uri,
            "STEPWELL_SPOOL_DIR": str(Path(folder, "spool")),
        }
        return {
            "log_model_ms": _summary(_run(OURS, rounds, place)),
            "load_model_of_stage_ms": _summary(_run(LOAD, rounds, place)),
        }


def _run(script: str, rounds: int, place: dict[str, str]) -> list[float]:
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(rounds)],
        env={**os.environ, **place},
        stdout=subprocess.PIPE,
        check=True,
    )
    print(f"{perf_counter() - began:.1f} s", file=sys.stderr)
    return [float(it) for it in json.loads(done.stdout)]


def _summary(taken: list[float]) -> dict[str, float]:
    return {"first": round(taken[0], 1), "median_of_others": round(statistics.median(taken[1:]), 1)}


if __name__ == "__main__":
    main()
