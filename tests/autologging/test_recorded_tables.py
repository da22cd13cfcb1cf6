"""What MLflow's autologging was seen to log, line by line where the other tests look at something else."""

import json
import logging
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import xgboost
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate, learning_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import stepwell
from tests.autologging.logged import files_of, points_of, run_of, runs_of

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

RANDOM = np.random.default_rng(5)
ROWS = pd.DataFrame(RANDOM.normal(size=(30, 2)), columns=["width", "height"])
TARGETS = (ROWS["width"] * 2 + RANDOM.normal(size=30)).to_numpy()
LABELS = (TARGETS > 0).astype(int)
KINDS = np.digitize(TARGETS, [-1.0, 1.0])


def text_of(run: Any, file: str) -> str:
    return stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/{file}")


def model_of(run: Any) -> Any:
    return stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")


@pytest.mark.parametrize("labels", [LABELS, KINDS])
def test_metrics_of_a_classifier_have_the_values_of_their_functions(experiment: str, labels: Any) -> None:
    stepwell.sklearn.autolog(log_models=False)
    model = LogisticRegression().fit(ROWS, labels)
    run = run_of(experiment)
    stepwell.autolog(disable=True)
    predicted, chances = model.predict(ROWS), model.predict_proba(ROWS)
    is_binary = chances.shape[1] == 2
    expected = {
        "accuracy_score": sklearn.metrics.accuracy_score(labels, predicted),
        "precision_score": sklearn.metrics.precision_score(labels, predicted, average="weighted"),
        "recall_score": sklearn.metrics.recall_score(labels, predicted, average="weighted"),
        "f1_score": sklearn.metrics.f1_score(labels, predicted, average="weighted"),
        "log_loss": sklearn.metrics.log_loss(labels, chances),
        "roc_auc": sklearn.metrics.roc_auc_score(
            labels, chances[:, 1] if is_binary else chances, average="weighted", multi_class="ovo"
        ),
        "score": model.score(ROWS, labels),
    }
    assert run.data.metrics == {f"training_{key}": pytest.approx(it) for key, it in expected.items()}
    assert points_of(run.info.run_id, "training_f1_score")[0][0] == 0
    curves = {"training_roc_curve.png", "training_precision_recall_curve.png"}
    assert files_of(run.info.run_id) == {"estimator.html", "training_confusion_matrix.png"} | (
        curves if is_binary else set()
    )


def test_a_label_that_is_the_positive_one(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False, pos_label=1)
    model = LogisticRegression().fit(ROWS, LABELS)
    metrics = run_of(experiment).data.metrics
    stepwell.autolog(disable=True)
    assert metrics["training_f1_score"] == pytest.approx(
        sklearn.metrics.f1_score(LABELS, model.predict(ROWS), average="binary", pos_label=1)
    )


