"""log_model: a model in memory becomes a logged model, of the active run if there is one."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stepwell import settings, values
from stepwell.client import StepwellClient
from stepwell.entities import LoggedModel
from stepwell.errors import StepwellException, invalid, short
from stepwell.files import paths
from stepwell.logged_models import active as active_models
from stepwell.logged_models import specs
from stepwell.logged_models.saving import save_folder
from stepwell.models import options, saving
from stepwell.models.flavor import Flavor
from stepwell.models.info import ModelInfo, info_of
from stepwell.models.mlmodel import FILE, Model
from stepwell.models.options import Logging
from stepwell.registering import make_version
from stepwell.runs import active

NAME_DEFAULT = "model"


@short
def log(flavor: Flavor, artifact_path: str | None, given: Mapping[str, Any]) -> ModelInfo:
    """Log a model: to a run that is named, the active one, or by itself.

    It is complete when this returns, or nothing of it is to be seen. Without a server it waits on disk.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE; what the server answers.
    """
    return prepare(flavor, artifact_path, given).send()


def prepare(flavor: Flavor, artifact_path: str | None, given: Mapping[str, Any]) -> "Prepared":
    """Write a model as it is now to a temporary folder, to be sent later; arguments as in `log`."""
    chosen, what = options.logging(given)
    name = _name(chosen.name, artifact_path)
    run_id = _run_id(chosen.run_id)
    model = what.mlflow_model if what.mlflow_model is not None else Model()
    model.artifact_path, model.run_id = name, run_id
    if run_id is None or _may_be_logged(name):
        specs.check_model_name(name)
        model.model_id = model.model_uuid = chosen.model_id or specs.new_model_id()
    folder = Path(tempfile.mkdtemp(prefix="stepwell-"))
    try:
        saving.write(flavor, folder, model, what)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    params = {**_params_of_run(run_id), **(chosen.params or {})}
    client = StepwellClient(_uri(run_id), settings.registry_uri())
    return Prepared(folder, name, run_id, model, params, chosen, client)


@dataclass(frozen=True)
class Prepared:
    """A model in a temporary folder, which `send` empties and removes. A fork has it, too, but does not own it.

    `client` is that of the servers that were named when it was prepared.
    """

    folder: Path
    name: str
    run_id: str | None
    model: Model
    params: Mapping[str, str]
    chosen: Logging
    client: StepwellClient

    def send(self) -> ModelInfo:
        """Make a logged model of it, and a version of a registered one if that was asked for."""
        try:
            info = self._send_to_run() if self.model.model_id is None else self._send_by_itself()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        return info if self.chosen.registered_model_name is None else self._registered(info)

    def _send_by_itself(self) -> ModelInfo:
        logged = save_folder(
            self.client.tracking_uri,
            self.folder,
            name=self.name,
            params=self.params,
            tags=self.chosen.tags,
            step=self.chosen.step,
            model_type=self.chosen.model_type,
            run_id=self.run_id,
            model_id=self.model.model_id,
        )
        return _info(self.model, active_models.note_last(logged))

    def _send_to_run(self) -> ModelInfo:
        """A path that no logged model can have for a name, such as models/best: the files are the run's alone.

        The description goes last: who finds it finds a whole model.
        """
        client, run_id = self.client, str(self.run_id)
        description = (self.folder / FILE).read_text(encoding="utf-8")
        (self.folder / FILE).unlink()
        client.log_artifacts(run_id, self.folder, self.name)
        client.log_text(run_id, description, f"{self.name}/{FILE}")
        return info_of(self.model, f"runs:/{run_id}/{self.name}", name=self.name)

    def _registered(self, info: ModelInfo) -> ModelInfo:
        version = make_version(self.client, info.model_uri, str(self.chosen.registered_model_name))
        return replace(info, registered_model_version=int(version.version))


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


def _uri(run_id: str | None) -> str:
    """Return the server of a run: that of the active one, if it is that, else the one that is named now."""
    run = active.active_run()
    is_active = run is not None and run.info.run_id == run_id
    return run.writer.uri if run is not None and is_active else settings.tracking_uri()


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
