"""What autologging adds to a fit of scikit-learn: alone, many in a row, and a search; beside MLflow's, in one run.

    python -m benchmarks.autolog [--rounds 10] [--lightning] [--keras] [--mlflow PYTHON]

Prints JSON: milliseconds that a call takes longer than without autologging, the first of a process apart. `alone`: each
waits until the one before is wholly logged. `in a row`: none waits; then also with the time until the last of them is
logged. `processor`: of the calling thread alone, which a busy machine changes least. PYTHON has mlflow 3 and
scikit-learn, and logs to a local SQLite file, which is the quickest that it has.

With --lightning or --keras instead: what it adds to each of 1,000 steps of a training that logs them all, see
`autolog_steps.py`; `rounds` trainings with and as many without. Both Pythons have the library then.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import surroundings
from tests.harness.processes import ServerProcess

STEPS_SCRIPT = Path(__file__).with_name("autolog_steps.py")
SCRIPT = """
import json, sys, warnings
from importlib import import_module
from time import perf_counter, thread_time
warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
rows, labels = load_iris(return_X_y=True, as_frame=True)
rounds, name, log_models = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"

def fit():
    LogisticRegression(max_iter=200).fit(rows, labels)

def search():
    GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.01 * n for n in range(1, 101)]}, cv=5).fit(rows, labels)

def both(call, then=lambda: None):
    began, processor = perf_counter(), thread_time()
    call()
    found = (perf_counter() - began) * 1e3, (thread_time() - processor) * 1e3
    then()
    return found

def taken(call, then=lambda: None):
    return both(call, then)[0]

fit()
without = [both(fit) for _ in range(rounds)]
search_without = taken(search)
module = import_module(name)
module.set_experiment("autolog")
wait = getattr(module, "flush", lambda: None)
import_module(name + ".sklearn").autolog(log_models=log_models, silent=True)
alone = [both(fit, wait) for _ in range(rounds)]
in_a_row = taken(lambda: [fit() for _ in range(rounds)])
and_logged = in_a_row + taken(wait)
print(json.dumps({
    "without": without, "alone": alone, "in_a_row": in_a_row / rounds, "and_logged": and_logged / rounds,
    "search_without": search_without, "search": taken(search, wait),
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--mlflow", metavar="PYTHON", help="with mlflow 3 and scikit-learn")
    parser.add_argument("--lightning", action="append_const", dest="libraries", const="lightning")
    parser.add_argument("--keras", action="append_const", dest="libraries", const="keras")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"surroundings": surroundings.surroundings()}
    for library in chosen.libraries or ():
        command = ["-P", str(STEPS_SCRIPT), library]
        result[f"stepwell_{library}"] = _on_a_server([*command, "stepwell", str(chosen.rounds)])
        if chosen.mlflow:
            arguments = [*command, "mlflow", str(chosen.rounds)]
            result[f"mlflow_{library}"] = _in_a_file(chosen.mlflow, arguments)
    if not chosen.libraries:
        result |= _fits(chosen)
    print(json.dumps(result, indent=2))


def _fits(chosen: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for models in (True, False):
        what = "with_model" if models else "without_model"
        result[f"stepwell_{what}"] = _stepwell(chosen.rounds, models)
        if chosen.mlflow:
            result[f"mlflow_{what}"] = _mlflow(chosen.mlflow, max(chosen.rounds // 5, 2), models)
    return result


def _stepwell(rounds: int, models: bool) -> dict[str, float]:
    return _added(_on_a_server(["-c", SCRIPT, str(rounds), "stepwell", str(models)]))


def _mlflow(python: str, rounds: int, models: bool) -> dict[str, float]:
    return _added(_in_a_file(python, ["-c", SCRIPT, str(rounds), "mlflow", str(models)]))


def _on_a_server(arguments: list[str]) -> dict[str, Any]:
    """Run a script with Stepwell and a server of its own; returns what it prints."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess("--data", str(Path(folder, "data"))) as server,
    ):
        place = {
            "STEPWELL_TRACKING_URI": server.tracking_uri,
            "STEPWELL_SPOOL_DIR": str(Path(folder, "spool")),
        }
        return _run(sys.executable, arguments, place, Path(folder))


def _in_a_file(python: str, arguments: list[str]) -> dict[str, Any]:
    """Run a script with MLflow and a file of its own; returns what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        place = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        return _run(python, arguments, place, Path(folder))


def _run(python: str, arguments: list[str], place: dict[str, str], folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [os.path.abspath(python), *arguments],  # noqa: PTH100 - not resolved
        env={"KERAS_BACKEND": "torch", **os.environ, **place},
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


def _added(found: dict[str, Any]) -> dict[str, float]:
    usual, usual_processor = (statistics.median(column) for column in zip(*found["without"], strict=True))
    alone, alone_processor = (statistics.median(column) for column in zip(*found["alone"][1:], strict=True))
    return {
        "fit_without_ms": round(usual, 2),
        "first_adds_ms": round(found["alone"][0][0] - usual, 2),
        "alone_adds_ms": round(alone - usual, 2),
        "alone_adds_processor_ms": round(alone_processor - usual_processor, 2),
        "in_a_row_adds_ms": round(found["in_a_row"] - usual, 2),
        "in_a_row_and_logged_adds_ms": round(found["and_logged"] - usual, 2),
        "search_without_ms": round(found["search_without"], 1),
        "search_adds_ms": round(found["search"] - found["search_without"], 1),
    }


if __name__ == "__main__":
    main()
