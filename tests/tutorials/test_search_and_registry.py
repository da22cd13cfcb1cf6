"""The tutorial that lets scikit-learn log itself, compares searches, and registers what is best."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import stepwell as mlflow
from tests.harness.examples import ran
from tests.tutorials.conftest import files_of, runs_of

pytestmark = pytest.mark.filterwarnings("ignore")


def test_what_is_best_is_registered_staged_and_predicts(capsys: pytest.CaptureFixture[str]) -> None:
    with ran("search_and_register.py", "diabetes", "diabetes"):
        assert "is version 1 of 'diabetes' in Staging" in capsys.readouterr().out
        look_at_runs_and_versions()


def look_at_runs_and_versions() -> None:
    runs = runs_of("diabetes", "metrics.R2 < 1")
    assert set(runs) == {"baseline", "ridge", "forest"}
    for name, run in runs.items():
        assert run.info.status == "FINISHED"
        assert {"Neg. RMSE", "Neg. MAE", "training_r2_score"} <= run.data.metrics.keys()
        # What the script computes is also seen by itself.
        by_itself = run.data.metrics["mean_absolute_error_x_test"]
        assert by_itself == pytest.approx(-run.data.metrics["Neg. MAE"])
        assert "estimator.html" in files_of(run.info.run_id)
        assert run.inputs.dataset_inputs
        children = runs_of("diabetes", f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
        assert len(children) == {"baseline": 0, "ridge": 5, "forest": 2}[name]
        assert all("mean_test_score" in child.data.metrics for child in children.values())
    assert runs["ridge"].data.params["best_alpha"] in ("0.001", "0.01", "0.1")
    best = max(runs.values(), key=lambda run: run.data.metrics["R2"])
    (version,) = mlflow.MlflowClient().get_latest_versions("diabetes", ["Staging"])
    assert (version.run_id, int(version.version)) == (best.info.run_id, 1)
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    _, x_test, _, y_test = train_test_split(x, y, random_state=0)
    model = mlflow.pyfunc.load_model("models:/diabetes/Staging")
    assert model.metadata.get_input_schema().input_names() == list(x.columns)
    error = float(np.abs(np.asarray(model.predict(x_test)) - y_test).mean())
    assert error == pytest.approx(-best.data.metrics["Neg. MAE"])
