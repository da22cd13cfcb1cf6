"""Entities to messages and back."""

import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stepwell.entities import (
    Alert,
    AlertLevel,
    Dataset,
    DatasetInput,
    Experiment,
    Histogram,
    InputTag,
    LifecycleStage,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
)
from stepwell_api.v1 import alerts_pb2, ingest_pb2, runs_pb2

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
# Of a writer's secret: more than can be guessed.
SECRET_BYTES = 32

_STAGES = {
    runs_pb2.LIFECYCLE_STAGE_ACTIVE: LifecycleStage.ACTIVE,
    runs_pb2.LIFECYCLE_STAGE_DELETED: LifecycleStage.DELETED,
}


def open_writer(spec: runs_pb2.RunSpec, writer_id: str, rank: int | None) -> ingest_pb2.OpenWriter:
    """Return the first message of a writer's stream, with a secret of its own."""
    return ingest_pb2.OpenWriter(
        run=spec,
        writer_id=writer_id,
        rank=rank,
        host=socket.gethostname(),
        process_id=os.getpid(),
        secret=secrets.token_bytes(SECRET_BYTES),
    )


def awaited_writer(rank: int | None) -> runs_pb2.AwaitedWriter:
    """Return this process, which is about to open a stream."""
    return runs_pb2.AwaitedWriter(host=socket.gethostname(), process_id=os.getpid(), rank=rank)


def param_entry(key: str, value: str) -> ingest_pb2.Entry:
    """Return a param as an entry of a log; its position comes later."""
    return ingest_pb2.Entry(param=runs_pb2.Param(key=key, value=value))


def tag_entry(key: str, value: str) -> ingest_pb2.Entry:
    """Return a tag as an entry of a log."""
    return ingest_pb2.Entry(tag=runs_pb2.Tag(key=key, value=value))


def tag_removal_entry(key: str) -> ingest_pb2.Entry:
    """Return the removal of a tag as an entry of a log."""
    return ingest_pb2.Entry(tag_removal=ingest_pb2.TagRemoval(key=key))


def input_entry(used: DatasetInput) -> ingest_pb2.Entry:
    """Return a data set that a run used as an entry of a log."""
    return ingest_pb2.Entry(input=to_dataset_input(used))


def model_point_entry(point: Metric) -> ingest_pb2.Entry:
    """Return that a point says something of a model as an entry of a log."""
    message = ingest_pb2.ModelPoint(
        model_id=point.model_id or "",
        key=point.key,
        value=point.value,
        step=point.step,
        timestamp_ms=point.timestamp,
        dataset_name=point.dataset_name or "",
        dataset_digest=point.dataset_digest or "",
    )
    return ingest_pb2.Entry(model_point=message)


def console_entry(stream: int, timestamp_ms: int, text: str, left_out: int) -> ingest_pb2.Entry:
    """Return lines that the process wrote (1: output, 2: error) as an entry of a log."""
    lines = ingest_pb2.ConsoleLines(
        stream=ingest_pb2.ConsoleStream.ValueType(stream),
        timestamp_ms=timestamp_ms,
        text=text,
        left_out=left_out,
    )
    return ingest_pb2.Entry(console=lines)


def histogram_entry(histogram: Histogram) -> ingest_pb2.Entry:
    """Return how values are distributed as an entry of a log."""
    message = ingest_pb2.Histogram(
        key=histogram.key,
        step=histogram.step,
        timestamp_ms=histogram.timestamp,
        edges=histogram.edges,
        counts=histogram.counts,
        not_finite=histogram.not_finite,
    )
    return ingest_pb2.Entry(histogram=message)


def histogram(message: ingest_pb2.Histogram) -> Histogram:
    """Return a histogram with all its edges."""
    ends = list(message.edges)
    if len(ends) == 2:
        ends = even_edges(ends, len(message.counts))
    return Histogram(
        message.key, message.step, message.timestamp_ms, ends, list(message.counts), message.not_finite
    )


def even_edges(ends: list[float], bins: int) -> list[float]:
    """Return the edges of bins of equal width between two ends."""
    first, last = ends
    return [first + (last - first) * number / bins for number in range(bins)] + [last]


def alert_entry(alert: Alert, *, imported: bool = False) -> ingest_pb2.Entry:
    """Return what people should know, or were told elsewhere before, as an entry of a log."""
    message = ingest_pb2.Alert(
        title=alert.title,
        text=alert.text,
        level=to_level(AlertLevel.number_of(alert.level)),
        timestamp_ms=alert.timestamp,
        imported=imported,
    )
    return ingest_pb2.Entry(alert=message)


def to_level(number: int) -> ingest_pb2.AlertLevel.ValueType:
    """Return a level of alerts as messages have it."""
    return ingest_pb2.AlertLevel.ValueType(number)


def alert(message: alerts_pb2.StoredAlert) -> Alert:
    """Return an alert with its run."""
    return Alert(
        message.alert.title,
        message.alert.text,
        AlertLevel.name_of(message.alert.level),
        message.alert.timestamp_ms,
        number=message.number,
        run_id=message.run_id,
        run_name=message.run_name,
        experiment_id=str(message.experiment_id),
    )


def status_entry(status: int, end_time_ms: int | None) -> ingest_pb2.Entry:
    """Return a change of status as an entry of a log."""
    change = ingest_pb2.StatusChange(status=runs_pb2.RunStatus.ValueType(status), end_time_ms=end_time_ms)
    return ingest_pb2.Entry(status=change)


