"""Whatever is wrong around autologging, training ends as without it, and what is lost is said."""

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

import stepwell
from stepwell import beside
from tests.autologging.logged import files_of, run_of
from tests.harness.content.disks import fill, small_disk

pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [4.0, 1.0], [1.5, 2.5], [3.0, 3.0]])
TARGETS = np.array([0.5, 1.0, 2.0, 3.5, 1.0, 2.5])
LABELS = np.array([0, 0, 1, 1, 0, 1])


def test_a_server_that_is_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.1")
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path))
    stepwell.set_tracking_uri("http://127.0.0.1:9")
    stepwell.set_experiment(experiment_id="0")
    stepwell.sklearn.autolog()
    model = LogisticRegression().fit(ROWS, LABELS)
    assert model.coef_.shape == (1, 2)
    assert stepwell.active_run() is None
    beside.wait()
    assert "127.0.0.1:9 is away" in caplog.text
    names = {path.name for path in (tmp_path / "artifacts").iterdir()}
    assert len([name for name in names if name.startswith("m-")]) == 1  # the whole model
    assert len(names) == 2  # and the pictures of the run


def test_a_disk_that_is_full(
    experiment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "small", 4) as disk:
        fill(disk)
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(disk))
            stepwell.sklearn.autolog()
            LinearRegression().fit(ROWS, TARGETS)
            beside.wait()
    run = run_of(experiment)
    assert "No space left on device" in caplog.text
    assert run.data.metrics["training_score"] <= 1
    assert run.info.status == "FAILED"


class Unpicklable(Ridge):
    """Holds what no pickle takes."""

    def fit(self, rows: Any, targets: Any) -> Any:
        self.lock_ = threading.Lock()
        return super().fit(rows, targets)


def test_a_model_that_cannot_be_pickled(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog()
    model = Unpicklable().fit(ROWS, TARGETS)
    assert model.coef_.shape == (2,)
    run = run_of(experiment)
    assert "cannot pickle" in caplog.text
    assert not run.outputs.model_outputs
    assert run.data.metrics["training_r2_score"] <= 1
    assert "estimator.html" in files_of(run.info.run_id)


def test_metrics_that_are_arrays(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog(log_models=False)
    both = np.column_stack([TARGETS, TARGETS])
    model = LinearRegression().fit(ROWS, both)
    each = sklearn.metrics.mean_squared_error(both, model.predict(ROWS), multioutput="raw_values")
    assert each.shape == (2,)
    run = run_of(experiment)
    assert not [key for key in run.data.metrics if not key.startswith("training_")]
    assert not caplog.text


class OfTheFirst(GridSearchCV):
    """Has many candidates, and tries two of them."""

    def _run_search(self, evaluate_candidates: Any) -> None:
        evaluate_candidates([{"alpha": 0.5}, {"alpha": 1.5}])


def test_ten_thousand_candidates(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False, max_tuning_runs=0)
    grid = {"alpha": [number / 7 for number in range(10_000)]}
    search = OfTheFirst(Ridge(), grid, cv=2).fit(ROWS, TARGETS)
    run = run_of(experiment)
    assert run.data.params["best_alpha"] == str(search.best_params_["alpha"])
    assert run.data.params["param_grid"] == str(grid)[: len(run.data.params["param_grid"])]
    assert run.info.status == "FINISHED"


def test_a_second_fit_in_a_run_with_other_params(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog(log_models=False)
    with stepwell.start_run():
        Ridge(alpha=1.0).fit(ROWS, TARGETS)
        LogisticRegression(C=3.0).fit(ROWS, LABELS)
        Ridge(alpha=2.0).fit(ROWS, TARGETS)
    run = run_of(experiment)
    assert (run.data.params["alpha"], run.data.params["C"]) == ("1.0", "3.0")
    assert caplog.text.count("params are written once") == 2  # of tol, and of alpha
    assert run.info.status == "FINISHED"
