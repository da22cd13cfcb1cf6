"""Messages of the contract to values of the model and back. What cannot be mapped is an InvalidArgumentError."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from uuid import UUID

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.logged_models import find_model_id, model_name
from stepwell_server.model.runs import (
    Dataset,
    DatasetInput,
    Experiment,
    LifecycleStage,
    MetricSummary,
    Run,
    RunInfo,
    RunSpec,
    RunStatus,
    ViewType,
)
from stepwell_server.services.paging.runs import make_rest_token

_UUID = re.compile(r"[0-9a-fA-F]{32}")
_UUID_SHOWN_CHARS_MAX = 40

_STAGES = {
    LifecycleStage.ACTIVE: pb.LIFECYCLE_STAGE_ACTIVE,
    LifecycleStage.DELETED: pb.LIFECYCLE_STAGE_DELETED,
}

_VIEWS: dict[int, ViewType] = {
    pb.VIEW_TYPE_UNSPECIFIED: ViewType.ACTIVE_ONLY,
    pb.VIEW_TYPE_ACTIVE_ONLY: ViewType.ACTIVE_ONLY,
    pb.VIEW_TYPE_DELETED_ONLY: ViewType.DELETED_ONLY,
    pb.VIEW_TYPE_ALL: ViewType.ALL,
}

_STATUSES = {
    RunStatus.RUNNING: pb.RUN_STATUS_RUNNING,
    RunStatus.SCHEDULED: pb.RUN_STATUS_SCHEDULED,
    RunStatus.FINISHED: pb.RUN_STATUS_FINISHED,
    RunStatus.FAILED: pb.RUN_STATUS_FAILED,
    RunStatus.KILLED: pb.RUN_STATUS_KILLED,
}
_STATUSES_BACK: dict[int, RunStatus] = {number: status for status, number in _STATUSES.items()}


def parse_uuid(text: str, field_name: str) -> UUID:
    """Return the UUID that a message field holds as 32 hexadecimal digits."""
    if not _UUID.fullmatch(text):
        raise InvalidArgumentError(
            f"{field_name} has to be 32 hexadecimal digits, not {text[:_UUID_SHOWN_CHARS_MAX]!r}"
        )
    return UUID(hex=text)


def parse_model_id(text: str, field_name: str) -> UUID:
    """Return the UUID of a logged model, which a message field holds as `m-` and 32 hexadecimal digits."""
    model_id = find_model_id(text)
    if model_id is None:
        raise InvalidArgumentError(
            f"{field_name} has to be m- and 32 hexadecimal digits, not {text[:_UUID_SHOWN_CHARS_MAX]!r}"
        )
    return model_id


def parse_owner(text: str, field_name: str) -> UUID:
    """Return the UUID of a run or a logged model, to which artifacts belong."""
    return find_model_id(text) or parse_uuid(text, field_name)


def parse_uuids(texts: Sequence[str], field_name: str, count_max: int) -> list[UUID]:
    """Return the UUIDs of a list; how many there are is checked first."""
    if len(texts) > count_max:
        raise InvalidArgumentError(
            f"{field_name} has {len(texts):,} ids; at most {count_max:,} are allowed at once"
        )
    return [parse_uuid(text, field_name) for text in texts]


def parse_status(number: int) -> RunStatus:
    """Return the status of a run."""
    if number not in _STATUSES_BACK:
        raise InvalidArgumentError(
            f"{number} is not a run status; use one of {_names(_STATUSES_BACK.values())}"
        )
    return _STATUSES_BACK[number]


def parse_view_type(number: int) -> ViewType:
    """Return which lifecycle stages a listing shows."""
    if number not in _VIEWS:
        raise InvalidArgumentError(f"{number} is not a view type; use one of {_names(ViewType)}")
    return _VIEWS[number]


def _names(values: Iterable[RunStatus] | Iterable[ViewType]) -> str:
    return ", ".join(value.name for value in values)


def parse_tags(tags: Iterable[pb.Tag]) -> dict[str, str]:
    """Return tags by key; each key may occur once."""
    parsed: dict[str, str] = {}
    for tag in tags:
        if parsed.setdefault(tag.key, tag.value) != tag.value:
            raise InvalidArgumentError(f"tag {tag.key[:60]!r} is given twice, with two values; give one")
    return parsed


def run_spec_from_proto(message: pb.RunSpec) -> RunSpec:
    """Return all that is needed to create a run."""
    experiment = message.WhichOneof("experiment")
    return RunSpec(
        run_id=parse_uuid(message.run_id, "run_id"),
        experiment_id=message.experiment_id if experiment == "experiment_id" else None,
        experiment_name=message.experiment_name if experiment == "experiment_name" else None,
        name=message.name,
        start_time_ms=message.start_time_ms,
        user=message.user,
        tags=parse_tags(message.tags),
    )


def experiment_to_proto(experiment: Experiment) -> pb.Experiment:
    """Return an experiment as a message."""
    return pb.Experiment(
        experiment_id=experiment.experiment_id,
        name=experiment.name,
        artifact_location=experiment.artifact_location,
        lifecycle_stage=_STAGES[experiment.lifecycle_stage],
        tags=[pb.Tag(key=key, value=value) for key, value in experiment.tags.items()],
        creation_time_ms=experiment.creation_time_ms,
        last_update_time_ms=experiment.last_update_time_ms,
    )


def run_info_to_proto(info: RunInfo) -> pb.RunInfo:
    """Return a run without what it logged as a message."""
    return pb.RunInfo(
        run_id=info.run_id.hex,
        experiment_id=info.experiment_id,
        name=info.name,
        status=_STATUSES[info.status],
        start_time_ms=info.start_time_ms,
        end_time_ms=info.end_time_ms,
        lifecycle_stage=_STAGES[info.lifecycle_stage],
        user=info.user,
        artifact_uri=info.artifact_uri,
    )


def run_to_proto(run: Run) -> pb.Run:
    """Return a run with what it logged as a message."""
    message = pb.Run(
        info=run_info_to_proto(run.info),
        inputs=map(input_to_proto, run.inputs),
        model_inputs=[pb.ModelInput(model_id=model_name(model_id)) for model_id in run.models.inputs],
        model_outputs=[
            pb.ModelOutput(model_id=model_name(it.model_id), step=it.step) for it in run.models.outputs
        ],
        rest_token="" if run.rest is None else make_rest_token(run.rest),
    )
    # Made in their place: of a page's thousands, copies would take as long again.
    for add, pairs in ((message.params.add, run.params), (message.tags.add, run.tags)):
        for key, value in pairs.items():
            add(key=key, value=value)
    add_metric = message.metrics.add
    for it in run.metrics:
        added = add_metric(key=it.key, value=it.value, step=it.step, timestamp_ms=it.timestamp_ms)
        if it.summary is not None:
            added.summary.CopyFrom(_summary_to_proto(it.summary))
    return message


def _summary_to_proto(it: MetricSummary) -> pb.MetricSummary:
    return pb.MetricSummary(
        min=it.minimum, max=it.maximum, mean=it.mean, count=it.count, non_finite_count=it.non_finite_count
    )


def input_to_proto(it: DatasetInput) -> pb.DatasetInput:
    """Return a data set of a run as a message."""
    tags = [pb.Tag(key=key, value=value) for key, value in it.tags.items()]
    return pb.DatasetInput(dataset=pb.Dataset(**asdict(it.dataset)), tags=tags)


def input_from_proto(message: pb.DatasetInput) -> DatasetInput:
    """Return a data set of a run."""
    dataset = message.dataset
    return DatasetInput(
        Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=dataset.schema,
            profile=dataset.profile,
        ),
        parse_tags(message.tags),
    )
