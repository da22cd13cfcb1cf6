"""What `stepwell run` adds to a command, in a cached environment and in the caller's; `mlflow run` beside it.

    python -m benchmarks.compare.projects [--rounds 5]

The command does nothing. Needs the environment of MLflow that benchmarks/compare makes (.venv-compare/mlflow3).
Seconds, medians; prints JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring.surroundings import surroundings
from tests.harness.servers.processes import ServerProcess

MLFLOW = Path(".venv-compare/mlflow3/bin/mlflow")
FILE = "name: nothing\npython_env: python_env.yaml\nentry_points: {main: {command: 'true'}}\n"


def seconds(rounds: int, command: Sequence[str | Path], environment: dict[str, str]) -> float:
    """The median time of a command, after once that nobody counts."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return round(statistics.median(taken[1:]), 3)


def measure(rounds: int) -> dict[str, float]:
    """Run a project that does nothing in all ways."""
    with tempfile.TemporaryDirectory() as folder, ServerProcess("--data", f"{folder}/data") as server:
        project = Path(folder, "project")
        project.mkdir()
        (project / "MLproject").write_text(FILE)
        (project / "python_env.yaml").write_text("dependencies: []\n")
        ours = {
            "STEPWELL_TRACKING_URI": server.tracking_uri,
            "STEPWELL_ENVIRONMENTS_DIR": f"{folder}/environments",
            "STEPWELL_SPOOL_DIR": f"{folder}/spool",
        }
        theirs = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        stepwell = Path(sys.executable).with_name("stepwell")
        found = {
            "command alone": seconds(rounds, ["/bin/bash", "-c", "true"], {}),
            "stepwell run, cached uv": seconds(rounds, [stepwell, "run", str(project)], ours),
            "stepwell run, local": seconds(rounds, [stepwell, "run", str(project), "--no-conda"], ours),
        }
        if MLFLOW.exists():
            command = [MLFLOW.absolute(), "run", str(project), "--env-manager", "local"]
            found["mlflow run, local"] = seconds(rounds, command, theirs)
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps({"seconds": measure(arguments.rounds), **surroundings()}, indent=1))
