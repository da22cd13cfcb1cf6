"""The search of the tutorials as their readers start it: in the environment that the project asks for."""

import os
import subprocess
from pathlib import Path

import stepwell
from tests.harness.environments import ROOT
from tests.harness.servers.processes import ServerProcess, command_line

COMMAND_S = 600.0
TRIALS = 2


def test_hyperopt_searches_in_the_environment_of_its_project(
    shared_server: ServerProcess, tmp_path: Path
) -> None:
    settings = {
        "MLFLOW_TRACKING_URI": shared_server.url,
        "STEPWELL_ENVIRONMENTS_DIR": os.environ.get("STEPWELL_ENVIRONMENTS_DIR") or str(tmp_path),
    }
    around = {name: value for name, value in os.environ.items() if name != "STEPWELL_TRACKING_URI"}
    words = ["-e", "hyperopt", ".", "-P", f"max_runs={TRIALS}", "-P", "epochs=2"]
    done = subprocess.run(
        command_line("run", *words, "--experiment-name", "hyperopt"),
        cwd=ROOT / "examples" / "hyperparam",
        env={**around, **settings},
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    client = stepwell.StepwellClient(shared_server.tracking_uri)
    experiment = client.get_experiment_by_name("hyperopt")
    runs = client.search_runs([experiment.experiment_id])
    (search,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == search.info.run_id]
    assert search.data.tags["mlflow.project.env"] == "uv"
    assert len(trials) == TRIALS
    best = min(trials, key=lambda run: run.data.metrics["val_rmse"])
    assert search.data.tags["best_run"] == best.info.run_id
    assert search.data.metrics["best_val_rmse"] == best.data.metrics["val_rmse"]
