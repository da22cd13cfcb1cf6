"""Models of TensorFlow: Keras models, HDF5, custom objects, modules. Run by `make test-flavors`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow
import yaml

import stepwell
from stepwell import StepwellException
from stepwell.models import infer_signature

pytestmark = pytest.mark.filterwarnings("ignore")

keras = tensorflow.keras
ROWS = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], dtype="float32")


@keras.utils.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """A layer of ours, which Keras knows in this process."""

    def call(self, rows: Any) -> Any:
        return rows * 2


class Scaled(tensorflow.Module):
    """A module that is no Keras model."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tensorflow.Variable(3.0)

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 2], tensorflow.float32)])
    def __call__(self, rows: Any) -> Any:
        return rows * self.factor


@pytest.fixture
def model() -> Any:
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])


def test_the_files_are_those_of_mlflow(model: Any, tmp_path: Path) -> None:
    stepwell.tensorflow.save_model(model, tmp_path / "model")
    data = tmp_path / "model/data"
    assert sorted(path.name for path in data.iterdir()) == [
        "global_custom_objects.cloudpickle",
        "keras_module.txt",
        "model.keras",
        "save_format.txt",
    ]
    assert (data / "keras_module.txt").read_text() == "tensorflow.keras"
    assert (data / "save_format.txt").read_text() == "tf"
    flavors = yaml.safe_load((tmp_path / "model/MLmodel").read_text())["flavors"]
    assert flavors["tensorflow"] == {
        "code": None,
        "data": "data",
        "keras_version": tensorflow.__version__,
        "model_type": "keras",
        "save_format": "tf",
    }
    assert "tensorflow" in (tmp_path / "model/requirements.txt").read_text()


@pytest.mark.parametrize("save_format", ["tf", "h5"])
def test_an_array_gives_an_array_and_a_frame_a_frame(model: Any, tmp_path: Path, save_format: str) -> None:
    keywords = {"save_format": save_format}
    stepwell.tensorflow.save_model(model, tmp_path / "model", keras_model_kwargs=keywords)
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    expected = model.predict(ROWS, verbose=0)
    np.testing.assert_allclose(loaded.predict(ROWS), expected, rtol=1e-6)
    of_frame = loaded.predict(pd.DataFrame(ROWS, index=[7, 8, 9]))
    assert list(of_frame.index) == [7, 8, 9]
    np.testing.assert_allclose(of_frame.to_numpy(), expected, rtol=1e-6)
    native = stepwell.tensorflow.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(native.predict(ROWS, verbose=0), expected, rtol=1e-6)


def test_a_compiled_model_can_be_trained_on(model: Any, tmp_path: Path) -> None:
    model.compile("sgd", "mse")
    stepwell.tensorflow.save_model(model, tmp_path / "model")
    loaded = stepwell.tensorflow.load_model(str(tmp_path / "model"))
    loaded.fit(ROWS, ROWS.sum(1), verbose=0)


def test_layers_of_ones_own_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((2,)), Doubled()])
    stepwell.tensorflow.save_model(model, tmp_path / "model", custom_objects={"Doubled": Doubled})
    assert (tmp_path / "model/data/custom_objects.cloudpickle").is_file()
    monkeypatch.delitem(keras.utils.get_custom_objects(), "tests>Doubled")
    np.testing.assert_allclose(stepwell.pyfunc.load_model(str(tmp_path / "model")).predict(ROWS), 2 * ROWS)
    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")
    with pytest.raises(StepwellException, match=r"custom_objects\.cloudpickle.*STEPWELL_ALLOW_PICKLE"):
        stepwell.pyfunc.load_model(str(tmp_path / "model"))


def test_modules(tmp_path: Path) -> None:
    with pytest.raises(StepwellException, match="needs a signature"):
        stepwell.tensorflow.save_model(Scaled(), tmp_path / "model")
    signature = infer_signature(ROWS, ROWS)
    stepwell.tensorflow.save_model(Scaled(), tmp_path / "model", signature=signature)
    flavors = yaml.safe_load((tmp_path / "model/MLmodel").read_text())["flavors"]
    assert flavors["tensorflow"] == {"code": None, "model_type": "tf2-module", "saved_model_dir": "tf2model"}
    assert "data" not in flavors["python_function"]
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(loaded.predict(ROWS), 3 * ROWS)
    native = stepwell.tensorflow.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(native(tensorflow.constant(ROWS)).numpy(), 3 * ROWS)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(StepwellException, match=r"keras\.Model or a tf\.Module, not dict"):
        stepwell.tensorflow.save_model({}, tmp_path / "model")


def test_modules_of_python_that_a_model_names(model: Any, tmp_path: Path) -> None:
    stepwell.tensorflow.save_model(model, tmp_path / "model")
    (tmp_path / "model/data/keras_module.txt").write_text("antigravity")
    with pytest.raises(StepwellException, match="names 'antigravity'"):
        stepwell.tensorflow.load_model(str(tmp_path / "model"))


def test_an_exported_model_of_keras(model: Any, tmp_path: Path) -> None:
    stepwell.keras.save_model(model, tmp_path / "model", save_exported_model=True)
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(loaded.predict(ROWS), model.predict(ROWS, verbose=0), rtol=1e-5)
