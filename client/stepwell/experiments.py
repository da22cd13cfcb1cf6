"""The fluent functions about experiments."""

from typing import Any

from stepwell import settings, values
from stepwell.client import StepwellClient
from stepwell.delivery import experiment_tags, offline
from stepwell.delivery.experiment_tags import TagChange
from stepwell.entities import Experiment, LifecycleStage, ViewType
from stepwell.errors import StepwellException, invalid, not_supported, short
from stepwell.runs import active

_PAGE_SIZE = 1_000


@short
def set_experiment(
    experiment_name: str | None = None, experiment_id: str | None = None, trace_location: None = None
) -> Experiment:
    """Let new runs go to an experiment, given by name (made if it does not exist) or by id.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when not exactly one of the two is given, or the experiment of
            this id is deleted; RESOURCE_DOES_NOT_EXIST for an unknown id.
    """
    if trace_location is not None:
        raise not_supported("trace_location")
    if (experiment_name is None) == (experiment_id is None):
        raise invalid("Give either the name or the id of the experiment.")
    experiment = offline.unless_offline(
        settings.tracking_uri(), lambda: _experiment(StepwellClient(), experiment_name, experiment_id)
    )
    if experiment is None:
        # Without a server: runs name their experiment, and it is made with them.
        active.choose_experiment(experiment_id or "", experiment_name)
        return Experiment(experiment_id or "", experiment_name or "", "", LifecycleStage.ACTIVE, {}, 0, 0)
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise invalid(
            f"Cannot set a deleted experiment {experiment.name!r} as the active experiment: restore it, or choose "
            "another."
        )
    active.choose_experiment(experiment.experiment_id)
    return experiment


@short
def create_experiment(
    name: str,
    artifact_location: str | None = None,
    tags: dict[str, Any] | None = None,
    trace_location: None = None,
) -> str:
    """Create an experiment and return its id.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS when an active experiment has the name.
    """
    if trace_location is not None:
        raise not_supported("trace_location")
    return StepwellClient().create_experiment(name, artifact_location, tags)


@short
def get_experiment(experiment_id: str) -> Experiment:
    """Return an experiment; StepwellException RESOURCE_DOES_NOT_EXIST when there is none of this id."""
    return StepwellClient().get_experiment(experiment_id)


@short
def get_experiment_by_name(name: str) -> Experiment | None:
    """Return the experiment of this name, active or deleted; None when there is none."""
    return StepwellClient().get_experiment_by_name(name)


@short
def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[Experiment]:
    """Return the experiments, newest first; all of them unless `max_results` says how many."""
    client = StepwellClient()
    found: list[Experiment] = []
    token = None
    while max_results is None or len(found) < max_results:
        size = _PAGE_SIZE if max_results is None else min(_PAGE_SIZE, max_results - len(found))
        page = client.search_experiments(view_type, size, filter_string, order_by, token)
        found.extend(page)
        token = page.token
        if token is None:
            break
    return found


@short
def delete_experiment(experiment_id: str) -> None:
    """Delete an experiment, softly, with its active runs; its name is free from then on."""
    StepwellClient().delete_experiment(experiment_id)


@short
def restore_experiment(experiment_id: str) -> None:
    """Restore an experiment with the runs that were deleted with it."""
    StepwellClient().restore_experiment(experiment_id)


@short
def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the experiment that new runs go to."""
    set_experiment_tags({key: value})


@short
def set_experiment_tags(tags: dict[str, Any]) -> None:
    """Set tags of the experiment that new runs go to; the others stay as they are."""
    checked = values.to_experiment_tags(tags)
    experiment_tags.change(TagChange(settings.tracking_uri(), *_current_experiment(), tags=checked))


@short
def delete_experiment_tag(key: str) -> None:
    """Remove a tag of the experiment that new runs go to."""
    key = values.check_key("Tag", key)
    experiment_tags.change(TagChange(settings.tracking_uri(), *_current_experiment(), removed=[key]))


@short
def current_experiment_id() -> str:
    """Return the id of the experiment that new runs go to; an experiment that is named and missing is made."""
    name = settings.experiment_name()
    if name is not None:
        return _by_name(StepwellClient(), name).experiment_id
    return settings.experiment_id() or settings.DEFAULT_EXPERIMENT_ID


def _current_experiment() -> tuple[int | None, str | None]:
    """Return the id or the name of the experiment that new runs go to."""
    name = settings.experiment_name()
    if name is not None:
        return None, values.check_experiment_name(name)
    return values.to_experiment_id(settings.experiment_id() or settings.DEFAULT_EXPERIMENT_ID), None


def _experiment(client: StepwellClient, name: str | None, experiment_id: str | None) -> Experiment:
    return client.get_experiment(experiment_id) if experiment_id is not None else _by_name(client, name)


def _by_name(client: StepwellClient, name: str | None) -> Experiment:
    """Return the active experiment of a name, made if there is none; a deleted one does not block its name."""
    name = values.check_experiment_name(name)
    try:
        return _active(client, name) or client.get_experiment(client.create_experiment(name))
    except StepwellException as failure:
        # Another process may have made it in between.
        experiment = _active(client, name) if failure.error_code == "RESOURCE_ALREADY_EXISTS" else None
        if experiment is None:
            raise
        return experiment


def _active(client: StepwellClient, name: str) -> Experiment | None:
    experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage == LifecycleStage.DELETED:
        return None
    return experiment
