"""The log functions for the active run, and reading. Without an active run, the first of them starts one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import Any

from stepwell import settings, values
from stepwell.client import StepwellClient
from stepwell.delivery import logs, record, writer
from stepwell.delivery.receipts import PendingWrite, Receipt
from stepwell.delivery.record import Measured
from stepwell.delivery.writer import RunWriter
from stepwell.entities import Dataset, Metric, Run
from stepwell.errors import invalid, short
from stepwell.logged_models.active import active_model_id, when_first_activated
from stepwell.runs import active
from stepwell.runs.active import ActiveRun, current

_FLOATS = {float}
# The active run, for points that say nothing of a model. Nobody pays for models before one is made the active one.
_run_without_model: Callable[[], ActiveRun | None] = current.get


def _run_if_no_model_is_active() -> ActiveRun | None:
    return current.get() if active_model_id() is None else None


@when_first_activated
def _look_at_active_models() -> None:
    """From now on, let points take the long way where a model is active."""
    global _run_without_model
    _run_without_model = _run_if_no_model_is_active


@short
def set_tracking_uri(uri: str | Path | None) -> None:
    """Name the server for what comes, here and in processes that are started from here.

    None or "" undoes it: the server is what the environment says.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is no http://, https://, grpc:// or grpcs:// URI.
    """
    settings.set_tracking_uri(None if uri is None else str(uri))


@short
def get_tracking_uri() -> str:
    """Return the URI of the server."""
    return settings.tracking_uri()


@short
def is_tracking_uri_set() -> bool:
    """Tell whether a server was named, by set_tracking_uri or in the environment."""
    return settings.is_tracking_uri_set()


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    synchronous: bool | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> PendingWrite | None:
    """Log one point of a metric.

    Args:
        key: name of the metric, at most 250 characters.
        value: a number, or an array or tensor of one number; NaN and the infinities are kept.
        step: any 64-bit integer, 0 if not given.
        synchronous: True waits for the commit, False returns a handle for waiting; the default does neither.
        timestamp: milliseconds since the epoch, now if not given.
        run_id: another run than the active one.
        model_id: of a logged model that the point says something of; the active model if not given (set_active_model).
        dataset: what it was measured on, as stepwell.data makes one; kept with the model.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    # The usual call, as short as it can be: a known name in the active run.
    if (
        synchronous is None
        and timestamp is None
        and run_id is None
        and model_id is None
        and key.__class__ is str
    ):
        run = _run_without_model()
        if run is not None:
            spool = run.writer.spool
            number = spool.numbers.get(key)
            if number is not None:
                if value.__class__ is not float:
                    value = values.to_number(key, value)
                if step.__class__ is not int:
                    step = values.to_step(key, step)
                spool.append_point(number, step, time_ns(), value)
                return None
    return _log_metric(key, value, step, timestamp, synchronous, run_id, model_id, dataset)


