"""log_model: a model in memory becomes a logged model, of the active run if there is one."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepwell import values
from stepwell.client import StepwellClient
from stepwell.entities import LoggedModel
from stepwell.errors import StepwellException, invalid, short
from stepwell.files import paths
from stepwell.fluent_models import log_model_folder
from stepwell.logged_models import specs
from stepwell.models import options, saving
from stepwell.models.flavor import Flavor
from stepwell.models.info import ModelInfo, info_of
from stepwell.models.mlmodel import FILE, Model
from stepwell.models.options import Logging, Saving
from stepwell.registering import register_model
from stepwell.runs import active

NAME_DEFAULT = "model"


@short
def log(flavor: Flavor, artifact_path: str | None, given: Mapping[str, Any]) -> ModelInfo:
    """Log a model: to a run that is named, the active one, or by itself.

    It is complete when this returns, or nothing of it is to be seen. Without a server it waits on disk.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE; what the server answers.
    """
    chosen, what = options.logging(given)
    name = _name(chosen.name, artifact_path)
    run_id = _run_id(chosen.run_id)
    model = what.mlflow_model if what.mlflow_model is not None else Model()
    model.artifact_path, model.run_id = name, run_id
    if run_id is not None and not _may_be_logged(name):
        info = _log_to_run(flavor, run_id, name, model, what)
    else:
        info = _log_by_itself(flavor, run_id, name, model, chosen, what)
    if chosen.registered_model_name is None:
        return info
    return _registered(info, chosen)


def _log_by_itself(
    flavor: Flavor, run_id: str | None, name: str, model: Model, chosen: Logging, what: Saving
) -> ModelInfo:
    specs.check_model_name(name)
    model.model_id = model.model_uuid = chosen.model_id or specs.new_model_id()
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        saving.write(flavor, Path(folder), model, what)
        logged = log_model_folder(
            folder,
            name,
            params={**_params_of_run(run_id), **(chosen.params or {})},
            tags=chosen.tags,
            step=chosen.step,
            model_type=chosen.model_type,
            run_id=run_id,
            model_id=model.model_id,
        )
    return _info(model, logged)


def _log_to_run(flavor: Flavor, run_id: str, name: str, model: Model, what: Saving) -> ModelInfo:
    """A path that no logged model can have for a name, such as models/best: the files are the run's alone.

    The description goes last: who finds it finds a whole model.
    """
    client = StepwellClient()
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        saving.write(flavor, Path(folder), model, what)
        description = Path(folder, FILE).rename(Path(folder).with_name(f"{Path(folder).name}.{FILE}"))
        try:
            client.log_artifacts(run_id, folder, name)
            client.log_text(run_id, description.read_text(encoding="utf-8"), f"{name}/{FILE}")
        finally:
            description.unlink()
    return info_of(model, f"runs:/{run_id}/{name}", name=name)


def _name(name: str | None, artifact_path: str | None) -> str:
    if name and artifact_path and name != artifact_path:
        raise invalid(f"name is {name!r} and artifact_path {artifact_path!r}; they mean the same: give one.")
    return paths.check_path(name or artifact_path or NAME_DEFAULT, "name of a model")


def _may_be_logged(name: str) -> bool:
    try:
        specs.check_model_name(name)
    except StepwellException:
        return False
    return True


def _run_id(given: str | None) -> str | None:
    if given is not None:
        return values.to_run_id(given)
    run = active.active_run()
    return run.info.run_id if run is not None else None


def _params_of_run(run_id: str | None) -> dict[str, str]:
    """Return the params that this process has logged to the active run: they are the model's as well."""
    run = active.active_run()
    return run.writer.known_params() if run is not None and run.info.run_id == run_id else {}


def _info(model: Model, logged: LoggedModel) -> ModelInfo:
    return info_of(
        model,
        f"models:/{logged.model_id}",
        name=logged.name,
        params=logged.params,
        tags=logged.tags,
        metrics=logged.metrics,
        creation_timestamp=logged.creation_timestamp,
    )


def _registered(info: ModelInfo, chosen: Logging) -> ModelInfo:
    version = register_model(
        info.model_uri,
        str(chosen.registered_model_name),
        await_registration_for=chosen.await_registration_for,
    )
    return replace(info, registered_model_version=int(version.version))
