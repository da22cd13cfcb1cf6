"""Models of Keras with the backend torch: what pyfunc makes of data, custom layers, other backends."""

import logging
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

import stepwell
from stepwell import StepwellException

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

ROWS = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], dtype="float32")


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])


@pytest.fixture
def saved(model: keras.Model, tmp_path: Path) -> Path:
    stepwell.keras.save_model(model, tmp_path / "model")
    return tmp_path / "model"


def test_the_files_are_those_of_mlflow(saved: Path) -> None:
    assert sorted(path.name for path in (saved / "data").iterdir()) == ["keras_module.txt", "model.keras"]
    assert (saved / "data/keras_module.txt").read_text() == "keras"
    flavors = yaml.safe_load((saved / "MLmodel").read_text())["flavors"]
    assert flavors["keras"] == {
        "code": None,
        "data": "data",
        "keras_backend": keras.backend.backend(),
        "keras_version": keras.__version__,
        "save_exported_model": False,
    }
    assert "data" not in flavors["python_function"]
    requirements = (saved / "requirements.txt").read_text()
    assert f"keras=={keras.__version__}" in requirements
    assert "torch==" in requirements


def test_an_array_gives_an_array_and_a_frame_a_frame(saved: Path, model: keras.Model) -> None:
    loaded = stepwell.pyfunc.load_model(str(saved))
    expected = model.predict(ROWS, verbose=0)
    np.testing.assert_allclose(loaded.predict(ROWS), expected, rtol=1e-6)
    np.testing.assert_allclose(loaded.predict([ROWS]), expected, rtol=1e-6)
    of_frame = loaded.predict(pd.DataFrame(ROWS, index=[7, 8, 9]))
    assert list(of_frame.index) == [7, 8, 9]
    np.testing.assert_allclose(of_frame.to_numpy(), expected, rtol=1e-6)
    with pytest.raises(StepwellException, match="not str"):
        loaded.predict("rows")
    assert isinstance(loaded.get_raw_model(), keras.Model)


def test_an_example_gives_the_signature(model: keras.Model, tmp_path: Path) -> None:
    stepwell.keras.save_model(model, tmp_path / "model", input_example=ROWS)
    signature = stepwell.models.get_model_info(str(tmp_path / "model")).signature
    assert signature.inputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 2]}
    assert signature.outputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 1]}


class Doubled(keras.layers.Layer):
    """A layer that Keras does not know by itself."""

    def call(self, rows: object) -> object:
        return rows * 2


def test_layers_of_ones_own(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), Doubled()])
    stepwell.keras.save_model(model, tmp_path / "model")
    loaded = stepwell.keras.load_model(str(tmp_path / "model"), custom_objects={"Doubled": Doubled})
    np.testing.assert_allclose(loaded.predict(ROWS, verbose=0), 2 * ROWS)
    with pytest.raises(TypeError, match="Doubled"):
        stepwell.keras.load_model(str(tmp_path / "model"))


def test_another_backend_is_told(saved: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = saved / "MLmodel"
    file.write_text(file.read_text().replace("keras_backend: torch", "keras_backend: jax"))
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        stepwell.keras.load_model(str(saved))
    assert "backend jax and is loaded with torch" in caplog.text


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(StepwellException, match=r"keras\.Model, not dict"):
        stepwell.keras.save_model({}, tmp_path / "model")


def test_a_lambda_is_not_executed_unasked(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda rows: rows * 3)])
    stepwell.keras.save_model(model, tmp_path / "model")
    with pytest.raises(ValueError, match="safe_mode"):
        stepwell.keras.load_model(str(tmp_path / "model"))
    trusted = stepwell.keras.load_model(str(tmp_path / "model"), load_model_kwargs={"safe_mode": False})
    np.testing.assert_allclose(trusted.predict(ROWS, verbose=0), 3 * ROWS)
