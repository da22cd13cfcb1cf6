"""Models of TensorFlow: Keras models that are TensorFlow's, in data/; modules (tf.Module) as SavedModel, in tf2model/.

data/model.keras, data/model.h5     and keras_module.txt, save_format.txt; custom_objects.cloudpickle, a pickle
tf2model/                           a SavedModel; such a model needs a signature
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Unpack

from stepwell.errors import StepwellException, invalid, short
from stepwell.models import loading, logged, pickles, saving
from stepwell.models.flavor import Flavor, Written
from stepwell.models.flavors.keras import DATA_FOLDER, MODEL, MODULE_FILE, check_data
from stepwell.models.flavors.keras import tensorflow as library_for
from stepwell.models.info import ModelInfo
from stepwell.models.inside import named
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.options import LogOptions, SaveOptions

KERAS, MODULE = "keras", "tf2-module"
KERAS_MODULE = "tensorflow.keras"
# The modules that a model may name: what else would be imported is anybody's.
KERAS_MODULES = (KERAS_MODULE, "keras", "tf_keras")
FORMAT_FILE = "save_format.txt"
SAVED_MODEL_FOLDER = "tf2model"
CUSTOM_OBJECTS_FILES = ("custom_objects.cloudpickle", "global_custom_objects.cloudpickle")
# Where Keras 3, Keras 2 with HDF5 and Keras 2 with a SavedModel put it.
ENDINGS = (".keras", ".h5", "")


class TensorFlow(Flavor):
    """A Keras model, or another tf.Module."""

    name = "tensorflow"
    loader_module = "mlflow.tensorflow"
    distributions = ("tensorflow", "tensorflow-cpu", "keras")

    def __init__(
        self,
        model: Any,
        custom_objects: Mapping[str, Any] | None = None,
        keras_keywords: Mapping[str, Any] | None = None,
        saved_model_keywords: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.custom_objects = dict(custom_objects or {})
        self.keras_keywords = dict(keras_keywords or {})
        self.saved_model_keywords = dict(saved_model_keywords or {})
        self.is_keras = isinstance(model, library().keras.Model)
        if not self.is_keras and not isinstance(model, library().Module):
            raise invalid(
                f"A model of TensorFlow is a keras.Model or a tf.Module, not {type(model).__name__}."
            )
        # MLflow does not load a module without one.
        self.needs_signature = not self.is_keras

    def parts(self) -> Sequence[Any]:
        """Return the library, and the classes that are no part of it."""
        return [library(), type(self.model), *self.custom_objects.values()]

    def write(self, folder: Path) -> Written:
        """Write data/ or tf2model/."""
        if self.is_keras:
            return self._write_keras(folder)
        library().saved_model.save(self.model, str(folder / SAVED_MODEL_FOLDER), **self.saved_model_keywords)
        return Written({"model_type": MODULE, "saved_model_dir": SAVED_MODEL_FOLDER})

    def _write_keras(self, folder: Path) -> Written:
        keywords = dict(self.keras_keywords)
        save_format = str(keywords.pop("save_format", None) or "tf")
        data = folder / DATA_FOLDER
        data.mkdir()
        self.model.save(data / f"{MODEL}{'.h5' if save_format == 'h5' else '.keras'}", **keywords)
        (data / MODULE_FILE).write_text(KERAS_MODULE, encoding="utf-8")
        (data / FORMAT_FILE).write_text(save_format, encoding="utf-8")
        # Those of this call, and those that are registered with Keras in this process.
        found = (self.custom_objects, library().keras.utils.get_custom_objects())
        for name, objects in zip(CUSTOM_OBJECTS_FILES, found, strict=True):
            if objects:
                with (data / name).open("wb") as stream:
                    pickles.dump(dict(objects), stream)
        config = {
            "data": DATA_FOLDER,
            "model_type": KERAS,
            "keras_version": library().__version__,  # MLflow's name for it
            "save_format": save_format,
        }
        return Written(config, {"data": DATA_FOLDER})

    def wrapped(self) -> Any:
        """Return the model with predict(data)."""
        return KerasPredictor(self.model) if self.is_keras else ModulePredictor(self.model)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the Keras model, or what TensorFlow makes of a SavedModel."""
        if _type(config) == KERAS:
            return _read_keras(
                named(config, "data", folder) or folder / MODEL, dict(options.get("keras") or {})
            )
        place = _saved_model(folder, config)
        return library().saved_model.load(place, **(options.get("saved_model") or {}))

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> Any:
        """Return the model with predict(data)."""
        config = model.flavors.get("keras") or model.flavor(cls.name)
        if _type(config) == KERAS:
            data = named(model.flavor(PYFUNC), "data", folder) or folder
            compiled = _told(data, FORMAT_FILE, "h5") == "tf"
            return KerasPredictor(_read_keras(data, {"compile": compiled}))
        return ModulePredictor(cls.load(folder, config))


