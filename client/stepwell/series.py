"""Reading many series at once, in columns."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from stepwell import settings, values, writer
from stepwell.errors import invalid

if TYPE_CHECKING:
    from stepwell.reads import Reads
    from stepwell_api.v1 import series_pb2

# Both ends are included; None leaves an end open.
Range = tuple[int | None, int | None]

X_AXES = ("step", "time", "time_since_start")


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
    from stepwell.metric_columns import check_format, series_output  # numpy is not imported with the package

    check_format(output_format)
    if last is not None and last < 1:
        raise invalid(f"last is a number of points from 1 on, not {last!r}; leave it out to get all.")
    uri = tracking_uri or settings.tracking_uri()
    runs = delivered(uri, run_ids)
    names = [(run_id, key) for run_id in runs for key in checked_keys(keys)]
    selected = selection(step_range, time_range, ranks, writer_ids)
    return series_output(reads(uri).history(names, selected, last or 0), output_format)


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
    from stepwell.metric_columns import check_format

    check_format(output_format)
    uri = tracking_uri or settings.tracking_uri()
    wanted = [] if keys is None else checked_keys(keys)
    return reads(uri).latest(delivered(uri, run_ids), wanted).output(output_format)


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
    from stepwell.metric_columns import check_format, samples_output
    from stepwell_api.v1 import series_pb2

    check_format(output_format)
    if x_axis not in X_AXES:
        raise invalid(f"x_axis is one of {', '.join(X_AXES)}, not {x_axis!r}.")
    if not isinstance(buckets, int) or buckets < 1:
        raise invalid(f"buckets is a number from 1 on, not {buckets!r}.")
    uri = tracking_uri or settings.tracking_uri()
    x_from, x_to = x_range or (None, None)
    request = series_pb2.SampleSeriesRequest(
        run_ids=delivered(uri, run_ids),
        keys=checked_keys(keys),
        axis=series_pb2.XAxis.Value(f"X_AXIS_{x_axis.upper()}"),
        x_from=x_from,
        x_to=x_to,
        buckets=buckets,
        writer_ids=[str(writer_id).replace("-", "") for writer_id in writer_ids or ()],
        ranks=ranks,
    )
    return samples_output(reads(uri).samples(request), output_format)


def reads(uri: str) -> "Reads":
    """Return the calls that read series from a server; gRPC is imported here and not with the package."""
    from stepwell.connection import connect
    from stepwell.reads import Reads

    return Reads(connect(uri))


def delivered(uri: str, run_ids: str | Iterable[str]) -> list[str]:
    """Return run ids after delivering what this process logged to them, so that reading sees it."""
    runs = [values.to_run_id(run_id) for run_id in _listed(run_ids)]
    for run_id in runs:
        writer.flush_run(uri, run_id)
    return runs


def checked_keys(keys: str | Iterable[str]) -> list[str]:
    """Return names of metrics if they may be names."""
    return [values.check_key("Metric", key) for key in _listed(keys)]


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def selection(
    step_range: Range | None,
    time_range: Range | None,
    ranks: Sequence[int] | None = None,
    writer_ids: Sequence[str] | None = None,
) -> "series_pb2.Selection":
    """Return which points are wanted as a message."""
    from stepwell_api.v1 import series_pb2

    step_from, step_to = step_range or (None, None)
    time_from, time_to = time_range or (None, None)
    return series_pb2.Selection(
        step_from=step_from,
        step_to=step_to,
        time_from_ms=time_from,
        time_to_ms=time_to,
        writer_ids=[str(writer_id).replace("-", "") for writer_id in writer_ids or ()],
        ranks=ranks,
    )
