"""Models of XGBoost: one file in its own formats, which execute nothing; boosters and estimators alike."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from logging import getLogger
from pathlib import Path
from typing import Any, Unpack

from stepwell import extras
from stepwell.errors import invalid, short
from stepwell.models import loading, logged, saving
from stepwell.models.flavor import Flavor, Written
from stepwell.models.info import ModelInfo
from stepwell.models.inside import named
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.options import LogOptions, SaveOptions

# `xgb` is what MLflow 2 calls its files; what is in them is one of the others.
FORMATS = ("ubj", "json", "xgb")
BOOSTER = "xgboost.core.Booster"

_log = getLogger("stepwell")


class XGBoost(Flavor):
    """A Booster, or an estimator such as XGBClassifier."""

    name = "xgboost"
    loader_module = "mlflow.xgboost"
    distributions = ("xgboost",)

    def __init__(self, model: Any, model_format: str = "ubj") -> None:
        self.model: Any = model
        if model_format not in FORMATS:
            raise invalid(f"Unrecognized model format: {model_format!r}. Use one of {', '.join(FORMATS)}.")
        if not isinstance(model, _kinds()):
            raise invalid(
                "A model of XGBoost is a Booster or an estimator (XGBClassifier, XGBRegressor, ...), not "
                f"{type(model).__name__}."
            )
        self.model_format = model_format

    def parts(self) -> Sequence[Any]:
        """Return the model."""
        return [self.model]

    def write(self, folder: Path) -> Written:
        """Write one file."""
        file = folder / f"model.{self.model_format}"
        if self.model_format == "xgb":
            booster = self.model.get_booster() if hasattr(self.model, "get_booster") else self.model
            file.write_bytes(booster.save_raw("ubj"))
        else:
            self.model.save_model(file)
        kind = type(self.model)
        config = {
            "data": file.name,
            "model_class": f"{kind.__module__}.{kind.__qualname__}",
            "model_format": self.model_format,
            "xgb_version": library().__version__,
        }
        return Written(config, {"data": file.name})

    def wrapped(self) -> "Trees":
        """Return the model with predict(data, params)."""
        return Trees(self.model)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the booster or the estimator."""
        file = named(config, "data", folder)
        if file is None:
            raise invalid("MLmodel: the flavor xgboost names no data.")
        model = _kind(str(config.get("model_class") or BOOSTER))()
        # By what is in it: the library knows the content by the name of a file, and MLflow 2 has a name of its own.
        model.load_model(bytearray(file.read_bytes()) if file.suffix not in (".json", ".ubj") else file)
        return model

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> "Trees":
        """Return the model with predict(data, params)."""
        config = model.flavors.get(cls.name) or {"data": model.flavor(PYFUNC).get("data")}
        return Trees(cls.load(folder, config))


class Trees:
    """What pyfunc asks. A booster is given a DMatrix of the data."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return an array; params that the model's predict does not know are left out, which is told."""
        known = _known(self.model.predict, params or {})
        if isinstance(self.model, library().Booster):
            return self.model.predict(library().DMatrix(data), **{"validate_features": True, **known})
        return self.model.predict(data, **{"validate_features": True, **known})

    def get_raw_model(self) -> Any:
        """Return the booster or the estimator."""
        return self.model


@short
def save_model(
    xgb_model: Any, path: Any, *, model_format: str = "ubj", **options: Unpack[SaveOptions]
) -> None:
    """Save a model of XGBoost to a local folder.

    Args:
        xgb_model: a Booster, or a fitted estimator.
        path: of the folder, which must not be there yet, or be empty.
        model_format: "ubj", "json", or "xgb", which is ubj by the name that MLflow 2 gives it.
        options: see `SaveOptions`.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    saving.save(XGBoost(xgb_model, model_format), path, options)


@short
def log_model(
    xgb_model: Any,
    artifact_path: str | None = None,
    *,
    model_format: str = "ubj",
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Log a model to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    return logged.log(XGBoost(xgb_model, model_format), artifact_path, options)


@short
def load_model(model_uri: Any, dst_path: str | None = None) -> Any:
    """Return the booster or the estimator of a model URI, or of a local folder.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of XGBoost.
    """
    return loading.load_native(XGBoost, model_uri, dst_path)


def library() -> Any:
    """Return XGBoost."""
    return extras.library("xgboost", "A model of XGBoost", "xgboost")


def _kinds() -> tuple[type, ...]:
    """Return the classes that a model may be of: estimators are there when scikit-learn is."""
    return tuple(kind for name in ("Booster", "XGBModel") if (kind := getattr(library(), name, None)))


def _kind(name: str) -> type:
    """Return the class that a description names.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is none of XGBoost's, nor derived from one.
    """
    library()
    module, _, last = name.rpartition(".")
    try:
        kind = getattr(import_module(module), last)
    except (ImportError, AttributeError, ValueError):
        kind = None
    if not isinstance(kind, type) or not issubclass(kind, _kinds()):
        raise invalid(f"MLmodel: model_class is {name!r}, which is no class of XGBoost here.")
    return kind


def _known(predict: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(predict).parameters
    unknown = sorted(set(params) - set(parameters))
    if unknown:
        _log.warning("XGBoost's predict has no %s; these params are left out.", ", ".join(unknown))
    return {name: value for name, value in params.items() if name in parameters}
