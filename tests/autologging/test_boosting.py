"""Autologging of XGBoost and LightGBM: names, steps and values are those that MLflow was seen to log."""

import inspect
import json
import logging
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import xgboost
from sklearn.model_selection import GridSearchCV

import stepwell
from stepwell.autologging import boosting, options
from stepwell.autologging.remembered import Remembered
from tests.autologging.logged import files_of, points_of, run_of, runs_of

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

RANDOM = np.random.default_rng(3)
ROWS = pd.DataFrame(RANDOM.normal(size=(60, 3)), columns=["width", "height", "depth"])
TARGETS = ROWS["width"] * 2 + RANDOM.normal(size=60)
LABELS = (TARGETS > 0).astype(int)
XGB = {"max_depth": 2, "nthread": 1, "eval_metric": ["rmse", "mae"]}
LGB = {"num_leaves": 3, "min_data_in_leaf": 2, "verbose": -1, "num_threads": 1, "metric": ["l1", "l2"]}
# Older versions take more.
TRAIN_OF_LIGHTGBM = inspect.signature(lightgbm.train).parameters


def content_of(run: Any, file: str) -> Any:
    return json.loads(stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/{file}"))


def contexts_of(run: Any) -> list[tuple[str, str]]:
    return [(it.dataset.name, it.tags[0].value) for it in run.inputs.dataset_inputs]


def test_train_of_xgboost(experiment: str) -> None:
    stepwell.xgboost.autolog(importance_types=["weight", "gain"])
    train, valid = xgboost.DMatrix(ROWS, label=TARGETS), xgboost.DMatrix(ROWS[:20], label=-TARGETS[:20])
    results: dict[str, Any] = {}
    booster = xgboost.train(
        XGB,
        train,
        20,
        evals=[(train, "train"), (valid, "valid")],
        early_stopping_rounds=3,
        evals_result=results,
        verbose_eval=False,
    )
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "xgboost"
    assert run.data.params == {
        **{key: str(value) for key, value in XGB.items()},
        "num_boost_round": "20",
        "early_stopping_rounds": "3",
        "maximize": "None",
        "custom_metric": "None",
        "verbose_eval": "False",
    }
    logged = results["valid"]["mae"]
    assert booster.best_iteration < len(logged) - 1 < 19  # it stopped
    extra = [(len(logged), pytest.approx(logged[booster.best_iteration]))]
    expected = [(step, pytest.approx(value)) for step, value in enumerate(logged)] + extra
    assert points_of(run.info.run_id, "valid-mae") == expected
    assert {"train-rmse", "train-mae", "valid-rmse"} < set(run.data.metrics)
    assert points_of(run.info.run_id, "stopped_iteration") == [(0, len(logged) - 1)]
    assert points_of(run.info.run_id, "best_iteration") == [(0, booster.best_iteration)]
    assert content_of(run, "feature_importance_gain.json") == booster.get_score(importance_type="gain")
    names = {
        f"feature_importance_{kind}.{suffix}" for kind in ("weight", "gain") for suffix in ("json", "png")
    }
    assert names <= files_of(run.info.run_id)
    assert contexts_of(run) == [("dataset", "train"), ("train", "eval"), ("valid", "eval")]
    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_allclose(loaded.predict(ROWS), booster.predict(train))
    assert loaded.metadata.get_input_schema().input_names() == ["width", "height", "depth"]
    model = stepwell.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert "valid-mae" in {it.key for it in model.metrics}


def test_the_last_iteration_of_xgboost_is_logged_whoever_ends_the_training(
    experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = xgboost.callback.CallbackContainer
    make = container.__init__

    def reversed_init(self: Any, callbacks: Any, *args: Any, **kwargs: Any) -> None:
        make(self, callbacks, *args, **kwargs)
        self.callbacks = list(reversed(list(self.callbacks)))

    monkeypatch.setattr(container, "__init__", reversed_init)
    stepwell.xgboost.autolog(log_models=False)
    train, results = xgboost.DMatrix(ROWS, label=TARGETS), {}
    valid = xgboost.DMatrix(ROWS[:20], label=-TARGETS[:20])
    given = {"early_stopping_rounds": 3, "evals_result": results, "verbose_eval": False}
    xgboost.train(XGB, train, 20, evals=[(valid, "valid")], **given)
    logged = results["valid"]["mae"]
    run = run_of(experiment)
    expected = [(step, pytest.approx(value)) for step, value in enumerate(logged)]
    assert points_of(run.info.run_id, "valid-mae")[:-1] == expected
    assert points_of(run.info.run_id, "stopped_iteration") == [(0, len(logged) - 1)]


def test_an_estimator_of_xgboost(experiment: str) -> None:
    stepwell.xgboost.autolog(model_format="json")
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1)
    model.fit(ROWS, LABELS, eval_set=[(ROWS, LABELS)], verbose=False)
    unseen = ROWS[:10]
    predicted = model.predict(unseen)
    score = sklearn.metrics.f1_score(LABELS[:10], predicted)
    run = run_of(experiment)
    assert {key for key in run.data.params if run.data.params[key] == "None"} > {"gamma", "subsample"}
    assert (run.data.params["max_depth"], run.data.params["num_boost_round"]) == ("2", "4")
    assert sorted(contexts_of(run)) == [("dataset", "eval"), ("dataset", "train"), ("validation_0", "eval")]
    steps = [step for step, _ in points_of(run.info.run_id, "validation_0-logloss")]
    assert steps == [0, 1, 2, 3]
    assert run.data.metrics["f1_score_unseen"] == pytest.approx(score)
    assert not [key for key in run.data.metrics if key.startswith("training_")]
    files = files_of(run.info.run_id)
    assert {"feature_importance_weight.json", "feature_importance_weight.png"} <= files
    loaded = stepwell.xgboost.load_model(f"runs:/{run.info.run_id}/model")
    assert isinstance(loaded, xgboost.XGBClassifier)
    assert "model/model.json" in files_of(run.info.run_id, "model")


def test_train_of_lightgbm(experiment: str) -> None:
    stepwell.lightgbm.autolog()
    train = lightgbm.Dataset(ROWS, label=TARGETS)
    valid = lightgbm.Dataset(ROWS[:20], label=-TARGETS[:20], reference=train)
    results: dict[str, Any] = {}
    stops = [lightgbm.early_stopping(3, verbose=False), lightgbm.record_evaluation(results)]
    booster = lightgbm.train(LGB, train, 20, valid_sets=[valid], callbacks=stops)
    assert len(stops) == 2
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        **{key: str(value) for key, value in LGB.items()},
        "num_boost_round": "20",
        "keep_training_booster": "False",
        **{key: "auto" for key in ("feature_name", "categorical_feature") if key in TRAIN_OF_LIGHTGBM},
    }
    logged = results["valid_0"]["l2"]
    best = booster.best_iteration
    assert best < len(logged) < 20  # it stopped
    expected = [(step, pytest.approx(value)) for step, value in enumerate([*logged, logged[best - 1]])]
    assert points_of(run.info.run_id, "valid_0-l2") == expected
    assert points_of(run.info.run_id, "stopped_iteration") == [(0, len(logged))]
    assert points_of(run.info.run_id, "best_iteration") == [(0, best)]
    importance = dict(zip(ROWS.columns, booster.feature_importance("split").tolist(), strict=True))
    assert content_of(run, "feature_importance_split.json") == importance
    assert {f"feature_importance_gain.{it}" for it in ("json", "png")} <= files_of(run.info.run_id)
    assert contexts_of(run) == [("dataset", "train"), ("dataset", "eval")]
    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_allclose(loaded.predict(ROWS), booster.predict(ROWS))


