"""The log calls to a given run: check everything, convert, append, and wait if that was asked for.

`synchronous`: None only appends; False returns a PendingWrite; True waits for the commit. All raise StepwellException
INVALID_PARAMETER_VALUE before anything of the call is logged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time_ns
from typing import Any

from stepwell import values
from stepwell.delivery.receipts import PendingWrite
from stepwell.delivery.writer import RunWriter
from stepwell.entities import DatasetInput, Metric, Param, RunTag
from stepwell.errors import invalid


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What points say something of: a model, on a data set or none (both texts empty)."""

    model_id: str
    dataset_name: str = ""
    dataset_digest: str = ""


def measured(model_id: object, dataset_name: object, dataset_digest: object) -> Measured | None:
    """Return what points say something of; None without a model.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is no model's id, or the name of the data set is too long.
    """
    if model_id is None:
        return None
    name, digest = str(dataset_name or ""), str(dataset_digest or "")
    return Measured(values.to_model_id(model_id), *values.check_dataset_name(name, digest))


def log_metrics(
    writer: RunWriter,
    metrics: Mapping[str, Any],
    step: object = None,
    timestamp: object = None,
    synchronous: bool | None = None,
    measured: Measured | None = None,
) -> PendingWrite | None:
    """Log one point of each metric; without a timestamp (or with 0, as in MLflow) it is now."""
    _check_mapping("metrics", metrics)
    first = next(iter(metrics), "")
    step_number = values.to_step(first, step) if step.__class__ is not int else step
    at = values.to_timestamp_ms(first, timestamp) if timestamp else now_ms()
    points = [
        (key, step_number, at, value if value.__class__ is float else values.to_number(key, value))
        for key, value in metrics.items()
    ]
    writer.log_points(points)
    writer.remember_group(tuple(metrics))
    if measured is not None:
        writer.log_model_points(
            Metric(
                *(key, value, at, step),
                model_id=measured.model_id,
                dataset_name=measured.dataset_name,
                dataset_digest=measured.dataset_digest,
            )
            for key, step, at, value in points
        )
    return answer(writer, synchronous, *metrics)


def log_series(writer: RunWriter, key: str, given: Any, steps: Any, timestamps: Any) -> None:
    """Log an array of points of one metric."""
    step_column, time_column, value_column = values.to_columns(
        values.check_key("Metric", key), given, steps, timestamps, now_ms()
    )
    if len(value_column):
        writer.log_array(key, step_column, time_column, value_column)


def log_batch(
    writer: RunWriter, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
) -> None:
    """Log points, each with its own step and time, params and tags."""
    known = writer.spool.numbers
    points = [_checked_point(known, point) for point in metrics]
    tag_texts = values.to_run_tags({tag.key: tag.value for tag in tags})
    # First what can still be refused.
    model_points = [
        _model_point(point, *checked)
        for point, checked in zip(metrics, points, strict=True)
        if getattr(point, "model_id", None) is not None  # those of mlflow 2 have none
    ]
    log_params(writer, _by_key(params))
    writer.log_points(points)
    writer.log_model_points(model_points)
    set_tags(writer, tag_texts)


def _model_point(point: Metric, key: str, step: int, timestamp_ms: int, value: float) -> Metric:
    """Return a point that says something of a model, checked."""
    name, digest = values.check_dataset_name(point.dataset_name or "", point.dataset_digest or "")
    model_id = values.to_model_id(point.model_id)
    return Metric(key, value, timestamp_ms, step, model_id=model_id, dataset_name=name, dataset_digest=digest)


def _checked_point(known: Mapping[str, int], point: Metric) -> tuple[str, int, int, float]:
    """Return a point as a log takes it; one of a known name whose fields are plain already needs no more looks."""
    key, step, timestamp, value = point.key, point.step, point.timestamp, point.value
    if (
        value.__class__ is float
        and step.__class__ is int
        and timestamp.__class__ is int
        and timestamp >= 0
        and key in known
    ):
        return key, step, timestamp, value
    return (
        values.check_key("Metric", key),
        values.to_step(key, step),
        values.to_timestamp_ms(key, timestamp),
        values.to_number(key, value),
    )


def log_params(
    writer: RunWriter, params: Mapping[str, Any], synchronous: bool | None = None
) -> PendingWrite | None:
    """Log params; their values become text."""
    _check_mapping("params", params)
    texts = {
        values.check_key("Param", key): values.to_param_value(key, value) for key, value in params.items()
    }
    writer.log_params(texts)
    return answer(writer, synchronous, *texts)


def set_tags(
    writer: RunWriter, tags: Mapping[str, Any], synchronous: bool | None = None
) -> PendingWrite | None:
    """Set tags; their values become text."""
    _check_mapping("tags", tags)
    texts = values.to_run_tags(tags)
    writer.log_tags(texts)
    return answer(writer, synchronous, *texts)


def log_inputs(writer: RunWriter, inputs: Sequence[DatasetInput]) -> None:
    """Note data sets that the run used."""
    writer.log_inputs([values.check_input(used) for used in inputs])


def _check_mapping(what: str, given: object) -> None:
    if not isinstance(given, Mapping):
        raise invalid(f"{what} must be a dictionary of names and values, not of type {type(given).__name__}.")


def _by_key(params: Sequence[Param]) -> dict[str, Any]:
    by_key: dict[str, Any] = {}
    for param in params:
        if str(by_key.setdefault(param.key, param.value)) != str(param.value):
            raise invalid(f"Param {param.key!r} occurs twice in one batch, with different values.")
    return by_key


def answer(writer: RunWriter, synchronous: bool | None, *keys: str) -> PendingWrite | None:
    """Return what a log call returns, after waiting if that was asked for."""
    if synchronous is None:
        return None
    pending = writer.pending(*keys)
    if synchronous:
        pending.wait()
        return None
    return pending
