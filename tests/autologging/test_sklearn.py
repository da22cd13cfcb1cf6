"""Autologging of scikit-learn: what a fit, a search and what follows log; that training is what it was."""

import logging
import pickle
import sys
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import stepwell
from stepwell import beside
from tests.autologging.logged import files_of, runs_of
from tests.harness.servers.processes import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = pd.DataFrame({"width": [0.0, 1.0, 2.0, 4.0, 1.5, 3.0], "height": [1.0, 0.0, 3.0, 1.0, 2.5, 3.0]})
TARGETS = np.array([0.5, 1.0, 2.0, 3.5, 1.0, 2.5])
LABELS = np.array([0, 0, 1, 1, 0, 1])
METHODS = [
    (each, name)
    for kind in (LinearRegression, LogisticRegression, Ridge, KMeans, GridSearchCV, Pipeline)
    for each in kind.__mro__
    for name in ("fit", "fit_transform", "fit_predict", "predict", "score")
    if name in vars(each)
]


def test_a_fit_without_a_run_makes_one(experiment: str) -> None:
    stepwell.sklearn.autolog(extra_tags={"team": "blue"})
    model = LinearRegression(fit_intercept=False).fit(ROWS, TARGETS)
    assert stepwell.active_run() is None
    (run,) = runs_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.params["fit_intercept"] == "False"
    assert set(run.data.params) == set(model.get_params())
    tags = run.data.tags
    assert tags["mlflow.autologging"] == "sklearn"
    assert (tags["estimator_name"], tags["team"]) == ("LinearRegression", "blue")
    assert tags["estimator_class"] == "sklearn.linear_model._base.LinearRegression"
    assert set(run.data.metrics) == {
        "training_mean_squared_error",
        "training_mean_absolute_error",
        "training_r2_score",
        "training_root_mean_squared_error",
        "training_score",
    }
    assert run.data.metrics["training_r2_score"] == pytest.approx(model.score(ROWS, TARGETS))
    assert "estimator.html" in files_of(run.info.run_id)
    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_allclose(loaded.predict(ROWS), model.predict(ROWS))
    assert loaded.metadata.get_input_schema().input_names() == ["width", "height"]
    (used,) = run.inputs.dataset_inputs
    assert used.tags[0].value == "train"


def test_a_fit_within_a_run_leaves_it_open(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False, log_datasets=False)
    with stepwell.start_run() as run:
        LinearRegression().fit(ROWS, TARGETS)
        assert stepwell.active_run() is not None
    (found,) = runs_of(experiment)
    assert found.info.run_id == run.info.run_id
    assert "mlflow.autologging" not in found.data.tags
    assert found.data.metrics["training_score"] <= 1
    assert not found.inputs.dataset_inputs
    assert not found.outputs.model_outputs


def test_a_classifier(experiment: str) -> None:
    stepwell.sklearn.autolog()
    LogisticRegression().fit(ROWS, LABELS)
    (run,) = runs_of(experiment)
    assert set(run.data.metrics) == {
        f"training_{name}"
        for name in (
            "precision_score",
            "recall_score",
            "f1_score",
            "accuracy_score",
            "log_loss",
            "roc_auc",
            "score",
        )
    }
    plots = {f"training_{name}.png" for name in ("confusion_matrix", "roc_curve", "precision_recall_curve")}
    assert plots <= files_of(run.info.run_id)


def test_without_labels_there_are_no_metrics(experiment: str) -> None:
    stepwell.sklearn.autolog()
    KMeans(2, n_init=1).fit_predict(ROWS)
    (run,) = runs_of(experiment)
    assert run.data.tags["estimator_name"] == "KMeans"
    assert not run.data.metrics


def test_what_a_fit_calls_logs_nothing_by_itself(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    make_pipeline(StandardScaler(), Ridge()).fit(ROWS, TARGETS)
    RandomForestRegressor(4, n_jobs=2).fit(ROWS, TARGETS)
    StandardScaler().fit(ROWS)
    cross_val_score(Ridge(), ROWS, TARGETS, cv=2)
    names = [run.data.tags["estimator_name"] for run in runs_of(experiment)]
    assert names == ["Pipeline", "RandomForestRegressor"]


def test_a_search_keeps_its_best_as_children(experiment: str) -> None:
    stepwell.sklearn.autolog(max_tuning_runs=2)
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=2).fit(ROWS, TARGETS)
    runs = runs_of(experiment)
    parent = next(run for run in runs if run.data.tags["estimator_name"] == "GridSearchCV")
    children = [run for run in runs if run is not parent]
    assert len(children) == 2
    assert parent.data.params["best_alpha"] == str(search.best_params_["alpha"])
    assert parent.data.metrics["best_cv_score"] == pytest.approx(search.best_score_)
    assert {"cv_results.csv", "estimator.html"} <= files_of(parent.info.run_id)
    best = min(children, key=lambda run: run.data.metrics["rank_test_score"])
    assert best.data.params["alpha"] == str(search.best_params_["alpha"])
    assert best.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert set(best.data.metrics) == {
        *("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time"),
        *("mean_test_score", "std_test_score", "rank_test_score"),
    }
    assert all(run.info.status == "FINISHED" for run in runs)
    best_model = stepwell.sklearn.load_model(f"runs:/{parent.info.run_id}/best_estimator")
    assert best_model.alpha == search.best_params_["alpha"]


