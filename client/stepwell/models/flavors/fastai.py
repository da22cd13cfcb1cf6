"""Models of fastai: model.fastai, a pickle of the learner without its data. MLflow has this flavor up to 2.22."""

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

FILE = "model.fastai"


class FastAI(Flavor):
    """A Learner."""

    name = "fastai"
    loader_module = "mlflow.fastai"
    distributions = ("fastai", "torch")

    def __init__(self, learner: Any) -> None:
        if not isinstance(learner, _library().learner.Learner):
            raise invalid(f"A model of fastai is a Learner, not {type(learner).__name__}.")
        self.learner = learner

    def parts(self) -> Sequence[Any]:
        """Return the module, and what loads data for it."""
        return [self.learner.model, type(self.learner), type(self.learner.dls)]

    def write(self, folder: Path) -> Written:
        """Write one file."""
        library = _library()
        # Schedules of the last fit hold functions that no pickle takes; fit makes its own anew.
        schedules = [
            each for each in self.learner.cbs if isinstance(each, library.callback.schedule.ParamScheduler)
        ]
        self.learner.remove_cbs(schedules)
        try:
            self.learner.export((folder / FILE).absolute())
        finally:
            self.learner.add_cbs(schedules)
        return Written({"data": FILE, "fastai_version": library.__version__}, {"data": FILE})

    def wrapped(self) -> "LearnerModel":
        """Return the learner with predict(data)."""
        return LearnerModel(self.learner)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the learner, on the CPU."""
        file = named(config, "data", folder)
        if file is None:
            raise invalid("MLmodel: the flavor fastai names no data.")
        pickles.check_allowed(file)
        with pickles.explained(file):
            return _library().learner.load_learner(file)

    @classmethod
    def load_wrapped(cls, folder: Path, model: Model, model_config: Mapping[str, Any]) -> "LearnerModel":
        """Return the learner with predict(data)."""
        config = model.flavors.get(cls.name) or {"data": model.flavor(PYFUNC).get("data")}
        return LearnerModel(cls.load(folder, config))


class LearnerModel:
    """What pyfunc asks: items as the learner's data loaders take them, mostly a data frame."""

    def __init__(self, learner: Any) -> None:
        self.learner = learner

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return a data frame with one column, `predictions`: an array a row. There are no params."""
        import numpy as np
        import pandas as pd

        with self.learner.no_bar():
            found, _ = self.learner.get_preds(dl=self.learner.dls.test_dl(data))
        return pd.Series([np.array(row) for row in found.numpy()]).to_frame("predictions")

    def get_raw_model(self) -> Any:
        """Return the learner."""
        return self.learner


@short
def save_model(fastai_learner: Any, path: Any, **options: Unpack[SaveOptions]) -> None:
    """Save a learner, without its data, to a local folder.

    Args:
        fastai_learner: a fastai.learner.Learner.
        path: of the folder, which must not be there yet, or be empty.
        options: see `SaveOptions`.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    saving.save(FastAI(fastai_learner), path, options)


@short
def log_model(
    fastai_learner: Any, artifact_path: str | None = None, **options: Unpack[LogOptions]
) -> ModelInfo:
    """Log a learner to the active run, or by itself; arguments as in save_model and `LogOptions`."""
    return logged.log(FastAI(fastai_learner), artifact_path, options)


@short
def load_model(model_uri: Any, dst_path: str | None = None) -> Any:
    """Return the learner of a model URI, or of a local folder.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is none of fastai;
            PERMISSION_DENIED when STEPWELL_ALLOW_PICKLE is false.
    """
    return loading.load_native(FastAI, model_uri, dst_path)


def _library() -> Any:
    """Return fastai, with the parts that are used here."""
    extras.library("fastai.callback.schedule", "A model of fastai", "fastai")
    extras.library("fastai.learner", "A model of fastai", "fastai")
    return extras.library("fastai", "A model of fastai", "fastai")