def run_spec(
    *,
    run_id: str,
    experiment_id: int | None = None,
    experiment_name: str | None = None,
    name: str,
    start_time_ms: int,
    user: str,
    tags: Mapping[str, str],
) -> runs_pb2.RunSpec:
    """Return all that is needed to create a run."""
    spec = runs_pb2.RunSpec(
        run_id=run_id, name=name, start_time_ms=start_time_ms, user=user, tags=to_tags(tags)
    )
    if experiment_id is not None:
        spec.experiment_id = experiment_id
    if experiment_name is not None:
        spec.experiment_name = experiment_name
    return spec


def to_tags(tags: Mapping[str, str]) -> list[runs_pb2.Tag]:
    """Return tags as messages."""
    return [runs_pb2.Tag(key=key, value=value) for key, value in tags.items()]


def to_status(status: str) -> runs_pb2.RunStatus.ValueType:
    """Return the number of a status's name; StepwellException INVALID_PARAMETER_VALUE for other words."""
    return runs_pb2.RunStatus.ValueType(RunStatus.from_string(status))


def experiment(message: runs_pb2.Experiment) -> Experiment:
    """Return an experiment."""
    return Experiment(
        experiment_id=str(message.experiment_id),
        name=message.name,
        artifact_location=message.artifact_location,
        lifecycle_stage=_STAGES[message.lifecycle_stage],
        tags={tag.key: tag.value for tag in message.tags},
        creation_time=message.creation_time_ms,
        last_update_time=message.last_update_time_ms,
    )


def run_info(message: runs_pb2.RunInfo) -> RunInfo:
    """Return a run without what it logged."""
    return RunInfo(
        run_id=message.run_id,
        experiment_id=str(message.experiment_id),
        user_id=message.user,
        status=RunStatus.to_string(message.status),
        start_time=message.start_time_ms,
        end_time=message.end_time_ms if message.HasField("end_time_ms") else None,
        lifecycle_stage=_STAGES[message.lifecycle_stage],
        artifact_uri=message.artifact_uri,
        run_name=message.name,
    )


class LatestPoints(Mapping[str, Metric]):
    """The latest points of a run; they are made when somebody looks, as of a page's thousands nobody does."""

    def __init__(self, run_id: str, messages: Iterable[runs_pb2.LatestMetric]) -> None:
        self._run_id = run_id
        self._messages = messages

    @cached_property
    def _points(self) -> dict[str, Metric]:
        return {
            it.key: Metric(it.key, it.value, it.timestamp_ms, it.step, self._run_id) for it in self._messages
        }

    def __getitem__(self, key: str) -> Metric:
        """Return the latest point of a metric."""
        return self._points[key]

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._points)

    def __len__(self) -> int:
        """Return how many metrics there are."""
        return len(self._points)

    def __repr__(self) -> str:
        """Show them."""
        return repr(self._points)

    def __reduce__(self) -> tuple[type[dict[str, Metric]], tuple[dict[str, Metric]]]:
        """Copy and pickle them as they are, without the message."""
        return dict, (self._points,)


def run(message: runs_pb2.Run) -> Run:
    """Return a run."""
    run_id = message.info.run_id
    data = RunData(
        metrics={point.key: point.value for point in message.metrics},
        params={param.key: param.value for param in message.params},
        tags={tag.key: tag.value for tag in message.tags},
        latest_points=LatestPoints(run_id, message.metrics),
    )
    inputs = RunInputs(
        [dataset_input(one) for one in message.inputs],
        [LoggedModelInput(one.model_id) for one in message.model_inputs],
    )
    outputs = RunOutputs([LoggedModelOutput(one.model_id, one.step) for one in message.model_outputs])
    return Run(run_info(message.info), data, inputs, outputs)


def dataset_input(message: runs_pb2.DatasetInput) -> DatasetInput:
    """Return a data set of a run."""
    sent = message.dataset
    dataset = Dataset(
        *(sent.name, sent.digest, sent.source_type, sent.source), sent.schema or None, sent.profile or None
    )
    return DatasetInput(dataset, [InputTag(tag.key, tag.value) for tag in message.tags])


def to_dataset_input(it: DatasetInput) -> runs_pb2.DatasetInput:
    """Return a data set of a run as a message."""
    dataset = it.dataset
    message = runs_pb2.Dataset(
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema or "",
        profile=dataset.profile or "",
    )
    return runs_pb2.DatasetInput(dataset=message, tags=to_tags({tag.key: tag.value for tag in it.tags}))


def run_of_spec(spec: runs_pb2.RunSpec) -> Run:
    """Return a run as it will be when the server hears of it; what only the server knows is empty."""
    info = RunInfo(
        run_id=spec.run_id,
        experiment_id=str(spec.experiment_id) if spec.HasField("experiment_id") else "",
        user_id=spec.user,
        status=RunStatus.to_string(RunStatus.RUNNING),
        start_time=spec.start_time_ms,
        end_time=None,
        lifecycle_stage=LifecycleStage.ACTIVE,
        artifact_uri="",
        run_name=spec.name,
    )
    return Run(
        info, RunData(metrics={}, params={}, tags={tag.key: tag.value for tag in spec.tags}, latest_points={})
    )


def metrics(
    run_id: str,
    key: str,
    steps: NDArray[np.int64],
    timestamps_ms: NDArray[np.int64],
    values: NDArray[np.float64],
) -> list[Metric]:
    """Return the points of three columns, each of shape (n,), in order of (timestamp, step, value), NaN last."""
    order = np.lexsort((values, steps, timestamps_ms))
    columns = (values[order].tolist(), timestamps_ms[order].tolist(), steps[order].tolist())
    return [
        Metric(key, value, timestamp, step, run_id) for value, timestamp, step in zip(*columns, strict=True)
    ]
