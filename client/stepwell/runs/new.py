"""What a new run is, before it exists: its id, its name, its experiment, its first tags."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stepwell import settings, values
from stepwell.delivery.record import now_ms
from stepwell.entities import RUN_NAME_TAG, USER_TAG
from stepwell.errors import invalid
from stepwell.runs import context, names
from stepwell.runs.context import SOURCE_NAME_TAG

if TYPE_CHECKING:
    from stepwell_api.v1 import runs_pb2


def new_run_id() -> str:
    """Return an id that no other run has."""
    return uuid.uuid4().hex


def spec(
    run_id: str, experiment_id: str | None, run_name: str | None, tags: Mapping[str, str]
) -> "runs_pb2.RunSpec":
    """Return all that is needed to create a run of this process: its name, tags that say where it comes from.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the name, or the id of the experiment, cannot be one.
    """
    from stepwell.wire import messages

    tags = {**values.to_run_tags(settings.run_context()), **tags}
    own = context.system_tags()
    if SOURCE_NAME_TAG in tags:  # then the commit is not that of this process's script either
        own = {USER_TAG: own[USER_TAG]}
    experiment_id, experiment_name = _experiment(experiment_id)
    return messages.run_spec(
        run_id=run_id,
        experiment_id=None if experiment_id is None else values.to_experiment_id(experiment_id),
        experiment_name=experiment_name,
        name=chosen_name(run_name, tags),
        start_time_ms=now_ms(),
        user=context.user(),
        tags={**own, **tags},
    )


def plain_spec(
    experiment_id: object, run_name: str | None, start_time: object, tags: Mapping[str, Any] | None
) -> "runs_pb2.RunSpec":
    """Return all that is needed to create a run that says only what is given; `start_time` in ms, now unless given.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, as for `spec`.
    """
    from stepwell.wire import messages

    own_tags = values.to_run_tags(tags)
    return messages.run_spec(
        run_id=new_run_id(),
        experiment_id=values.to_experiment_id(experiment_id),
        name=chosen_name(run_name, own_tags),
        start_time_ms=values.to_timestamp_ms("start_time", start_time, "Run:") if start_time else now_ms(),
        user=own_tags.get(USER_TAG) or context.user(),
        tags=own_tags,
    )


def chosen_name(run_name: str | None, tags: Mapping[str, str]) -> str:
    """Return the name of a new run: given as argument or as tag, or made up.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the two differ or the name cannot be one.
    """
    tagged = tags.get(RUN_NAME_TAG)
    if run_name and tagged and run_name != tagged:
        raise invalid(
            f"The run's name {run_name!r} and its tag {RUN_NAME_TAG} {tagged!r} differ; give one of them."
        )
    return values.check_run_name(run_name or tagged or names.generate())


def _experiment(experiment_id: str | None) -> tuple[str | None, str | None]:
    """Return the id or the name of the experiment for a new run."""
    if experiment_id is not None:
        return experiment_id, None
    name = settings.experiment_name()
    if name is not None:
        return None, values.check_experiment_name(name)
    return settings.experiment_id() or settings.DEFAULT_EXPERIMENT_ID, None
