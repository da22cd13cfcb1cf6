"""What a new model is, before it exists: its id, its name, where it belongs, its first params and tags."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stepwell import values
from stepwell.delivery.record import now_ms
from stepwell.entities import LoggedModel, LoggedModelStatus
from stepwell.errors import invalid

if TYPE_CHECKING:
    from stepwell_api.v1 import models_pb2

NAME_BYTES_MAX = 250
NAME_CHARACTERS_REFUSED = ("/", ":", ".", "%", '"', "'", "\\")


def new_model_id() -> str:
    """Return an id that no other model has."""
    return f"m-{uuid.uuid4().hex}"


def check_model_name(name: object) -> str:
    """Return the name of a model if it may be one; None and "" are made up by the server.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    text = "" if name is None else name
    if (
        not isinstance(text, str)
        or not text.isprintable()
        or any(character in text for character in NAME_CHARACTERS_REFUSED)
    ):
        raise invalid(
            f"Invalid model name ({str(name)[:60]!r}) provided. Model name must be a non-empty string and cannot "
            f"contain the following characters: {' '.join(NAME_CHARACTERS_REFUSED)}"
        )
    if len(text.encode()) > NAME_BYTES_MAX:
        raise invalid(f"The name of a model has at most {NAME_BYTES_MAX} bytes; {text[:60]!r}… has more.")
    return text


def to_model_texts(given: Mapping[str, Any] | None) -> dict[str, str]:
    """Return params or tags of a model as texts."""
    return {str(key): str(value) for key, value in (given or {}).items()}


def model_spec(
    *,
    model_id: str | None,
    experiment_id: object,
    name: object,
    source_run_id: str | None,
    tags: Mapping[str, Any] | None,
    params: Mapping[str, Any] | None,
    model_type: str | None,
    experiment_name: str | None = None,
) -> "models_pb2.LoggedModelSpec":
    """Return all that is needed to create a model at any later time.

    Without an experiment it is that of the source run.
    """
    from stepwell.logged_models.calls import to_params
    from stepwell.wire import messages
    from stepwell_api.v1 import models_pb2

    chosen_id = new_model_id() if model_id is None else values.to_model_id(model_id)
    spec = models_pb2.LoggedModelSpec(
        model_id=chosen_id,
        name=check_model_name(name) or f"model-{chosen_id[2:10]}",
        model_type=str(model_type or ""),
        source_run_id="" if source_run_id is None else values.to_run_id(source_run_id),
        creation_time_ms=now_ms(),
        params=to_params(to_model_texts(params)),
        tags=messages.to_tags(to_model_texts(tags)),
    )
    if experiment_id is not None:
        spec.experiment_id = values.to_experiment_id(experiment_id)
    elif experiment_name is not None:
        spec.experiment_name = values.check_experiment_name(experiment_name)
    return spec


def model_of_spec(spec: "models_pb2.LoggedModelSpec") -> LoggedModel:
    """Return a model as it will be when the server hears of it; what only the server knows is empty."""
    return LoggedModel(
        experiment_id=str(spec.experiment_id) if spec.HasField("experiment_id") else "",
        model_id=spec.model_id,
        name=spec.name,
        artifact_location=f"models:/{spec.model_id}",
        creation_timestamp=spec.creation_time_ms,
        last_updated_timestamp=spec.creation_time_ms,
        model_type=spec.model_type or None,
        source_run_id=spec.source_run_id or None,
        status=LoggedModelStatus.PENDING,
        tags={tag.key: tag.value for tag in spec.tags},
        params={param.key: param.value for param in spec.params},
    )
