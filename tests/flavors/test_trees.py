"""Models of XGBoost and LightGBM: boosters and estimators, params, formats, classes that are none."""

import logging
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
import yaml

import stepwell
from stepwell import StepwellException

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

FRAME = pd.DataFrame({"width": [0.0, 1.0, 2.0, 4.0, 1.5, 3.0], "height": [1.0, 0.0, 3.0, 1.0, 2.5, 3.0]})
LABELS = np.array([0, 0, 1, 1, 0, 1])
SMALL = {"min_child_samples": 1, "min_data_in_bin": 1, "num_leaves": 3, "verbose": -1, "num_threads": 1}


@pytest.fixture
def booster() -> xgboost.Booster:
    settings = {"max_depth": 2, "nthread": 1, "min_child_weight": 0}
    return xgboost.train(settings, xgboost.DMatrix(FRAME, label=LABELS), num_boost_round=3)


@pytest.fixture
def classifier() -> xgboost.XGBClassifier:
    model = xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1, min_child_weight=0)
    return model.fit(FRAME, LABELS)


@pytest.fixture
def light() -> lightgbm.Booster:
    return lightgbm.train({**SMALL, "objective": "regression"}, lightgbm.Dataset(FRAME, label=LABELS), 4)


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]
    return found


@pytest.mark.parametrize("model_format", ["ubj", "json", "xgb"])
def test_formats_of_a_booster(booster: xgboost.Booster, tmp_path: Path, model_format: str) -> None:
    folder = tmp_path / "model"
    stepwell.xgboost.save_model(booster, folder, model_format=model_format)
    assert described(folder)["xgboost"] == {
        "code": None,
        "data": f"model.{model_format}",
        "model_class": "xgboost.core.Booster",
        "model_format": model_format,
        "xgb_version": xgboost.__version__,
    }
    loaded = stepwell.xgboost.load_model(str(folder))
    assert type(loaded) is xgboost.Booster
    expected = booster.predict(xgboost.DMatrix(FRAME))
    np.testing.assert_array_equal(loaded.predict(xgboost.DMatrix(FRAME)), expected)
    np.testing.assert_array_equal(stepwell.pyfunc.load_model(str(folder)).predict(FRAME), expected)


def test_an_estimator_comes_back_as_one(classifier: xgboost.XGBClassifier, tmp_path: Path) -> None:
    stepwell.xgboost.save_model(classifier, tmp_path / "model", input_example=FRAME.head(2))
    assert described(tmp_path / "model")["xgboost"]["model_class"] == "xgboost.sklearn.XGBClassifier"
    loaded = stepwell.xgboost.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(FRAME), classifier.predict_proba(FRAME))
    as_function = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(as_function.predict(FRAME), classifier.predict(FRAME))
    assert isinstance(as_function.get_raw_model(), xgboost.XGBClassifier)
    with pytest.raises(StepwellException, match="missing inputs"):
        as_function.predict(FRAME[["width"]])


def test_requirements_name_the_distribution_that_is_installed(
    classifier: xgboost.XGBClassifier, tmp_path: Path
) -> None:
    stepwell.xgboost.save_model(classifier, tmp_path / "model")
    lines = (tmp_path / "model/requirements.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("xgboost") and f"=={xgboost.__version__}" in line]


def test_params_reach_predict_and_unknown_ones_are_told(
    booster: xgboost.Booster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    signature = stepwell.models.infer_signature(FRAME, LABELS, {"output_margin": True, "colour": "red"})
    stepwell.xgboost.save_model(booster, tmp_path / "model", signature=signature)
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        margins = loaded.predict(FRAME, params={"output_margin": True, "colour": "blue"})
    np.testing.assert_array_equal(margins, booster.predict(xgboost.DMatrix(FRAME), output_margin=True))
    assert "colour" in caplog.text


@pytest.mark.parametrize(
    "name", ["os.PathLike", "subprocess.Popen", "builtins.dict", "xgboost.nothing", "", "."]
)
def test_classes_that_are_no_models_are_not_made(booster: xgboost.Booster, tmp_path: Path, name: str) -> None:
    stepwell.xgboost.save_model(booster, tmp_path / "model")
    file = tmp_path / "model/MLmodel"
    found = yaml.safe_load(file.read_text())
    found["flavors"]["xgboost"]["model_class"] = name or "nowhere"
    file.write_text(yaml.safe_dump(found))
    with pytest.raises(StepwellException, match="no class of XGBoost"):
        stepwell.pyfunc.load_model(str(tmp_path / "model"))


def test_what_is_none_of_xgboost(tmp_path: Path, booster: xgboost.Booster) -> None:
    with pytest.raises(StepwellException, match="not dict"):
        stepwell.xgboost.save_model({}, tmp_path / "model")
    with pytest.raises(StepwellException, match="ubj, json, xgb"):
        stepwell.xgboost.save_model(booster, tmp_path / "model", model_format="onnx")


def test_a_booster_of_lightgbm(light: lightgbm.Booster, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    stepwell.lightgbm.save_model(light, folder, num_iteration=2)
    assert described(folder)["lightgbm"] == {
        "code": None,
        "data": "model.lgb",
        "lgb_version": lightgbm.__version__,
        "model_class": "lightgbm.basic.Booster",
    }
    loaded = stepwell.pyfunc.load_model(str(folder))
    np.testing.assert_allclose(loaded.predict(FRAME), light.predict(FRAME, num_iteration=2))
    assert isinstance(loaded.get_raw_model(), lightgbm.Booster)


@pytest.mark.parametrize(("serialization", "file"), [("cloudpickle", "model.pkl"), ("skops", "model.skops")])
def test_estimators_of_lightgbm(tmp_path: Path, serialization: str, file: str) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=2, **SMALL).fit(FRAME, LABELS)
    folder = tmp_path / "model"
    stepwell.lightgbm.save_model(model, folder, serialization_format=serialization)
    entry = described(folder)["lightgbm"]
    assert (entry["data"], entry["serialization_format"]) == (file, serialization)
    assert (folder / file).is_file()
    np.testing.assert_array_equal(
        stepwell.lightgbm.load_model(str(folder)).predict_proba(FRAME), model.predict_proba(FRAME)
    )


def test_types_of_skops_that_anybody_could_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=2, **SMALL).fit(FRAME, LABELS)
    stepwell.lightgbm.save_model(
        model, tmp_path / "model", serialization_format="skops", skops_trusted_types=["subprocess.Popen"]
    )
    stepwell.lightgbm.load_model(str(tmp_path / "model"))
    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")
    with pytest.raises(StepwellException, match=r"model\.skops.*STEPWELL_ALLOW_PICKLE"):
        stepwell.lightgbm.load_model(str(tmp_path / "model"))
