"""The tutorials that run projects: iris with its two entry points, and a search whose trials are runs."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import joblib
import pandas as pd
import pytest
from click.testing import CliRunner

import stepwell
from stepwell.commands.experiments import experiments
from tests.harness.servers.processes import command_line
from tests.tutorials.conftest import EXAMPLES, files_of, runs_of

pytestmark = pytest.mark.timeout(300)  # each command loads scikit-learn anew

COMMAND_S = 200.0
IRIS = pd.read_csv(EXAMPLES / "iris_project" / "iris.csv")


def run(*words: str, folder: Path) -> str:
    """Run `stepwell` with these words in a folder, in the environment that is there; return what it printed."""
    done = subprocess.run(
        command_line(*words),
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(values: dict[str, object]) -> Sequence[str]:
    return [word for name, value in values.items() for word in ("-P", f"{name}={value}")]


def test_iris_is_trained_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(experiments, ["create", "--experiment-name", "iris"]).exit_code == 0
    # As the tutorial's author types it: in the project's folder, with files beside it, in the environment at hand.
    project = ["run", str(EXAMPLES / "iris_project"), "--no-conda", "--experiment-name", "iris"]
    IRIS.to_csv(tmp_path / "flowers.csv", index=False)
    given = {"input_file": "flowers.csv", "output_file": "best.joblib"}
    told = run(*project, "-e", "train", *options(given), "--run-name", "train", folder=tmp_path)
    assert "with a score of 0." in told
    (trained,) = runs_of("iris").values()
    assert (
        trained.data.params.items()
        >= {
            "input_file": str(tmp_path / "flowers.csv"),
            "output_file": str(tmp_path / "best.joblib"),
        }.items()
    )
    assert {"pca__n_components", "logistic__alpha"} <= trained.data.params.keys()
    assert trained.data.metrics["best score"] > 0.9
    assert files_of(trained.info.run_id) == {"flowers.csv", "best.joblib", "output.log"}
    assert trained.data.tags["mlflow.project.entryPoint"] == "train"

    used = {"model_file": f"runs:/{trained.info.run_id}/best.joblib", "input_file": "flowers.csv"}
    stepwell.set_experiment("iris")
    monkeypatch.chdir(tmp_path)
    stepwell.projects.run(project[1], "infer", parameters=used, env_manager="local", run_name="infer")
    inferred = runs_of("iris")["infer"]
    expected = pd.Series(joblib.load(tmp_path / "best.joblib").predict(IRIS.drop(columns="Species")))
    assert inferred.data.metrics == {
        f"{name} flowers": count for name, count in expected.value_counts().items()
    }
    assert inferred.data.params["model_file"] == used["model_file"]


def test_trials_of_a_search_are_runs_inside_of_it(tmp_path: Path) -> None:
    words = ["run", "-e", "random", ".", "--env-manager", "local", "--experiment-name", "hyperparam"]
    run(
        *words, *options({"max_runs": 2, "epochs": 3}), "--run-name", "search", folder=EXAMPLES / "hyperparam"
    )
    search = runs_of("hyperparam")["search"]
    trials = runs_of("hyperparam", f"tags.`mlflow.parentRunId` = '{search.info.run_id}'").values()
    assert [trial.info.status for trial in trials] == ["FINISHED"] * 2
    best = min(trials, key=lambda trial: trial.data.metrics["val_rmse"])
    assert search.data.metrics == {"best_val_rmse": pytest.approx(best.data.metrics["val_rmse"])}
    assert search.data.tags["best_run"] == best.info.run_id
    assert {"lr", "momentum", "learning_rate", "epochs", "seed"} <= best.data.params.keys()
    history = stepwell.MlflowClient().get_metric_history(best.info.run_id, "test_rmse")
    assert [point.step for point in history] == [0, 1, 2]
