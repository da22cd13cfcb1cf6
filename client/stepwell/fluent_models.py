"""The functions about logged models, by MLflow's names. Those that need a run take the active one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell import extras, settings
from stepwell.client import StepwellClient
from stepwell.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from stepwell.errors import StepwellException, invalid, short
from stepwell.logged_models import active as active_models
from stepwell.logged_models import saving
from stepwell.logged_models.active import ActiveModel
from stepwell.runs import active

EXTERNAL_TAG = "mlflow.model.isExternal"
PAGE_SIZE = 1_000


@short
def log_model_folder(
    local_dir: str | Path,
    name: str | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    step: int = 0,
    model_type: str | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
) -> LoggedModel:
    """Make a logged model of a finished local folder, of the run that is given, the active one, or none.

    See `logged_models.saving.save_folder`: it is there as a whole or not at all, also when the process dies; without a
    server it waits on disk and is delivered later, and the model that is returned is PENDING.
    """
    run = active.active_run()
    source_run_id = run_id or (run.info.run_id if run else None)
    uri = run.writer.uri if run is not None and run_id is None else settings.tracking_uri()
    model = saving.save_folder(
        uri,
        Path(local_dir),
        name=name,
        run_id=source_run_id,
        params=params,
        tags=tags,
        step=step,
        model_type=model_type,
        model_id=model_id,
    )
    return active_models.note_last(model)


@short
def initialize_logged_model(
    name: str | None = None,
    source_run_id: str | None = None,
    tags: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Create a model, PENDING, of the active run if there is one; files come by StepwellClient.log_model_artifacts."""
    model = _create(name, source_run_id, tags, params, model_type, experiment_id)
    return active_models.note_last(model)


@short
def create_external_model(
    name: str | None = None,
    source_run_id: str | None = None,
    tags: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Create a model, READY, whose files are kept elsewhere: for its params, tags and metrics."""
    own_tags = {**(tags or {}), EXTERNAL_TAG: "true"}
    model = _create(name, source_run_id, own_tags, params, model_type, experiment_id)
    ready = StepwellClient().finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return active_models.note_last(ready)


@short
def finalize_logged_model(model_id: str, status: LoggedModelStatus | str) -> LoggedModel:
    """Say that a model is READY, or FAILED."""
    return StepwellClient().finalize_logged_model(model_id, status)


@short
def get_logged_model(model_id: str) -> LoggedModel:
    """Return a model with its params, tags and metrics."""
    return StepwellClient().get_logged_model(model_id)


@short
def last_logged_model() -> LoggedModel | None:
    """Return the model that was logged last in this thread or task, as it is now; None if there was none."""
    model_id = active_models.last_id()
    return get_logged_model(model_id) if model_id is not None else None


@short
def search_logged_models(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    datasets: list[dict[str, str]] | None = None,
    max_results: int | None = None,
    order_by: list[dict[str, Any]] | None = None,
    output_format: str = "pandas",
) -> Any:
    """Return models, newest first unless ordered, as a DataFrame (with output_format="list" as a list).

    Arguments as in StepwellClient.search_logged_models; without experiment_ids, in the experiment that new runs go to.
    """
    if output_format not in ("pandas", "list"):
        raise invalid(f"output_format is 'pandas' or 'list', not {output_format!r}.")
    client = StepwellClient()
    ids = [_experiment_id(client)] if experiment_ids is None else experiment_ids
    found: list[LoggedModel] = []
    token = None
    while True:
        size = PAGE_SIZE if max_results is None else min(PAGE_SIZE, max_results - len(found))
        page = client.search_logged_models(ids, filter_string, datasets, size, order_by, token)
        found += page
        token = page.token
        if token is None or (max_results is not None and len(found) >= max_results):
            return found if output_format == "list" else _frame(found)


@short
def log_model_params(params: Mapping[str, Any], model_id: str | None = None) -> None:
    """Add params to a model, the active one unless another is given."""
    StepwellClient().log_model_params(_model_id(model_id), params)


@short
def set_logged_model_tags(model_id: str, tags: Mapping[str, Any]) -> None:
    """Set tags of a model."""
    StepwellClient().set_logged_model_tags(model_id, tags)


@short
def delete_logged_model_tag(model_id: str, key: str) -> None:
    """Remove a tag of a model."""
    StepwellClient().delete_logged_model_tag(model_id, key)


@short
def log_outputs(models: Sequence[LoggedModelOutput] | None = None) -> None:
    """Note models that the active run made, each at a step."""
    run = active.active_run() or active.start_run()
    StepwellClient(run.writer.uri).log_outputs(run.info.run_id, models or [])


@short
def set_active_model(*, name: str | None = None, model_id: str | None = None) -> ActiveModel:
    """Let metrics that this thread or task logs be metrics of a model as well; as a context manager, until its end.

    Args:
        name: of the newest model of this name in the experiment; one without files is made when there is none.
        model_id: of a model that is there.
    """
    if (name is None) == (model_id is None):
        raise invalid("Exactly one of `name` and `model_id` must be specified.")
    client = StepwellClient()
    if model_id is not None:
        return active_models.activate(client.get_logged_model(model_id))
    quoted = str(name).replace("'", "''")
    found = client.search_logged_models([_experiment_id(client)], f"name = '{quoted}'", max_results=1)
    return active_models.activate(found[0] if found else create_external_model(name=name))


@short
def get_active_model_id() -> str | None:
    """Return the id of the active model of this thread or task; None if there is none."""
    return active_models.active_model_id()


@short
def clear_active_model() -> None:
    """Let no model be active."""
    active_models.clear()


def _create(
    name: str | None,
    source_run_id: str | None,
    tags: dict[str, Any] | None,
    params: dict[str, Any] | None,
    model_type: str | None,
    experiment_id: str | None,
) -> LoggedModel:
    run = active.active_run()
    client = StepwellClient(run.writer.uri if run is not None else None)
    if source_run_id is None and run is not None:
        source_run_id = run.info.run_id
        run.writer.flush()
    if experiment_id is None and source_run_id is not None:
        experiment_id = client.get_run(source_run_id).info.experiment_id
    chosen = _experiment_id(client) if experiment_id is None else experiment_id
    return client.create_logged_model(chosen, name, source_run_id, tags, params, model_type)


def _model_id(model_id: str | None) -> str:
    chosen = model_id or active_models.active_model_id()
    if chosen is None:
        raise invalid("No model is active; give model_id, or call set_active_model first.")
    return chosen


def _experiment_id(client: StepwellClient) -> str:
    """Return the experiment that new runs go to."""
    name = settings.experiment_name()
    if name is None:
        return str(settings.experiment_id() or settings.DEFAULT_EXPERIMENT_ID)
    found = client.get_experiment_by_name(name)
    if found is None:
        raise StepwellException(f"There is no experiment with the name {name!r}.", "RESOURCE_DOES_NOT_EXIST")
    return found.experiment_id


def _frame(models: Sequence[LoggedModel]) -> Any:
    pandas = extras.load("pandas", "search_logged_models", "pandas")
    return pandas.DataFrame([model.to_dictionary() for model in models])
