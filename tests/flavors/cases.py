"""Small models, one for each form that a flavor has on disk. MLflow and Stepwell save them by the same lines.

`case.save(mlflow, folder)` and `case.save(stepwell, folder)` write the model and return what it is to predict on.
Runs in environments that have only the library, and MLflow or Stepwell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

Save = Callable[[Any, str], Any]
ROWS = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [4.0, 1.0], [1.5, 2.5], [3.0, 3.0]])
TARGETS = np.array([0.5, 1.0, 2.0, 3.5, 1.0, 2.5])
LABELS = np.array([0, 0, 1, 1, 0, 1])
# Given, so that MLflow does not look for them by loading the model in another process.
PINS = ["numpy"]


@dataclass(frozen=True)
class Case:
    """One form: the library that it needs, and the versions of MLflow that know it, as (major, minor)."""

    name: str
    library: str
    save: Save
    first: tuple[int, int]
    last: tuple[int, int]

    def is_known_to(self, module: Any) -> bool:
        """Tell whether Stepwell, or this MLflow, writes and reads it."""
        return module.__name__ == "stepwell" or self.first <= _version(module) <= self.last

    def has_library(self) -> bool:
        """Tell whether the library is installed here."""
        return find_spec(self.library) is not None


CASES: dict[str, Case] = {}


def case(
    library: str, first: tuple[int, int] = (2, 22), last: tuple[int, int] = (9, 0)
) -> Callable[[Save], Save]:
    """Register a function that saves a form."""

    def register(save: Save) -> Save:
        CASES[save.__name__] = Case(save.__name__, library, save, first, last)
        return save

    return register


@case("sklearn")
def sklearn_cloudpickle(module: Any, folder: str) -> Any:
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame(ROWS, columns=["width", "height"])
    model = LinearRegression().fit(frame, TARGETS)
    signature = module.models.infer_signature(frame, model.predict(frame))
    module.sklearn.save_model(
        model, folder, serialization_format="cloudpickle", signature=signature, pip_requirements=PINS
    )
    return frame


@case("sklearn")
def sklearn_pickle(module: Any, folder: str) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(ROWS, LABELS)
    module.sklearn.save_model(
        model,
        folder,
        serialization_format="pickle",
        pyfunc_predict_fn="predict_proba",
        pip_requirements=PINS,
    )
    return ROWS


@case("sklearn", first=(3, 17))
def sklearn_skops(module: Any, folder: str) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(ROWS, LABELS)
    module.sklearn.save_model(model, folder, serialization_format="skops", pip_requirements=PINS)
    return ROWS


def _network() -> Any:
    import torch

    torch.manual_seed(7)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))


@case("torch")
def pytorch_module(module: Any, folder: str) -> Any:
    rows = ROWS.astype("float32")
    keywords = {} if _is_old(module) else {"serialization_format": "pickle"}
    module.pytorch.save_model(_network(), folder, pip_requirements=PINS, **keywords)
    return rows


@case("torch")
def pytorch_of_a_frame(module: Any, folder: str) -> Any:
    frame = pd.DataFrame(ROWS, columns=["width", "height"])
    keywords = {} if _is_old(module) else {"serialization_format": "pickle"}
    module.pytorch.save_model(_network().double().float(), folder, pip_requirements=PINS, **keywords)
    return frame


@case("torch")
def pytorch_script(module: Any, folder: str) -> Any:
    import torch

    keywords = {} if _is_old(module) else {"serialization_format": "pickle"}
    module.pytorch.save_model(torch.jit.script(_network()), folder, pip_requirements=PINS, **keywords)
    return ROWS.astype("float32")


@case("torch", first=(3, 17))
def pytorch_exported(module: Any, folder: str) -> Any:
    rows = ROWS.astype("float32")
    module.pytorch.save_model(
        _network(), folder, serialization_format="pt2", input_example=rows, pip_requirements=PINS
    )
    return rows


def _is_old(module: Any) -> bool:
    """Tell of an MLflow that does not know formats of serialization yet; our default is the format that all know."""
    return _version(module) < (3, 17)


def _version(module: Any) -> tuple[int, int]:
    major, minor = module.__version__.split(".")[:2]
    return int(major), int(minor)


@case("xgboost")
def xgboost_booster(module: Any, folder: str) -> Any:
    import xgboost

    frame = pd.DataFrame(ROWS, columns=["width", "height"])
    settings = {"max_depth": 2, "nthread": 1, "min_child_weight": 0}
    model = xgboost.train(settings, xgboost.DMatrix(frame, label=TARGETS), num_boost_round=2)
    module.xgboost.save_model(model, folder, pip_requirements=PINS)
    return frame


@case("xgboost")
def xgboost_classifier(module: Any, folder: str) -> Any:
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1, min_child_weight=0)
    module.xgboost.save_model(model.fit(ROWS, LABELS), folder, pip_requirements=PINS)
    return ROWS


@case("xgboost")
def xgboost_json(module: Any, folder: str) -> Any:
    import xgboost

    model = xgboost.XGBRegressor(n_estimators=2, max_depth=2, n_jobs=1, min_child_weight=0)
    module.xgboost.save_model(model.fit(ROWS, TARGETS), folder, model_format="json", pip_requirements=PINS)
    return ROWS


_LEAVES = {"min_child_samples": 1, "min_data_in_bin": 1, "num_leaves": 3, "verbose": -1, "num_threads": 1}


@case("lightgbm")
def lightgbm_booster(module: Any, folder: str) -> Any:
    import lightgbm

    frame = pd.DataFrame(ROWS, columns=["width", "height"])
    data = lightgbm.Dataset(frame, label=TARGETS)
    model = lightgbm.train({**_LEAVES, "objective": "regression"}, data, num_boost_round=2)
    module.lightgbm.save_model(model, folder, pip_requirements=PINS)
    return frame


@case("lightgbm")
def lightgbm_classifier(module: Any, folder: str) -> Any:
    keywords = {} if _is_old(module) else {"serialization_format": "cloudpickle"}
    module.lightgbm.save_model(_light_classifier(), folder, pip_requirements=PINS, **keywords)
    return ROWS


@case("lightgbm", first=(3, 17))
def lightgbm_skops(module: Any, folder: str) -> Any:
    module.lightgbm.save_model(
        _light_classifier(), folder, serialization_format="skops", pip_requirements=PINS
    )
    return ROWS


def _light_classifier() -> Any:
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=2, min_child_samples=1, min_data_in_bin=1, num_leaves=3, n_jobs=1, verbose=-1
    )
    return model.fit(ROWS, LABELS)


@case("keras")
def keras_model(module: Any, folder: str) -> Any:
    import keras

    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(1)])
    module.keras.save_model(model, folder, pip_requirements=PINS)
    return ROWS.astype("float32")


@case("tensorflow")
def tensorflow_keras(module: Any, folder: str) -> Any:
    import tensorflow

    keras = tensorflow.keras
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(1)])
    module.tensorflow.save_model(model, folder, pip_requirements=PINS)
    return ROWS.astype("float32")


@case("tensorflow")
def tensorflow_h5(module: Any, folder: str) -> Any:
    import tensorflow

    keras = tensorflow.keras
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    module.tensorflow.save_model(
        model, folder, keras_model_kwargs={"save_format": "h5"}, pip_requirements=PINS
    )
    return ROWS.astype("float32")


@case("tensorflow")
def tensorflow_module(module: Any, folder: str) -> Any:
    import tensorflow

    class Scaled(tensorflow.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = tensorflow.Variable(3.0)

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 2], tensorflow.float32)])
        def __call__(self, rows: Any) -> Any:
            return rows * self.factor

    rows = ROWS.astype("float32")
    signature = module.models.infer_signature(rows, rows)
    module.tensorflow.save_model(Scaled(), folder, signature=signature, pip_requirements=PINS)
    return rows


@case("tensorflow", first=(3, 12))
def keras_exported(module: Any, folder: str) -> Any:
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    rows = ROWS.astype("float32")
    signature = module.models.infer_signature(rows, model.predict(rows, verbose=0))
    module.keras.save_model(
        model, folder, save_exported_model=True, signature=signature, pip_requirements=PINS
    )
    return rows


@case("fastai", last=(2, 22))
def fastai_learner(module: Any, folder: str) -> Any:
    from fastai.tabular.all import RegressionBlock, TabularDataLoaders, tabular_learner

    frame = pd.DataFrame({"width": ROWS[:, 0], "height": ROWS[:, 1], "target": TARGETS})
    loaders = TabularDataLoaders.from_df(
        frame, y_names="target", cont_names=["width", "height"], y_block=RegressionBlock(), bs=2
    )
    learner = tabular_learner(loaders, layers=[2])
    module.fastai.save_model(learner, folder, pip_requirements=PINS)
    return frame[["width", "height"]]
