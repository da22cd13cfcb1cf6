"""log_model: a model in memory becomes files of a run."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell import values
from stepwell.client import StepwellClient
from stepwell.errors import invalid, not_supported, short
from stepwell.files import paths
from stepwell.models import options, saving
from stepwell.models.flavor import Flavor
from stepwell.models.info import ModelInfo, info_of
from stepwell.models.mlmodel import Model
from stepwell.runs import active

NAME_DEFAULT = "model"


@short
def log(flavor: Flavor, artifact_path: str | None, given: Mapping[str, Any]) -> ModelInfo:
    """Log a model to a run: the active one if none is named; without one, a run is started.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    chosen, what = options.logging(given)
    if chosen.registered_model_name is not None:
        raise not_supported("registered_model_name")
    if chosen.name and artifact_path and chosen.name != artifact_path:
        raise invalid(f"name is {chosen.name!r} and artifact_path {artifact_path!r}; give one of them.")
    name = paths.check_path(chosen.name or artifact_path or NAME_DEFAULT, "name of a model")
    run_id = values.to_run_id(chosen.run_id) if chosen.run_id else _active_run_id()
    model = what.mlflow_model if what.mlflow_model is not None else Model()
    model.artifact_path, model.run_id = name, run_id
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        saving.write(flavor, Path(folder), model, what)
        StepwellClient().log_artifacts(run_id, folder, name)
    return info_of(model, f"runs:/{run_id}/{name}", name=name)


def _active_run_id() -> str:
    run = active.active_run() or active.start_run()
    return run.info.run_id
