"""Models of scikit-learn: model.pkl (cloudpickle or pickle), or model.skops, which executes nothing."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from stepwell import extras
from stepwell.errors import invalid, short
from stepwell.models import loading, logged, pickles, saving
from stepwell.models.flavor import Flavor, Written
from stepwell.models.info import ModelInfo
from stepwell.models.inside import named
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.options import LogOptions, SaveOptions

CLOUDPICKLE, PICKLE, SKOPS = "cloudpickle", "pickle", "skops"
FORMATS = (PICKLE, CLOUDPICKLE, SKOPS)
# Types of libraries that skops may make where no pickle is read.
HARMLESS_TYPES = ("collections.", "lightgbm.", "sklearn.", "xgboost.")
PREDICT_FUNCTIONS = ("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba", "score")


class Sklearn(Flavor):
    """An estimator or pipeline, fitted or not."""

    name = "sklearn"
    loader_module = "mlflow.sklearn"
    distributions = ("scikit-learn",)

    def __init__(
        self,
        model: Any,
        serialization_format: str = CLOUDPICKLE,
        predict_fn: str = "predict",
        trusted_types: Sequence[str] | None = None,
    ) -> None:
        if serialization_format not in FORMATS:
            raise invalid(
                f"Unrecognized serialization format: {serialization_format!r}. Use one of {', '.join(FORMATS)}."
            )
        self.model = model
        self.serialization_format = serialization_format
        self.predict_fn = predict_fn
        self.trusted_types = trusted_types

    def parts(self) -> Sequence[Any]:
        """Return the estimator, and what the format needs to read it again."""
        reader = {CLOUDPICKLE: "cloudpickle", SKOPS: "skops"}.get(self.serialization_format)
        return [self.model, *([extras.load(reader, "Saving this model", "models")] if reader else [])]

    def write(self, folder: Path) -> Written:
        """Write one file."""
        file = folder / ("model.skops" if self.serialization_format == SKOPS else "model.pkl")
        if self.serialization_format == SKOPS:
            _skops().dump(self.model, file)
        else:
            dump = pickle.dump if self.serialization_format == PICKLE else pickles.dump
            with file.open("wb") as stream:
                dump(self.model, stream)
        config: dict[str, Any] = {
            "pickled_model": file.name,
            "serialization_format": self.serialization_format,
            "sklearn_version": _version(),
        }
        if self.serialization_format == SKOPS:
            config["skops_trusted_types"] = list(self.trusted_types or ())
        predicts = {"predict_fn": self.predict_fn} if hasattr(self.model, self.predict_fn) else {}
        return Written(config, {"model_path": file.name, **predicts})

    def wrapped(self) -> "Estimator":
        """Return the estimator with predict(data, params)."""
        return Estimator(self.model, self.predict_fn)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the estimator."""
        file = named(config, "pickled_model", folder)
        if file is None:
            raise invalid("MLmodel: the flavor sklearn names no pickled_model.")
        serialization_format = config.get("serialization_format") or PICKLE
        if serialization_format != SKOPS:
            return pickles.load(file)
        return _load_skops(file, config.get("skops_trusted_types") or ())

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> "Estimator":
        """Return the estimator with predict(data, params)."""
        pyfunc = model.flavor(PYFUNC)
        config = dict(model.flavors.get(cls.name) or {})
        config.setdefault("pickled_model", pyfunc.get("model_path") or pyfunc.get("data"))
        return Estimator(cls.load(folder, config), str(pyfunc.get("predict_fn") or "predict"))


class Estimator:
    """What pyfunc asks: predict, or the function that was chosen instead when the model was saved."""

    def __init__(self, model: Any, predict_fn: str) -> None:
        self.model = model
        self.predict_fn = predict_fn

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the estimator says."""
        return getattr(self.model, self.predict_fn)(data, **(params or {}))

    def get_raw_model(self) -> Any:
        """Return the estimator."""
        return self.model


@short
def save_model(
    sk_model: Any,
    path: Any,
    *,
    serialization_format: str = CLOUDPICKLE,
    pyfunc_predict_fn: str = "predict",
    skops_trusted_types: Sequence[str] | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Save an estimator to a local folder.

    Args:
        sk_model: the estimator or pipeline.
        path: of the folder, which must not be there yet, or be empty.
        serialization_format: "cloudpickle", "pickle" or "skops".
        pyfunc_predict_fn: the method that pyfunc calls.
        skops_trusted_types: types that skops may make when the model is loaded, beside those that it knows.
        options: see `SaveOptions`.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    flavor = Sklearn(sk_model, serialization_format, pyfunc_predict_fn, skops_trusted_types)
    saving.save(flavor, path, options)


@short
def log_model(
    sk_model: Any,
    artifact_path: str | None = None,
    *,
    serialization_format: str = CLOUDPICKLE,
    pyfunc_predict_fn: str = "predict",
    skops_trusted_types: Sequence[str] | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Log an estimator to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    flavor = Sklearn(sk_model, serialization_format, pyfunc_predict_fn, skops_trusted_types)
    return logged.log(flavor, artifact_path, options)


@short
def load_model(model_uri: Any, dst_path: str | None = None) -> Any:
    """Return the estimator of a model URI, or of a local folder.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of scikit-learn.
    """
    return loading.load_native(Sklearn, model_uri, dst_path)


def _load_skops(file: Path, trusted: Sequence[str]) -> Any:
    """Read a file of skops.

    The model itself says which types it may make; if it names any that are not harmless, it can as much as a pickle.
    """
    if any(not str(name).startswith(HARMLESS_TYPES) for name in trusted):
        pickles.check_allowed(file)
    return _skops().load(file, trusted=list(trusted))


def _skops() -> Any:
    return extras.load("skops.io", "The format skops", "models")


def _version() -> str:
    return str(extras.load("sklearn", "A model of scikit-learn", "models").__version__)
