"""Reading many series at once, in columns."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from stepwell import settings, values
from stepwell.delivery import logs
from stepwell.errors import invalid, short

if TYPE_CHECKING:
    from stepwell.reading.reads import Reads
    from stepwell_api.v1 import series_pb2

# Both ends are included; None leaves an end open.
Range = tuple[int | None, int | None]

X_AXES = ("step", "time", "time_since_start")
# What the contract can carry; the server knows tighter limits and says them.
INT32_MAX = 2**31 - 1


@short
def get_metric_series(
    run_ids: str | Iterable[str],
    keys: str | Iterable[str],
    *,
    step_range: Range | None = None,
    time_range: Range | None = None,
    ranks: Sequence[int] | None = None,
    writer_ids: Sequence[str] | None = None,
    last: int | None = None,
    output_format: str = "numpy",
    tracking_uri: str | None = None,
) -> Any:
    """Return the points of metrics of runs, in order of (step, timestamp, value), NaN after every number.

    Args:
        run_ids: one run or several.
        keys: one metric or several; a run that never logged one has no points of it.
        step_range: (from, to), both included; None leaves an end open.
        time_range: the same in milliseconds since the epoch.
        ranks: only points that processes with these ranks logged.
        writer_ids: only points of these writers.
        last: only so many points of each series, the last ones; at most 65,536.
        output_format: "numpy": a list of MetricSeries, for each run one for each key; "pandas" and "pyarrow": one
            table with the columns run_id, key, step, timestamp (milliseconds) and value.
        tracking_uri: another server than that of set_tracking_uri.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such run, INVALID_PARAMETER_VALUE.
    """
    from stepwell.reading.columns import check_format, series_output  # numpy is not imported with the package

    check_format(output_format)
    points = 0 if last is None else values.to_integer("last (without it come all points)", last, 1, INT32_MAX)
    selected = selection(step_range, time_range, ranks, writer_ids)
    wanted = checked_keys(keys)
    uri = tracking_uri or settings.tracking_uri()
    names = [(run_id, key) for run_id in delivered(uri, run_ids) for key in wanted]
    return series_output(reads(uri).history(names, selected, points), output_format)


@short
def get_latest_metrics(
    run_ids: str | Iterable[str],
    keys: str | Iterable[str] | None = None,
    *,
    output_format: str = "numpy",
    tracking_uri: str | None = None,
) -> Any:
    """Return, for metrics of runs, the point with the greatest (step, timestamp, value) and a summary of all points.

    Args:
        run_ids: one run or several.
        keys: one metric or several; None means all that the runs have.
        output_format: "numpy": LatestMetrics; "pandas" and "pyarrow": one table with the columns run_id, key, step,
            timestamp, value, count, non_finite_count, min, max and mean.
        tracking_uri: another server than that of set_tracking_uri.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such run, INVALID_PARAMETER_VALUE.
    """
    from stepwell.reading.columns import check_format

    check_format(output_format)
    uri = tracking_uri or settings.tracking_uri()
    wanted = [] if keys is None else checked_keys(keys)
    return reads(uri).latest(delivered(uri, run_ids), wanted).output(output_format)


@short
def sample_series(
    run_ids: str | Iterable[str],
    keys: str | Iterable[str],
    *,
    x_axis: str = "step",
    x_range: Range | None = None,
    buckets: int = 500,
    ranks: Sequence[int] | None = None,
    writer_ids: Sequence[str] | None = None,
    output_format: str = "numpy",
    tracking_uri: str | None = None,
) -> Any:
    """Return what a chart needs of metrics of runs, however long they are, without hiding a spike.

    The points in `x_range` are put into buckets of equal width between the least and the greatest x that a series has
    there. Of each bucket come first and last point, minimum, maximum, mean and counts; the same points always give
    the same sample, and the first and the last point of the range are always in it.

    Args:
        run_ids: one run or several, at most 100.
        keys: one metric or several, at most 20.
        x_axis: "step", "time" (milliseconds since the epoch) or "time_since_start" (of the run, in milliseconds).
        x_range: (from, to), both included; None leaves an end open.
        buckets: how many, at most 10,000; buckets without points are left out.
        ranks: only points that processes with these ranks logged.
        writer_ids: only points of these writers.
        output_format: "numpy": a list of SampledSeries, for each run one for each key; "pandas" and "pyarrow": one
            table with the columns run_id, key, first_x, first_value, last_x, last_value, min, max, mean, count and
            non_finite_count.
        tracking_uri: another server than that of set_tracking_uri.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such run, INVALID_PARAMETER_VALUE.
    """
    from stepwell.reading.columns import check_format, samples_output
    from stepwell_api.v1 import series_pb2

    check_format(output_format)
    if x_axis not in X_AXES:
        raise invalid(f"x_axis is one of {', '.join(X_AXES)}, not {x_axis!r}.")
    x_from, x_to = _ends("x_range", x_range)
    uri = tracking_uri or settings.tracking_uri()
    request = series_pb2.SampleSeriesRequest(
        keys=checked_keys(keys),
        axis=series_pb2.XAxis.Value(f"X_AXIS_{x_axis.upper()}"),
        x_from=x_from,
        x_to=x_to,
        buckets=values.to_integer("buckets", buckets, 1, INT32_MAX),
        writer_ids=_writer_ids(writer_ids),
        ranks=_ranks(ranks),
        run_ids=delivered(uri, run_ids),
    )
    return samples_output(reads(uri).samples(request), output_format)


def reads(uri: str) -> "Reads":
    """Return the calls that read series from a server; gRPC is imported here and not with the package."""
    from stepwell.reading.reads import Reads
    from stepwell.wire.connection import connect

    return Reads(connect(uri))


def delivered(uri: str, run_ids: str | Iterable[str]) -> list[str]:
    """Return run ids after delivering what this process logged to them, so that reading sees it."""
    runs = [values.to_run_id(run_id) for run_id in _listed("run_ids", run_ids)]
    for run_id in runs:
        logs.flush_run(uri, run_id)
    return runs


def checked_keys(keys: str | Iterable[str]) -> list[str]:
    """Return names of metrics if they may be names."""
    return [values.check_key("Metric", key) for key in _listed("keys", keys)]


def _listed(what: str, names: str | Iterable[str]) -> list[str]:
    if isinstance(names, str):
        return [names]
    try:
        return list(names)
    except TypeError:
        raise invalid(f"{what} is a string or a list of strings, not {names!r}.") from None


def selection(
    step_range: Range | None,
    time_range: Range | None,
    ranks: Sequence[int] | None = None,
    writer_ids: Sequence[str] | None = None,
) -> "series_pb2.Selection":
    """Return which points are wanted as a message."""
    from stepwell_api.v1 import series_pb2

    step_from, step_to = _ends("step_range", step_range)
    time_from, time_to = _ends("time_range", time_range)
    return series_pb2.Selection(
        step_from=step_from,
        step_to=step_to,
        time_from_ms=time_from,
        time_to_ms=time_to,
        writer_ids=_writer_ids(writer_ids),
        ranks=_ranks(ranks),
    )


def _ends(what: str, given: Range | None) -> Range:
    """Return the ends of a range as plain integers; None leaves both open."""
    try:
        low, high = (None, None) if given is None else given
    except (TypeError, ValueError):
        raise invalid(f"{what} is a pair (from, to), not {given!r}; None leaves an end open.") from None
    return _end(f"{what}[0]", low), _end(f"{what}[1]", high)


def _end(what: str, end: int | None) -> int | None:
    return None if end is None else values.to_integer(what, end, values.STEP_MIN, values.STEP_MAX)


def _ranks(ranks: Sequence[int] | None) -> list[int]:
    try:
        return [values.to_integer("A rank", rank, 0, INT32_MAX) for rank in (() if ranks is None else ranks)]
    except TypeError:
        raise invalid(f"ranks is a list of numbers, not {ranks!r}.") from None


def _writer_ids(writer_ids: Sequence[str] | None) -> list[str]:
    if isinstance(writer_ids, str):
        raise invalid(f"writer_ids is a list, also for one writer: [{writer_ids!r}].")
    return [str(writer_id).replace("-", "") for writer_id in writer_ids or ()]
