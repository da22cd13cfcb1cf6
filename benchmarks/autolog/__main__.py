"""What autologging adds: to a fit of scikit-learn, alone and many in a row, and to a search; to steps of trainings.

    python -m benchmarks.autolog [--rounds 10] [--with-model | --without-model] [--lightning] [--keras]
                                 [--mlflow PYTHON] [--mlflow-rounds 1]

Prints JSON: milliseconds that a call takes longer than without autologging, as medians of pairs of calls that are made
in turns, with their quartiles (`pairs.py`). `processor` is that of the thread that trains, which a busy machine changes
least, `of_process` that of all threads until the call returns. `alone`: what a fit leaves for later is awaited before
the next; `in_a_row`: of ten fits none waits. `later_processor` is what threads of the process take for each of them
afterwards, until all is delivered. PYTHON has mlflow 3 and scikit-learn, and logs to a local SQLite file, which is the
quickest that it has; it takes its turn in a process of its own, with fewer rounds: with the model each of its fits
takes seconds, and there are ten in a row, and one before each turn, so that one round is 100 s where 6 of ours are 90.
--with-model or --without-model is half of it all.

With --lightning or --keras instead: what it adds to each step of trainings that log them all, of 1,000 small steps and
of 100 as people train (`steps.py`); `rounds` trainings with and as many without. Both Pythons have the library, and
torch, then.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import surroundings
from tests.harness.servers.processes import ServerProcess

ROOT = Path(__file__).parents[2]
FITS = ("-m", "benchmarks.autolog.fits")
STEPS = ("-m", "benchmarks.autolog.steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--mlflow", metavar="PYTHON", help="with mlflow 3, and scikit-learn or the library")
    parser.add_argument("--mlflow-rounds", type=int, default=1)
    models = parser.add_mutually_exclusive_group()
    models.add_argument(
        "--with-model", action="store_const", dest="models", const=[True], default=[True, False]
    )
    models.add_argument("--without-model", action="store_const", dest="models", const=[False])
    parser.add_argument("--lightning", action="append_const", dest="libraries", const="lightning")
    parser.add_argument("--keras", action="append_const", dest="libraries", const="keras")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"surroundings": surroundings.surroundings()}
    for library in chosen.libraries or ():
        command = [*STEPS, library]
        result[f"stepwell_{library}"] = _on_a_server([*command, "stepwell", str(chosen.rounds)])
        if chosen.mlflow:
            arguments = [*command, "mlflow", str(chosen.mlflow_rounds)]
            result[f"mlflow_{library}"] = _in_a_file(chosen.mlflow, arguments)
    if not chosen.libraries:
        result |= _fits(chosen)
    print(json.dumps(result, indent=2))


def _fits(chosen: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for models in chosen.models:
        what = "with_model" if models else "without_model"
        ours = [*FITS, "stepwell", str(chosen.rounds), str(models)]
        result[f"stepwell_{what}"] = _on_a_server(ours)
        if chosen.mlflow:
            theirs = [*FITS, "mlflow", str(chosen.mlflow_rounds), str(models)]
            result[f"mlflow_{what}"] = _in_a_file(chosen.mlflow, theirs)
    return result


def _on_a_server(arguments: list[str]) -> dict[str, Any]:
    """Run a script with Stepwell and a server of its own; returns what it prints."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess("--data", str(Path(folder, "data"))) as server,
    ):
        place = {
            "STEPWELL_TRACKING_URI": server.tracking_uri,
            "STEPWELL_SPOOL_DIR": str(Path(folder, "spool")),
            "BENCHMARK_SERVER": str(server.process.pid),
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
        env={"KERAS_BACKEND": "torch", **os.environ, **place, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