def test_a_classifier_without_chances_and_a_regressor(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    LinearSVC().fit(ROWS, LABELS)
    model = LinearRegression().fit(ROWS, TARGETS)
    first, second = runs_of(experiment)
    stepwell.autolog(disable=True)
    names = ("precision_score", "recall_score", "f1_score", "accuracy_score", "score")
    assert set(first.data.metrics) == {f"training_{name}" for name in names}
    predicted = model.predict(ROWS)
    squared = sklearn.metrics.mean_squared_error(TARGETS, predicted)
    assert second.data.metrics == {
        "training_mean_squared_error": pytest.approx(squared),
        "training_root_mean_squared_error": pytest.approx(squared**0.5),
        "training_mean_absolute_error": pytest.approx(
            sklearn.metrics.mean_absolute_error(TARGETS, predicted)
        ),
        "training_r2_score": pytest.approx(sklearn.metrics.r2_score(TARGETS, predicted)),
        "training_score": pytest.approx(model.score(ROWS, TARGETS)),
    }


def test_what_prepares_data_and_what_learns_in_parts_is_not_logged(experiment: str) -> None:
    stepwell.sklearn.autolog()
    SimpleImputer().fit_transform(ROWS)
    CountVectorizer().fit(["a word"])
    SelectKBest(k=1).fit(ROWS, LABELS)
    ColumnTransformer([("scaled", StandardScaler(), ["width"])]).fit(ROWS)
    SGDClassifier().partial_fit(ROWS, LABELS, classes=[0, 1])
    for validate in (cross_validate, cross_val_predict, learning_curve):
        validate(Ridge(), ROWS, TARGETS, cv=2)
    assert not runs_of(experiment)


def test_what_transforms_says_so_in_its_signature(experiment: str) -> None:
    stepwell.sklearn.autolog()
    PCA(1).fit(ROWS)
    KMeans(2, n_init=1).fit(ROWS)
    reduced, grouped = runs_of(experiment)
    assert (reduced.data.tags["estimator_name"], reduced.data.params["n_components"]) == ("PCA", "1")
    assert model_of(reduced).metadata.get_output_schema().to_dict()[0]["tensor-spec"]["shape"] == [-1, 1]
    assert model_of(grouped).metadata.get_output_schema().to_dict()[0]["tensor-spec"]["shape"] == [-1]
    assert not {*reduced.data.metrics, *grouped.data.metrics}


def test_params_of_a_pipeline_are_deep_and_those_of_a_search_are_not(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False, max_tuning_runs=None)
    pipeline = make_pipeline(StandardScaler(), Ridge())
    pipeline.fit(ROWS, TARGETS)
    grid = {"ridge__alpha": [0.5, 1.0], "ridge__tol": [0.1, 0.2, 0.3]}
    scoring = {"r2": "r2", "error": "neg_mean_absolute_error"}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=scoring, refit="r2", return_train_score=True)
    search.fit(ROWS, TARGETS)
    alone, *rest = runs_of(experiment)
    assert alone.data.params == {key: str(value) for key, value in pipeline.get_params(deep=True).items()}
    (parent,) = [run for run in rest if run.data.tags["estimator_name"] == "GridSearchCV"]
    children = [run for run in rest if run is not parent]
    own = {key: str(value) for key, value in search.get_params(deep=False).items()}
    best = {f"best_{key}": str(value) for key, value in search.best_params_.items()}
    assert parent.data.params == {**own, **best}
    assert len(children) == 6
    for child in children:
        assert child.data.params.keys() == pipeline.get_params(deep=True).keys()
        assert child.data.tags["mlflow.autologging"] == "sklearn"
        assert child.data.tags["estimator_name"] == "Pipeline"
        assert child.data.tags["estimator_class"] == "sklearn.pipeline.Pipeline"
        assert (child.info.status, child.info.start_time) == ("FINISHED", parent.info.start_time)
        assert not files_of(child.info.run_id)
        assert child.inputs.dataset_inputs == parent.inputs.dataset_inputs
        names = {"mean_test_error", "std_train_r2", "rank_test_r2", "rank_test_error", "mean_fit_time"}
        assert names < set(child.data.metrics)
        assert not [key for key in child.data.metrics if key.startswith(("split", "param"))]
    best_child = next(run for run in children if run.data.metrics["rank_test_r2"] == 1)
    assert best_child.data.metrics["mean_test_r2"] == pytest.approx(parent.data.metrics["best_cv_score"])


