"""Models of scikit-learn: there and back by all formats, as estimator and as function."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import stepwell
from stepwell import StepwellException

Iris = tuple[Any, Any]


@pytest.mark.parametrize("serialization_format", ["cloudpickle", "pickle"])
def test_a_saved_pipeline_predicts_as_before(
    pipeline: Any, iris: Iris, tmp_path: Path, serialization_format: str
) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model", serialization_format=serialization_format)
    loaded = stepwell.sklearn.load_model(tmp_path / "model")
    assert (loaded.predict(iris[0]) == pipeline.predict(iris[0])).all()
    function = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    assert (function.predict(iris[0]) == pipeline.predict(iris[0])).all()
    assert function.get_raw_model().steps[0][0] == "standardscaler"
    assert function.loader_module == "mlflow.sklearn"


def test_skops_needs_no_pickle(
    pipeline: Any, iris: Iris, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")
    stepwell.sklearn.save_model(pipeline, tmp_path / "model", serialization_format="skops")
    loaded = stepwell.sklearn.load_model(tmp_path / "model")
    assert (loaded.predict(iris[0]) == pipeline.predict(iris[0])).all()


def test_a_pickle_is_refused_where_the_environment_says_so(
    pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")
    for load in (stepwell.sklearn.load_model, stepwell.pyfunc.load_model):
        with pytest.raises(StepwellException, match="STEPWELL_ALLOW_PICKLE") as refused:
            load(tmp_path / "model")
        assert refused.value.error_code == "PERMISSION_DENIED"


def test_that_a_pickle_executes_code_is_said_once(
    pipeline: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    with caplog.at_level(logging.WARNING, "stepwell"):
        stepwell.sklearn.load_model(tmp_path / "model")
        stepwell.sklearn.load_model(tmp_path / "model")
    assert sum("executes code" in it.message for it in caplog.records) == 1


def test_another_function_than_predict(pipeline: Any, iris: Iris, tmp_path: Path) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model", pyfunc_predict_fn="predict_proba")
    found = stepwell.pyfunc.load_model(tmp_path / "model").predict(iris[0])
    assert np.allclose(found, pipeline.predict_proba(iris[0]))


def test_the_folder_is_that_of_mlflow(pipeline: Any, iris: Iris, tmp_path: Path) -> None:
    stepwell.sklearn.save_model(
        pipeline, tmp_path / "model", input_example=iris[0].head(2), metadata={"team": "botany"}
    )
    assert sorted(it.name for it in (tmp_path / "model").iterdir()) == [
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "model.pkl",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    ]
    said = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert said["flavors"]["python_function"]["loader_module"] == "mlflow.sklearn"
    assert said["flavors"]["python_function"]["model_path"] == "model.pkl"
    assert said["flavors"]["python_function"]["env"] == {
        "conda": "conda.yaml",
        "virtualenv": "python_env.yaml",
    }
    assert said["flavors"]["sklearn"]["serialization_format"] == "cloudpickle"
    assert said["metadata"] == {"team": "botany"}
    assert said["saved_input_example_info"] == {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    assert '"name": "sepal length (cm)"' in said["signature"]["inputs"]
    assert said["model_size_bytes"] == (tmp_path / "model" / "model.pkl").stat().st_size


def test_requirements_are_pins_of_what_the_model_needs(pipeline: Any, iris: Iris, tmp_path: Path) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model", input_example=iris[0].head(2))
    lines = (tmp_path / "model" / "requirements.txt").read_text().split("\n")
    assert [it.partition("==")[0] for it in lines] == ["cloudpickle", "numpy", "pandas", "scikit-learn"]
    assert all("==" in it for it in lines)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    class Unpicklable:
        def __reduce__(self) -> Any:
            raise RuntimeError("not me")

    with pytest.raises(RuntimeError, match="not me"):
        stepwell.sklearn.save_model(Unpicklable(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_models_are_not_written_over_others(pipeline: Any, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    with pytest.raises(StepwellException, match="already exists and is not empty") as refused:
        stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_a_model_of_another_flavor_says_what_it_is(pipeline: Any, tmp_path: Path) -> None:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    file = tmp_path / "model" / "MLmodel"
    file.write_text(file.read_text().replace("\n  sklearn:", "\n  other:"))
    with pytest.raises(StepwellException, match=r'does not have the "sklearn" flavor\. It has: other'):
        stepwell.sklearn.load_model(tmp_path / "model")


def test_an_unknown_keyword_is_a_type_error(pipeline: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"save_model\(\) got an unexpected keyword argument 'signatur'"):
        stepwell.sklearn.save_model(pipeline, tmp_path / "model", signatur=None)
