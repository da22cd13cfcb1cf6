"""The fluent functions about experiments."""

from typing import Any

from stepwell import active_runs, values
from stepwell.client import StepwellClient
from stepwell.entities import Experiment, LifecycleStage, ViewType
from stepwell.errors import StepwellException, invalid, not_supported

_PAGE_SIZE = 1_000


def set_experiment(
    experiment_name: str | None = None, experiment_id: str | None = None, trace_location: None = None
) -> Experiment:
    """Let new runs go to an experiment, given by name (made if it does not exist) or by id.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when not exactly one of the two is given, or the experiment is
            deleted; RESOURCE_DOES_NOT_EXIST for an unknown id.
    """
    if trace_location is not None:
        raise not_supported("trace_location")
    if (experiment_name is None) == (experiment_id is None):
        raise invalid("Give either the name or the id of the experiment.")
    client = StepwellClient()
    experiment = (
        client.get_experiment(experiment_id)
        if experiment_id is not None
        else _by_name(client, experiment_name)
    )
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise invalid(
            f"Cannot set a deleted experiment {experiment.name!r} as the active experiment: restore it, or choose "
            "another name."
        )
    active_runs.choose_experiment(experiment.experiment_id)
    return experiment


def create_experiment(
    name: str,
    artifact_location: str | None = None,
    tags: dict[str, Any] | None = None,
    trace_location: None = None,
) -> str:
    """Create an experiment and return its id.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS when the name is taken, also by a deleted experiment.
    """
    if trace_location is not None:
        raise not_supported("trace_location")
    return StepwellClient().create_experiment(name, artifact_location, tags)


def get_experiment(experiment_id: str) -> Experiment:
    """Return an experiment; StepwellException RESOURCE_DOES_NOT_EXIST when there is none of this id."""
    return StepwellClient().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Return the experiment of this name, active or deleted; None when there is none."""
    return StepwellClient().get_experiment_by_name(name)


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


def _by_name(client: StepwellClient, name: str | None) -> Experiment:
    name = values.check_experiment_name(name)
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return experiment
    try:
        return client.get_experiment(client.create_experiment(name))
    except StepwellException as failure:
        # Another process may have made it in between.
        experiment = (
            client.get_experiment_by_name(name) if failure.error_code == "RESOURCE_ALREADY_EXISTS" else None
        )
        if experiment is None:
            raise
        return experiment
