"""Models of LightGBM: boosters as text, model.lgb; estimators as scikit-learn's, model.pkl or model.skops."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from stepwell import extras
from stepwell.errors import invalid, short
from stepwell.models import loading, logged, saving
from stepwell.models.flavor import Flavor, Written
from stepwell.models.flavors.sklearn import CLOUDPICKLE, Sklearn
from stepwell.models.info import ModelInfo
from stepwell.models.inside import named
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.options import LogOptions, SaveOptions

BOOSTER = "lightgbm.basic.Booster"
BOOSTER_FILE = "model.lgb"
# What skops does not know by itself of an estimator, beside the estimator's class.
TRUSTED_TYPES = ("collections.OrderedDict", "collections.defaultdict", BOOSTER)


class LightGBM(Flavor):
    """A Booster, or an estimator such as LGBMClassifier."""

    name = "lightgbm"
    loader_module = "mlflow.lightgbm"
    distributions = ("lightgbm",)

    def __init__(
        self,
        model: Any,
        serialization_format: str | None = CLOUDPICKLE,
        trusted_types: Sequence[str] | None = None,
        num_iteration: int | None = None,
    ) -> None:
        self.model = model
        self.num_iteration = num_iteration
        trusted = sorted({*TRUSTED_TYPES, _name_of(type(model)), *(trusted_types or ())})
        self.estimator = (
            None
            if isinstance(model, library().Booster)
            else Sklearn(model, serialization_format or CLOUDPICKLE, trusted_types=trusted)
        )

    def parts(self) -> Sequence[Any]:
        """Return the model, and what an estimator's format needs."""
        return [self.model] if self.estimator is None else self.estimator.parts()

    def write(self, folder: Path) -> Written:
        """Write one file."""
        config: dict[str, Any] = {
            "model_class": _name_of(type(self.model)),
            "lgb_version": library().__version__,
        }
        if self.estimator is None:
            self.model.save_model(folder / BOOSTER_FILE, num_iteration=self.num_iteration)
            config["data"] = BOOSTER_FILE
        else:
            written = self.estimator.write(folder).config or {}
            config["data"] = written["pickled_model"]
            config |= {key: it for key, it in written.items() if key.startswith(("serialization", "skops"))}
        return Written(config, {"data": config["data"]})

    def wrapped(self) -> "LightTrees":
        """Return the model with predict(data, params)."""
        return LightTrees(self.model)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the booster or the estimator."""
        file = named(config, "data", folder)
        if file is None:
            raise invalid("MLmodel: the flavor lightgbm names no data.")
        if (config.get("model_class") or BOOSTER) == BOOSTER:
            return library().Booster(model_file=str(file))
        library()
        formats = {"serialization_format": CLOUDPICKLE, **config, "pickled_model": config["data"]}
        return Sklearn.load(folder, formats)

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> "LightTrees":
        """Return the model with predict(data, params)."""
        config = model.flavors.get(cls.name) or {"data": model.flavor(PYFUNC).get("data")}
        return LightTrees(cls.load(folder, config))


class LightTrees:
    """What pyfunc asks."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return an array; params are keywords of the library's predict, such as num_iteration and pred_leaf."""
        return self.model.predict(data, **(params or {}))

    def get_raw_model(self) -> Any:
        """Return the booster or the estimator."""
        return self.model


@short
def save_model(
    lgb_model: Any,
    path: Any,
    *,
    serialization_format: str | None = CLOUDPICKLE,
    skops_trusted_types: Sequence[str] | None = None,
    num_iteration: int | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Save a model of LightGBM to a local folder.

    Args:
        lgb_model: a Booster, or an estimator.
        path: of the folder, which must not be there yet, or be empty.
        serialization_format: of an estimator: "cloudpickle", "pickle" or "skops".
        skops_trusted_types: types that skops may make when the model is loaded, beside those that it knows.
        num_iteration: of a Booster: as many of its rounds; up to the best one if not given.
        options: see `SaveOptions`.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    flavor = LightGBM(lgb_model, serialization_format, skops_trusted_types, num_iteration)
    saving.save(flavor, path, options)


@short
def log_model(
    lgb_model: Any,
    artifact_path: str | None = None,
    *,
    serialization_format: str | None = CLOUDPICKLE,
    skops_trusted_types: Sequence[str] | None = None,
    num_iteration: int | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Log a model to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    flavor = LightGBM(lgb_model, serialization_format, skops_trusted_types, num_iteration)
    return logged.log(flavor, artifact_path, options)


@short
def load_model(model_uri: Any, dst_path: str | None = None) -> Any:
    """Return the booster or the estimator of a model URI, or of a local folder.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of LightGBM.
    """
    return loading.load_native(LightGBM, model_uri, dst_path)


def library() -> Any:
    """Return LightGBM."""
    return extras.library("lightgbm", "A model of LightGBM", "lightgbm")


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
