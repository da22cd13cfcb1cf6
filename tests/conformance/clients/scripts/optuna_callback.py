"""Optuna's MLflowCallback: a run for each trial, and metrics logged inside of it."""

import os
import sys
import warnings

import mlflow
import optuna
from optuna_integration.mlflow import MLflowCallback

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.WARNING)
name = sys.argv[1]
TRIALS = 5
callback = MLflowCallback(tracking_uri=os.environ["MLFLOW_TRACKING_URI"], metric_name="value")


@callback.track_in_mlflow()
def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -1, 1)
    mlflow.log_metric("inside", x)
    return x * x


study = optuna.create_study(study_name=name)
study.set_user_attr("from", "optuna")
study.optimize(objective, n_trials=TRIALS, callbacks=[callback])

runs = mlflow.search_runs(
    experiment_names=[name], output_format="list", order_by=["attributes.start_time ASC"]
)
assert [run.info.run_name for run in runs] == [str(number) for number in range(TRIALS)], runs
for run, trial in zip(runs, study.trials, strict=True):
    assert run.info.status == "FINISHED", run.info
    assert run.data.params == {"x": str(trial.params["x"])}, run.data.params
    assert run.data.metrics == {"value": trial.value, "inside": trial.params["x"]}, run.data.metrics
    assert run.data.tags["number"] == str(trial.number)
    assert run.data.tags["direction"] == "MINIMIZE"
(best,) = mlflow.search_runs(
    experiment_names=[name], order_by=["metrics.value ASC"], max_results=1, output_format="list"
)
assert best.data.metrics["value"] == study.best_value
