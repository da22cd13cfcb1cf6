"""A local folder becomes a logged model: created, sent, complete, linked to its run; all of it or nothing to be seen.

What is sent goes the way of artifacts: deduplicated, in parallel, and again where a transfer was cut. A process that
dies on the way leaves a PENDING model, of which its run shows nothing; the same call with the same `model_id` goes on.
Without a server the whole model waits in the outbox (files/outgoing/model_boxes.py).
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell import settings, values
from stepwell.delivery import logs, offline
from stepwell.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from stepwell.errors import StepwellException, invalid
from stepwell.files import paths
from stepwell.logged_models import specs

if TYPE_CHECKING:
    from stepwell.files.local import LocalFile
    from stepwell_api.v1 import models_pb2


def save_folder(
    uri: str,
    folder: Path,
    *,
    name: str | None = None,
    run_id: str | None = None,
    experiment_id: object = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    step: int = 0,
    model_type: str | None = None,
    model_id: str | None = None,
) -> LoggedModel:
    """Make a model of a finished local folder and return it, READY; PENDING when it is to be delivered later.

    Args:
        uri: the server.
        folder: what the model's files are; all that is below it.
        name: of the model; many may have one name.
        run_id: the run that made it, which then shows the files at `<name>/…`; None for none.
        experiment_id: where it belongs; None means the experiment of the run, or the one that new runs go to.
        params: of the model.
        tags: of the model.
        step: of the training, for the run's outputs.
        model_type: what kind of model.
        model_id: made before by `specs.new_model_id`, to go on where an earlier attempt ended.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for what cannot be a model; what the server answers; the model is
            FAILED then, and says why. TEMPORARILY_UNAVAILABLE when the server cannot be reached and
            STEPWELL_ON_UNREACHABLE=raise.
    """
    step = values.to_step(str(name), step, "Model")
    experiment_name = None
    if experiment_id is None and run_id is None:
        experiment_name = settings.experiment_name()
        if experiment_name is None:
            experiment_id = settings.experiment_id() or settings.DEFAULT_EXPERIMENT_ID
    spec = specs.model_spec(
        model_id=model_id,
        experiment_id=experiment_id,
        experiment_name=experiment_name,
        name=name,
        source_run_id=run_id,
        tags=tags,
        params=params,
        model_type=model_type,
    )
    files = _files_of(Path(folder))
    if offline.is_away(uri):
        return _later(uri, spec, files, step)
    try:
        return send_model(uri, spec, files, step)
    except StepwellException as failure:
        if failure.error_code != "TEMPORARILY_UNAVAILABLE" or settings.raises_when_unreachable():
            raise
        return _later(uri, spec, files, step)


def send_model(
    uri: str, spec: "models_pb2.LoggedModelSpec", files: "list[LocalFile]", step: int
) -> LoggedModel:
    """Create a model, send its files and make it READY, on a server that is there; repeating it is harmless."""
    from stepwell.files.uploads import Uploader
    from stepwell.logged_models.calls import LoggedModelCalls

    calls = LoggedModelCalls(uri)
    try:
        calls.create(spec)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST" or not spec.source_run_id:
            raise
        # The run may be on its way: what this process logged to it goes first.
        logs.flush_run(uri, spec.source_run_id)
        calls.create(spec)
    try:
        if spec.source_run_id:
            _link(uri, spec, step)
        Uploader(uri, spec.model_id).upload(files, title=f"Uploading {spec.name}")
        return calls.finalize(spec.model_id, LoggedModelStatus.READY)
    except StepwellException as failure:
        if failure.error_code not in offline.AWAY_CODES:
            with suppress(StepwellException):
                calls.finalize(spec.model_id, LoggedModelStatus.FAILED, failure.message[:1_000])
        raise


def _link(uri: str, spec: "models_pb2.LoggedModelSpec", step: int) -> None:
    """Note that the run made the model; the run may be on its way, if an experiment was named for the model."""
    from stepwell.logged_models.calls import LoggedModelCalls

    calls, output = LoggedModelCalls(uri), LoggedModelOutput(spec.model_id, step)
    try:
        calls.link(spec.source_run_id, [output])
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        logs.flush_run(uri, spec.source_run_id)
        calls.link(spec.source_run_id, [output])


def _later(uri: str, spec: "models_pb2.LoggedModelSpec", files: "list[LocalFile]", step: int) -> LoggedModel:
    from stepwell.files.outgoing import outbox

    outbox.store_model(uri, spec, files, step)
    return specs.model_of_spec(spec)


def _files_of(folder: Path) -> "list[LocalFile]":
    from stepwell.files.local import LocalFile

    if not folder.is_dir():
        raise invalid(f"{folder} is not a folder; a model is saved into one.")
    files = [LocalFile(path, source) for path, source in paths.files_below(folder)]
    if not files:
        raise invalid(f"{folder} is empty; there is no model in it.")
    return files
