"""log_model of a small estimator, with signature and example, to committed, and load_model of a stage; beside MLflow's.

    python -m benchmarks.models [--rounds 5] [--mlflow PYTHON]

Prints JSON: milliseconds of each call, the first of a process apart, and beside load_model what unpickling the same
file takes. Ours goes through a real server (embedded PostgreSQL, fsync on). With --mlflow the same calls are made by
the `mlflow` of another Python: against its own server, on a PostgreSQL of the same kind (`mlflow_server`), and against
a SQLite database and a folder with no server between (`mlflow_files`); `ratios` compares the medians.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.compare.__main__ import postgres, with_database
from benchmarks.compare.peers import MLFLOW_3, running_peer
from benchmarks.measuring import surroundings
from tests.harness.servers.processes import ServerProcess

SCRIPT = """
import json, pickle, sys
from time import perf_counter
import {module} as mlflow
import {module}.sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

features, kinds = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=200).fit(features, kinds)
client = mlflow.MlflowClient()

def taken(call):
    found = []
    for _ in range(int(sys.argv[1])):
        began = perf_counter()
        call()
        found.append((perf_counter() - began) * 1e3)
    return found

def log(**more):
    return mlflow.sklearn.log_model(model, name="model", input_example=features.head(5), **more)

def unpickle():
    with open(sys.argv[2], "rb") as file:
        pickle.load(file)

with open(sys.argv[2], "wb") as file:
    pickle.dump(model, file)
mlflow.set_experiment("models")
with mlflow.start_run():
    logged = taken(lambda: log(**{more}))
    log(**{more}, registered_model_name="flowers")
client.transition_model_version_stage("flowers", "1", "Production")
uri = "models:/flowers/Production"
print(json.dumps({{
    "log_model_ms": logged,
    "load_model_of_stage_ms": taken(lambda: mlflow.sklearn.load_model(uri)),
    "load_pyfunc_of_stage_ms": taken(lambda: mlflow.pyfunc.load_model(uri)),
    "unpickle_ms": taken(unpickle),
}}))
"""
OURS = SCRIPT.format(module="stepwell", more={})
# The default of MLflow 3.17 is another format.
THEIRS = SCRIPT.format(module="mlflow", more={"serialization_format": "cloudpickle"})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mlflow", metavar="PYTHON", help="with mlflow 3 and scikit-learn")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"surroundings": surroundings.surroundings()}
    with tempfile.TemporaryDirectory() as folder:
        result["stepwell"] = _stepwell(chosen.rounds, Path(folder))
        if chosen.mlflow:
            theirs = {
                "mlflow_server": asyncio.run(_mlflow_server(chosen.mlflow, chosen.rounds, Path(folder))),
                "mlflow_files": _mlflow_files(chosen.mlflow, chosen.rounds, Path(folder)),
            }
            result |= theirs
            result["ratios"] = {name: _ratios(result["stepwell"], found) for name, found in theirs.items()}
    loading, unpickling = (result["stepwell"][it] for it in ("load_model_of_stage_ms", "unpickle_ms"))
    result["load_model_above_unpickling_ms"] = round(
        loading["median_of_others"] - unpickling["median_of_others"], 1
    )
    print(json.dumps(result, indent=2))


def _stepwell(rounds: int, folder: Path) -> dict[str, Any]:
    with ServerProcess("--data", str(folder / "data")) as server:
        place = {
            "STEPWELL_TRACKING_URI": server.tracking_uri,
            "STEPWELL_SPOOL_DIR": str(folder / "spool"),
        }
        return _run(sys.executable, OURS, rounds, folder, place)


async def _mlflow_server(python: str, rounds: int, folder: Path) -> dict[str, Any]:
    def measure(store: str) -> dict[str, Any]:
        with running_peer(MLFLOW_3, store) as port:
            return _mlflow(python, rounds, folder, f"http://127.0.0.1:{port}")

    async with postgres() as store:
        return await with_database(store, "models", measure)


def _mlflow_files(python: str, rounds: int, folder: Path) -> dict[str, Any]:
    return _mlflow(python, rounds, folder, f"sqlite:///{folder}/mlflow.db")


def _mlflow(python: str, rounds: int, folder: Path, tracking_uri: str) -> dict[str, Any]:
    place = {"MLFLOW_TRACKING_URI": tracking_uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    return _run(python, THEIRS, rounds, folder, place)


def _run(python: str, script: str, rounds: int, folder: Path, place: dict[str, str]) -> dict[str, Any]:
    began = perf_counter()
    done = subprocess.run(
        [python, "-W", "ignore", "-c", script, str(rounds), str(folder / "model.pkl")],
        env={**os.environ, **place},
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
    )
    print(f"{perf_counter() - began:.1f} s", file=sys.stderr)
    return {what: _summary(taken) for what, taken in json.loads(done.stdout.splitlines()[-1]).items()}


def _summary(taken: list[float]) -> dict[str, float]:
    return {"first": round(taken[0], 1), "median_of_others": round(statistics.median(taken[1:]), 1)}


def _ratios(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """How many times as long MLflow takes."""
    return {
        what.removesuffix("_ms"): round(theirs[what]["median_of_others"] / ours[what]["median_of_others"], 1)
        for what in ours
        if what != "unpickle_ms"
    }


if __name__ == "__main__":
    main()