def test_metrics_after_the_fit(experiment: str) -> None:
    stepwell.sklearn.autolog()
    model = LinearRegression().fit(ROWS, TARGETS)
    unseen = ROWS.head(4)
    predicted = model.predict(unseen)
    by_module = sklearn.metrics.mean_squared_error(TARGETS[:4], predicted)
    sklearn.metrics.mean_squared_error(TARGETS[:4], predicted)
    by_name = mean_absolute_error(y_true=TARGETS[:4], y_pred=predicted)  # imported before autolog()
    sklearn.metrics.mean_squared_error(TARGETS[:4], predicted + 0)  # something else
    score = model.score(unseen, TARGETS[:4])
    (run,) = runs_of(experiment)
    assert run.data.metrics["mean_squared_error_unseen"] == pytest.approx(by_module)
    assert run.data.metrics["mean_squared_error-2_unseen"] == pytest.approx(by_module)
    assert run.data.metrics["mean_absolute_error_unseen"] == pytest.approx(by_name)
    assert run.data.metrics["LinearRegression_score_unseen"] == pytest.approx(score)
    assert "mean_squared_error-3_unseen" not in run.data.metrics
    assert sorted(it.tags[0].value for it in run.inputs.dataset_inputs) == ["eval", "train"]
    assert "metric_info.json" in files_of(run.info.run_id)


def test_errors_of_training_are_what_they_were(experiment: str) -> None:
    stepwell.sklearn.autolog()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LinearRegression().fit(ROWS, TARGETS[:3])
    (run,) = runs_of(experiment)
    assert run.info.status == "FAILED"
    assert run.data.params["fit_intercept"] == "True"


class Broken(Ridge):
    """Its params cannot be asked for."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        if deep:
            raise RuntimeError("no params today")
        return super().get_params(deep=False)


def test_faults_of_logging_are_warnings(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog(log_models=False)
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        model = Broken().fit(ROWS, TARGETS)
    assert model.coef_.shape == (2,)
    assert "no params today" in caplog.text
    (run,) = runs_of(experiment)
    assert run.info.status == "FAILED"  # as MLflow


def test_disabling_puts_everything_back() -> None:
    before = [vars(kind)[name] for kind, name in METHODS]
    scorer, error = sklearn.metrics.accuracy_score, mean_absolute_error
    subclass = vars(BaseEstimator).get("__init_subclass__")
    stepwell.sklearn.autolog()
    stepwell.sklearn.autolog(silent=True)
    assert all(vars(kind)[name] is not old for (kind, name), old in zip(METHODS, before, strict=True))
    assert mean_absolute_error is not error
    assert pickle.loads(pickle.dumps(mean_absolute_error)) is mean_absolute_error
    stepwell.sklearn.autolog(disable=True)
    assert all(vars(kind)[name] is old for (kind, name), old in zip(METHODS, before, strict=True))
    assert sklearn.metrics.accuracy_score is scorer
    assert mean_absolute_error is error is sklearn.metrics._regression.mean_absolute_error
    assert vars(BaseEstimator).get("__init_subclass__") is subclass


def test_what_is_drawn_later_is_what_was_there(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    before = threading.Event()
    beside.leave("", before.wait)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.125))
    labels = LABELS.copy()
    model.fit(ROWS, labels)
    model.set_params(logisticregression__C=4.5).fit(ROWS, 1 - labels)
    labels[:] = 0
    before.set()
    first, second = runs_of(experiment)
    for run, text, other in ((first, "0.125", "4.5"), (second, "4.5", "0.125")):
        page = stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/estimator.html")
        assert text in page
        assert other not in page
        assert run.data.metrics["training_accuracy_score"] > 0.5
        assert run.info.status == "FINISHED"
    assert first.info.end_time <= second.info.start_time


def test_exclusive_leaves_the_users_run_alone(experiment: str) -> None:
    stepwell.sklearn.autolog(exclusive=True)
    with stepwell.start_run():
        LinearRegression().fit(ROWS, TARGETS)
    (run,) = runs_of(experiment)
    assert not run.data.params


def test_threads_log_to_runs_of_their_own(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    threads = [threading.Thread(target=Ridge(alpha).fit, args=(ROWS, TARGETS)) for alpha in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {run.data.params["alpha"] for run in runs_of(experiment)} == {"1.0", "2.0", "3.0"}


def test_a_library_that_is_imported_later(
    tmp_path: Any, shared_server: ServerProcess, experiment: str
) -> None:
    import subprocess

    script = (
        "import sys, stepwell\n"
        "stepwell.autolog()\n"
        "assert 'sklearn' not in sys.modules\n"
        "from sklearn.linear_model import Ridge\n"
        "Ridge().fit([[0.0], [1.0]], [0.0, 1.0])\n"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={
            "PATH": "",
            "STEPWELL_TRACKING_URI": shared_server.tracking_uri,
            "STEPWELL_EXPERIMENT_ID": experiment,
            "STEPWELL_SPOOL_DIR": str(tmp_path),
        },
        check=True,
        timeout=100,
    )
    (run,) = runs_of(experiment)
    assert run.data.tags["estimator_name"] == "Ridge"