def log_metrics(
    metrics: Mapping[str, float],
    step: int | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> PendingWrite | None:
    """Log one point of each metric, all with the same step and time; arguments as in log_metric."""
    # As in log_metric: names that were logged together before, in the active run.
    if (
        metrics.__class__ is dict
        and step.__class__ is int
        and synchronous is None
        and timestamp is None
        and run_id is None
        and model_id is None
    ):
        run = _run_without_model()
        if run is not None:
            spool = run.writer.spool
            numbers = spool.groups.get(tuple(metrics))
            if numbers is not None and set(map(type, metrics.values())) == _FLOATS:
                spool.append_points(numbers, step, time_ns(), metrics.values())
                return None
    return _log_metrics(metrics, step, timestamp, synchronous, run_id, model_id, dataset)


@short
def _log_metric(
    key: str,
    value: float,
    step: int | None,
    timestamp: int | None,
    synchronous: bool | None,
    run_id: str | None,
    model_id: str | None,
    dataset: Any,
) -> PendingWrite | None:
    metrics = {values.check_key("Metric", key): value}
    measured = _measured(model_id, dataset)
    return record.log_metrics(_writer(run_id), metrics, step, timestamp, synchronous, measured)


@short
def _log_metrics(
    metrics: Mapping[str, float],
    step: int | None,
    timestamp: int | None,
    synchronous: bool | None,
    run_id: str | None,
    model_id: str | None,
    dataset: Any,
) -> PendingWrite | None:
    measured = _measured(model_id, dataset)
    return record.log_metrics(_writer(run_id), metrics, step, timestamp, synchronous, measured)


def _measured(model_id: str | None, dataset: Any) -> Measured | None:
    """Return the model, and the data set, that points say something of."""
    chosen = model_id or active_model_id()
    name, digest = getattr(dataset, "name", None), getattr(dataset, "digest", None)
    return record.measured(chosen, name, digest)


@short
def log_series(
    key: str, values: Any, steps: Any = None, timestamps: Any = None, run_id: str | None = None
) -> None:
    """Log many points of one metric at once; they are stored exactly once, like everything else.

    Args:
        key: name of the metric, at most 250 characters.
        values: numbers, shape (n,): a list, a numpy array, or a tensor of PyTorch, TensorFlow or JAX.
        steps: whole numbers, shape (n,); 0, 1, 2, ... if not given.
        timestamps: milliseconds since the epoch, one for all or shape (n,); now if not given.
        run_id: another run than the active one.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE; then nothing is logged.
    """
    record.log_series(_writer(run_id), key, values, steps, timestamps)


@short
def log_param(key: str, value: Any, synchronous: bool | None = None) -> Any:
    """Log a param and return its value (or a PendingWrite when `synchronous` is False).

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, also when this process has logged another value before.
    """
    pending = record.log_params(_writer(None), {values.check_key("Param", key): value}, synchronous)
    return pending or value


@short
def log_params(
    params: Mapping[str, Any],
    synchronous: bool | None = None,
    run_id: str | None = None,
    *,
    flatten: bool | str = False,
) -> PendingWrite | None:
    """Log params; nothing is logged when one of them is bad.

    Args:
        params: names and values; values become text.
        synchronous: as in log_metric.
        run_id: another run than the active one.
        flatten: dictionaries in it become params of their own: {"adam": {"lr": 0.1}} is adam.lr; with a text, that
            stands between the names instead of the period.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, also when two params would get one name.
    """
    given = params if flatten is False else values.flattened(params, "." if flatten is True else flatten)
    return record.log_params(_writer(run_id), given, synchronous)


@short
def set_tag(key: str, value: Any, synchronous: bool | None = None) -> PendingWrite | None:
    """Set a tag of the active run; the later value wins."""
    return record.set_tags(_writer(None), {values.check_key("Tag", key): value}, synchronous)


@short
def set_tags(tags: Mapping[str, Any], synchronous: bool | None = None) -> PendingWrite | None:
    """Set tags of the active run; nothing is set when one of them is bad."""
    return record.set_tags(_writer(None), tags, synchronous)


@short
def delete_tag(key: str) -> None:
    """Remove a tag of the active run; StepwellException RESOURCE_DOES_NOT_EXIST when it has no such tag."""
    run = _run()
    StepwellClient(run.writer.uri).delete_tag(run.info.run_id, key)


@short
def log_input(
    dataset: Dataset | None = None,
    context: str | None = None,
    tags: Mapping[str, Any] | None = None,
    model: Any = None,
) -> None:
    """Note a data set that the active run uses.

    Args:
        dataset: as stepwell.data.from_pandas and from_numpy make one.
        context: what it is used for, for example "training".
        tags: more labels of the data set in this run.
        model: a LoggedModelInput that the run uses.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else than a data set.
    """
    log_inputs([dataset] if dataset is not None else [], [context], [tags], [model])


@short
def log_inputs(
    datasets: Sequence[Dataset] | None = None,
    contexts: Sequence[str | None] | None = None,
    tags_list: Sequence[Mapping[str, Any] | None] | None = None,
    models: Sequence[Any] | None = None,
) -> None:
    """Note data sets that the active run uses, each with its context and tags; see log_input."""
    from stepwell.data import to_input

    given = list(datasets or ())
    contexts, tags_list = contexts or [None] * len(given), tags_list or [None] * len(given)
    inputs = [to_input(*each) for each in zip(given, contexts, tags_list, strict=False)]
    if len(inputs) < len(given):
        raise invalid(f"{len(given)} data sets need as many contexts and tags, or none at all.")
    run = _run()
    record.log_inputs(run.writer, inputs)
    used = [model for model in models or () if model is not None]
    if used:
        StepwellClient(run.writer.uri).log_model_inputs(run.info.run_id, used)


@short
def get_run(run_id: str) -> Run:
    """Return a run with what it logged, including what this process has logged so far."""
    return StepwellClient().get_run(run_id)


@short
def get_parent_run(run_id: str) -> Run | None:
    """Return the run around a run; None if there is none."""
    return StepwellClient().get_parent_run(run_id)


@short
def delete_run(run_id: str) -> None:
    """Delete a run, softly; nothing can be logged to it until it is restored."""
    StepwellClient().delete_run(run_id)


@short
def restore_run(run_id: str) -> None:
    """Restore a run; INVALID_STATE when its experiment is deleted."""
    StepwellClient().restore_run(run_id)


@short
def last_active_run() -> Run | None:
    """Return the run that was started last in this thread or task, as it is now; None if there was none."""
    run_id = active.last_run_id()
    return get_run(run_id) if run_id is not None else None


@short
def get_metric_history(run_id: str, key: str) -> list[Metric]:
    """Return all points of a metric in order of (timestamp, step, value), NaN after every number."""
    return StepwellClient().get_metric_history(run_id, key)


@short
def flush(timeout: float | None = None) -> Receipt:
    """Wait until all that this process logged is committed or refused.

    Args:
        timeout: seconds; None means STEPWELL_FLUSH_TIMEOUT_S.

    Returns:
        What became of it, for all runs together, also those that have ended.
    """
    return logs.flush_and_tell(timeout)


@short
def flush_async_logging() -> None:
    """Wait until all that this process logged is committed: MLflow's name for flush()."""
    flush()


def _run() -> ActiveRun:
    return active.active_run() or active.start_run()


def _writer(run_id: str | None) -> RunWriter:
    if run_id is None:
        return _run().writer
    return writer.writer_for(settings.tracking_uri(), values.to_run_id(run_id))