def test_names_of_data_and_the_calls_of_metrics(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    model = LinearRegression().fit(ROWS, TARGETS)
    unseen, wanted = ROWS.head(6), TARGETS[:6]
    predicted = model.predict(unseen)
    sklearn.metrics.mean_absolute_error(y_true=wanted, y_pred=predicted)
    unseen = ROWS.tail(6)
    sklearn.metrics.mean_absolute_error(wanted, other := model.predict(unseen))
    sklearn.metrics.mean_absolute_error(wanted, third := model.predict(ROWS.head(6)))
    assert other is not third
    run = run_of(experiment)
    names = ("unseen", "unseen-2", "unknown_dataset")
    assert {f"mean_absolute_error_{name}" for name in names} < set(run.data.metrics)
    said = json.loads(text_of(run, "metric_info.json"))
    assert said["mean_absolute_error_unseen"] == "mean_absolute_error(y_true=wanted, y_pred=predicted)"


def test_how_data_is_described(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    LinearRegression().fit(ROWS, TARGETS)
    Ridge().fit(ROWS.to_numpy(), TARGETS)
    frame, arrays = (run.inputs.dataset_inputs[0].dataset for run in runs_of(experiment))
    assert (frame.name, frame.source_type) == (arrays.name, arrays.source_type) == ("dataset", "code")
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.type"} <= set(
        json.loads(frame.source)["tags"]
    )
    columns = [{"type": "double", "name": name, "required": True} for name in ("width", "height")]
    assert json.loads(frame.schema)["mlflow_colspec"] == columns
    assert json.loads(frame.profile) == {"num_rows": 30, "num_elements": 60}
    assert set(json.loads(arrays.schema)["mlflow_tensorspec"]) == {"features", "targets"}
    profile = json.loads(arrays.profile)
    assert (profile["features_shape"], profile["features_size"]) == ([30, 2], 60)
    assert (profile["features_nbytes"], profile["targets_shape"]) == (480, [30])
    assert (len(frame.digest), len(arrays.digest)) == (8, 8)


def test_examples_and_signatures_are_as_asked_for(experiment: str) -> None:
    for asked in ({}, {"log_input_examples": True}, {"log_model_signatures": False}):
        stepwell.sklearn.autolog(**asked)
        LinearRegression().fit(ROWS, TARGETS)
    plain, with_example, without_signature = map(model_of, runs_of(experiment))
    assert plain.input_example is None
    assert plain.metadata.get_input_schema().input_names() == ["width", "height"]
    pd.testing.assert_frame_equal(with_example.input_example, ROWS.head(5))
    assert without_signature.metadata.signature is None


class Verbose(Ridge):
    """Has a param that is long, by a name that is long."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {**super().get_params(deep), "n" * 300: 1, "long": "v" * 7_000}


def test_what_is_too_long_is_cut_and_a_second_fit_goes_on(
    experiment: str, caplog: pytest.LogCaptureFixture
) -> None:
    stepwell.sklearn.autolog(log_models=False)
    with caplog.at_level(logging.WARNING, logger="stepwell"), stepwell.start_run():
        Verbose().fit(ROWS, TARGETS)
        Verbose(alpha=3.0).fit(ROWS, TARGETS)
    run = run_of(experiment)
    assert (run.data.params["n" * 250], run.data.params["long"]) == ("1", "v" * 6_000)
    assert "long" in caplog.text
    assert run.data.params["alpha"] == "1.0"
    assert [step for step, _ in points_of(run.info.run_id, "training_score")] == [0, 0]


def test_params_and_data_of_boosters(experiment: str) -> None:
    stepwell.autolog(log_models=False)
    model = xgboost.XGBRegressor(n_estimators=2, max_depth=2, n_jobs=1)
    model.fit(ROWS, TARGETS)
    matrix = xgboost.DMatrix(ROWS, label=TARGETS)
    xgboost.train({"max_depth": 2, "nthread": 1}, matrix, 2, evals=[(matrix, "train")], verbose_eval=False)
    ranking = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [3], "min_data_in_leaf": 2}
    train = lightgbm.Dataset(ROWS, label=LABELS, group=[15, 15])
    valid = lightgbm.Dataset(ROWS, label=LABELS, group=[15, 15], reference=train)
    lightgbm.train({**ranking, "verbose": -1, "num_threads": 1}, train, 2, valid_sets=[valid])
    estimator, trained, ranked = runs_of(experiment)
    given = {
        key: str(value) for key, value in model.get_xgb_params().items()
    }  # those that are not given are None
    assert given.items() <= estimator.data.params.items()
    dataset = trained.inputs.dataset_inputs[0].dataset
    (spec,) = json.loads(json.loads(dataset.schema)["mlflow_tensorspec"]["features"])
    assert spec["tensor-spec"] == {"dtype": "float32", "shape": [-1, 2]}
    assert [step for step, _ in points_of(ranked.info.run_id, "valid_0-ndcg_at_3")] == [0, 1]