def test_an_estimator_of_lightgbm(experiment: str) -> None:
    stepwell.lightgbm.autolog(log_datasets=False)
    model = lightgbm.LGBMRegressor(n_estimators=3, num_leaves=3, n_jobs=1, verbose=-1)
    model.fit(ROWS, TARGETS, eval_set=[(ROWS, TARGETS)], eval_metric="l1")
    model.score(ROWS, TARGETS)
    run = run_of(experiment)
    assert [step for step, _ in points_of(run.info.run_id, "training-l1")] == [0, 1, 2]
    assert run.data.params["num_leaves"] == "3"
    assert run.data.metrics["LGBMRegressor_score_ROWS"] == pytest.approx(model.score(ROWS, TARGETS))
    assert not run.inputs.dataset_inputs
    assert isinstance(stepwell.lightgbm.load_model(f"runs:/{run.info.run_id}/model"), lightgbm.LGBMRegressor)


def test_a_search_over_them_is_one_call(experiment: str) -> None:
    stepwell.autolog(log_models=False)
    model = xgboost.XGBRegressor(n_estimators=2, n_jobs=1)
    GridSearchCV(model, {"max_depth": [1, 2]}, cv=2).fit(ROWS, TARGETS)
    runs = runs_of(experiment)
    assert sorted(run.data.tags["estimator_name"] for run in runs) == ["GridSearchCV"] + ["XGBRegressor"] * 2


