"""Models of Keras 3: data/model.keras, which executes nothing; or a SavedModel of TensorFlow, for serving alone."""

from collections.abc import Mapping, Sequence
from logging import getLogger
from pathlib import Path
from typing import Any, Unpack

from stepwell import extras
from stepwell.errors import invalid, short
from stepwell.models import loading, logged, saving
from stepwell.models.flavor import Flavor, Written
from stepwell.models.info import ModelInfo
from stepwell.models.inside import named, path_inside
from stepwell.models.mlmodel import Model
from stepwell.models.options import LogOptions, SaveOptions
from stepwell.models.signature import ModelSignature

DATA_FOLDER = "data"
MODEL = "model"
MODULE_FILE = "keras_module.txt"

_log = getLogger("stepwell")


class Keras(Flavor):
    """A keras.Model."""

    name = "keras"
    loader_module = "mlflow.keras"
    distributions = ("keras",)

    def __init__(
        self,
        model: Any,
        save_exported_model: bool = False,
        keywords: Mapping[str, Any] | None = None,
        signature: Any = None,
    ) -> None:
        if not isinstance(model, library().Model):
            raise invalid(f"A model of Keras is a keras.Model, not {type(model).__name__}.")
        self.model = model
        self.save_exported_model = save_exported_model
        self.keywords = dict(keywords or {})
        self.signature = signature

    def parts(self) -> Sequence[Any]:
        """Return the backend, and the classes of the layers that are no part of Keras."""
        return [backend(), type(self.model), *{type(layer) for layer in _layers(self.model)}]

    def write(self, folder: Path) -> Written:
        """Write the folder `data`."""
        data = folder / DATA_FOLDER
        data.mkdir()
        (data / MODULE_FILE).write_text("keras", encoding="utf-8")
        if self.save_exported_model:
            _export(self.model, data / MODEL, self.signature)
        else:
            self.model.save(data / f"{MODEL}.keras", **self.keywords)
        config = {
            "data": DATA_FOLDER,
            "keras_version": library().__version__,
            "keras_backend": library().backend.backend(),
            "save_exported_model": self.save_exported_model,
        }
        return Written(config)

    def wrapped(self) -> "KerasModel":
        """Return the model with predict(data)."""
        return KerasModel(self.model)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the model; of an exported one what TensorFlow makes of it."""
        data = named(config, "data", folder) or folder
        # MLflow has named the folder, and in some versions the file without its ending.
        place = data / MODEL if data.is_dir() else data
        if config.get("save_exported_model"):
            return tensorflow("An exported model of Keras").saved_model.load(str(place))
        _tell_of_other_backend(config.get("keras_backend"))
        file = path_inside(folder, f"{place.relative_to(folder).as_posix()}.keras", "data")
        return library().saving.load_model(file, **options)

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> "KerasModel":
        """Return the model with predict(data)."""
        config = model.flavor(cls.name)
        return KerasModel(cls.load(folder, config), bool(config.get("save_exported_model")))


class KerasModel:
    """What pyfunc asks: arrays in, an array out; of a data frame a data frame."""

    def __init__(self, model: Any, exported: bool = False) -> None:
        self.model = model
        self.exported = exported

    def predict(self, data: Any) -> Any:
        """Return the predictions.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE for data of another kind.
        """
        if hasattr(data, "to_numpy") and hasattr(data, "columns"):
            return type(data)(self._predict(data.to_numpy()), index=data.index)
        check_data(data)
        return self._predict(data)

    def _predict(self, data: Any) -> Any:
        if self.exported:
            return library().ops.convert_to_numpy(self.model.serve(data))
        return self.model.predict(data, verbose=0)

    def get_raw_model(self) -> Any:
        """Return the model."""
        return self.model


def check_data(data: Any) -> None:
    """Refuse what Keras takes for something else than inputs."""
    import numpy as np

    if not isinstance(data, (np.ndarray, list, tuple, dict)):
        raise invalid(
            "The data for a model of Keras must be an array, a list, a tuple, a dict or a data frame, not "
            f"{type(data).__name__}."
        )


@short
def save_model(
    model: Any,
    path: Any,
    *,
    save_exported_model: bool = False,
    save_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Save a model of Keras to a local folder.

    Args:
        model: a keras.Model.
        path: of the folder, which must not be there yet, or be empty.
        save_exported_model: a SavedModel of TensorFlow instead of a .keras file: it predicts, and cannot be trained on.
        save_model_kwargs: keywords of keras.Model.save.
        options: see `SaveOptions`.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    flavor = Keras(model, save_exported_model, save_model_kwargs, options.get("signature"))
    saving.save(flavor, path, options)


@short
def log_model(
    model: Any,
    artifact_path: str | None = None,
    *,
    save_exported_model: bool = False,
    save_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Log a model to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    flavor = Keras(model, save_exported_model, save_model_kwargs, options.get("signature"))
    return logged.log(flavor, artifact_path, options)


@short
def load_model(
    model_uri: Any,
    dst_path: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    load_model_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Return the model of a model URI, or of a local folder.

    Args:
        model_uri: see pyfunc.load_model.
        dst_path: where the files go.
        custom_objects: classes and functions of yours by name, as keras.saving.load_model takes them.
        load_model_kwargs: its other keywords.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of Keras.
    """
    keywords = {**(load_model_kwargs or {}), "custom_objects": custom_objects}
    return loading.load_native(Keras, model_uri, dst_path, **keywords)


def library() -> Any:
    """Return Keras."""
    return extras.library("keras", "A model of Keras", "keras")


def tensorflow(purpose: str) -> Any:
    """Return TensorFlow, for something that needs it."""
    return extras.library("tensorflow", purpose, "tensorflow")


def backend() -> Any:
    """Return the module that Keras computes with: tensorflow, jax or torch."""
    return extras.library(library().backend.backend(), "A model of Keras", "tensorflow")


def _layers(model: Any) -> Sequence[Any]:
    """Return all layers, also those within others."""
    layers: Sequence[Any] = model._flatten_layers() if hasattr(model, "_flatten_layers") else model.layers
    return layers


def _tell_of_other_backend(saved: Any) -> None:
    here = library().backend.backend()
    if saved and saved != here:
        _log.warning(
            "The model was saved with Keras's backend %s and is loaded with %s. KERAS_BACKEND chooses, before Keras is "
            "imported.",
            saved,
            here,
        )


def _export(model: Any, place: Path, signature: Any) -> None:
    """Write a SavedModel whose endpoint `serve` takes any number of rows."""
    library_ = tensorflow("Exporting a model of Keras")
    if isinstance(signature, ModelSignature) and signature.inputs is not None:
        specs = [
            library_.TensorSpec([None if side == -1 else side for side in each.shape], each.type, each.name)
            for each in signature.inputs.inputs
        ]
    else:
        specs = [library_.TensorSpec([None, *each.shape[1:]], each.dtype, each.name) for each in model.inputs]
    archive = library().export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", fn=model.__call__, input_signature=specs)
    archive.write_out(str(place), verbose=False)