class KerasPredictor:
    """What pyfunc asks a Keras model: arrays in, an array out; of a data frame a data frame."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the predictions; there are no params."""
        if hasattr(data, "to_numpy") and hasattr(data, "columns"):
            return type(data)(self.model.predict(data.to_numpy(), verbose=0), index=data.index)
        check_data(data)
        return self.model.predict(data, verbose=0)

    def get_raw_model(self) -> Any:
        """Return the model."""
        return self.model


class ModulePredictor:
    """What pyfunc asks a module: an array or a list in, an array out."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the module makes of an array; there are no params."""
        import numpy as np

        if not isinstance(data, (np.ndarray, list)):
            raise invalid(f"The data for a tf.Module must be an array or a list, not {type(data).__name__}.")
        answer = self.model(library().convert_to_tensor(data))
        return answer.numpy() if isinstance(answer, library().Tensor) else answer

    def get_raw_model(self) -> Any:
        """Return the module."""
        return self.model


@short
def save_model(
    model: Any,
    path: Any,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    saved_model_kwargs: Mapping[str, Any] | None = None,
    keras_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Save a model of TensorFlow to a local folder.

    Args:
        model: a Keras model, or another tf.Module.
        path: of the folder, which must not be there yet, or be empty.
        custom_objects: classes and functions of a Keras model by name; they go along as a pickle.
        saved_model_kwargs: keywords of tf.saved_model.save, for a tf.Module.
        keras_model_kwargs: keywords of keras.Model.save, and save_format: "tf", or "h5" for HDF5.
        options: see `SaveOptions`. A tf.Module needs a signature.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    saving.save(TensorFlow(model, custom_objects, keras_model_kwargs, saved_model_kwargs), path, options)


@short
def log_model(
    model: Any,
    artifact_path: str | None = None,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    saved_model_kwargs: Mapping[str, Any] | None = None,
    keras_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Log a model to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    flavor = TensorFlow(model, custom_objects, keras_model_kwargs, saved_model_kwargs)
    return logged.log(flavor, artifact_path, options)


@short
def load_model(
    model_uri: Any,
    dst_path: str | None = None,
    saved_model_kwargs: Mapping[str, Any] | None = None,
    keras_model_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Return the model of a model URI, or of a local folder; keywords are those of TensorFlow's or Keras's load.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of TensorFlow;
            PERMISSION_DENIED when it has custom objects and STEPWELL_ALLOW_PICKLE is false.
    """
    return loading.load_native(
        TensorFlow, model_uri, dst_path, saved_model=saved_model_kwargs, keras=keras_model_kwargs
    )


def library() -> Any:
    """Return TensorFlow."""
    return library_for("A model of TensorFlow")


def _type(config: Mapping[str, Any]) -> str:
    kind = str(config.get("model_type") or KERAS)
    if kind not in (KERAS, MODULE):
        raise StepwellException(
            f"MLmodel: the flavor tensorflow is of the type {kind!r}; Stepwell reads {KERAS} and {MODULE}.",
            "NOT_IMPLEMENTED",
        )
    return kind


def _saved_model(folder: Path, config: Mapping[str, Any]) -> str:
    place = named(config, "saved_model_dir", folder)
    if place is None:
        raise invalid("MLmodel: the flavor tensorflow names no saved_model_dir.")
    return str(place)


def _read_keras(data: Path, keywords: dict[str, Any]) -> Any:
    place = data / MODEL if data.is_dir() else data
    found = next((it for end in ENDINGS if (it := place.with_name(place.name + end)).exists()), None)
    if found is None:
        raise StepwellException(f"The model has no file {place.name}.keras.", "RESOURCE_DOES_NOT_EXIST")
    objects = {**_custom_objects(data), **(keywords.pop("custom_objects", None) or {})}
    module = _told(data, MODULE_FILE, KERAS_MODULE)
    if module not in KERAS_MODULES:
        raise invalid(f"{MODULE_FILE} names {module!r}; it must be one of {', '.join(KERAS_MODULES)}.")
    keras = library().keras if module == KERAS_MODULE else import_module(module)
    return keras.models.load_model(str(found), custom_objects=objects or None, **keywords)


def _custom_objects(data: Path) -> dict[str, Any]:
    """Return the user's classes and functions that went along; those of this model go before those of all."""
    found: dict[str, Any] = {}
    for name in reversed(CUSTOM_OBJECTS_FILES):
        if (data / name).is_file():
            found |= pickles.load(data / name)
    return found


def _told(data: Path, file: str, default: str) -> str:
    return (data / file).read_text(encoding="utf-8").strip() if (data / file).is_file() else default