def test_faults_and_errors(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.xgboost.autolog(importance_types=["gain"])
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        linear = {**XGB, "booster": "gblinear"}  # which has weights alone
        booster = xgboost.train(linear, xgboost.DMatrix(ROWS, label=TARGETS), 2)
    assert booster.num_boosted_rounds() == 2
    with pytest.raises(xgboost.core.XGBoostError):
        xgboost.train({"objective": "none:such"}, xgboost.DMatrix(ROWS, label=TARGETS), 2)
    assert "gain" in caplog.text
    assert [run.info.status for run in runs_of(experiment)] == ["FAILED", "FAILED"]


class Odd:
    """Data that is not to be cut."""

    def __getitem__(self, place: Any) -> Any:
        raise RuntimeError(f"not {place}")


def test_data_is_made_whatever_becomes_of_its_first_rows() -> None:
    store = Remembered()
    around = boosting.following_rows(store)
    for given in (Odd(), "train.txt", iter([1]), None):
        assert around(lambda made, data: [data], store, (given,), {}) == [given]
    assert store.get(store) is None
    around(lambda made, data: data, store, (ROWS,), {})
    assert store.get(store).equals(ROWS.head(5))


def test_what_a_library_was_told_stays_and_some_are_left_alone() -> None:
    train = lightgbm.train
    stepwell.xgboost.autolog(importance_types=["gain"])
    stepwell.autolog(log_models=False, exclude_flavors=["lightgbm"])
    chosen = options.chosen("xgboost")
    assert (chosen.importance_types, chosen.log_models) == (["gain"], True)
    assert options.chosen("sklearn").log_models is False
    assert lightgbm.train is train
    stepwell.autolog(log_datasets=False)
    assert options.chosen("sklearn").log_models is True
    assert lightgbm.train is not train
    with pytest.raises(TypeError, match="importance_kinds"):
        stepwell.xgboost.autolog(importance_kinds=["gain"])


def test_turning_it_off_gives_everything_back() -> None:
    places = [
        (xgboost, "train"),
        (xgboost.training, "train"),
        (xgboost.sklearn, "train"),
        (xgboost.DMatrix, "__init__"),
        (xgboost.XGBClassifier, "fit"),
        (xgboost.XGBModel, "predict"),
        (lightgbm, "train"),
        (lightgbm.engine, "train"),
        (lightgbm.sklearn, "train"),
        (lightgbm.Dataset, "__init__"),
        (lightgbm.LGBMClassifier, "fit"),
        (sklearn.metrics, "f1_score"),
    ]
    before = [vars(owner)[name] for owner, name in places]
    stepwell.xgboost.autolog()
    stepwell.lightgbm.autolog()
    assert all(vars(owner)[name] is not it for (owner, name), it in zip(places, before, strict=True))
    stepwell.xgboost.autolog(disable=True)
    assert sklearn.metrics.f1_score is not before[-1]
    stepwell.autolog(disable=True)
    assert all(vars(owner)[name] is it for (owner, name), it in zip(places, before, strict=True))
