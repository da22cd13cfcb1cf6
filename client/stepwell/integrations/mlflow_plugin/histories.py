"""Points of metrics as MLflow asks for them: whole, in pages, or some of them for a chart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mlflow.entities import Metric
from mlflow.entities.metric import MetricWithRunId

from stepwell.errors import invalid
from stepwell.integrations.mlflow_plugin import entities
from stepwell.reading.columns import Int64s, MetricSeries
from stepwell.reading.series import get_metric_series


def page(uri: str, run_id: str, key: str, max_results: int | None, page_token: str | None) -> Any:
    """Return points of a metric in order of (timestamp, step, value): all, or `max_results` from where a page ended."""
    (series,) = get_metric_series(run_id, key, tracking_uri=uri)
    order = np.lexsort((series.values, series.steps, series.timestamps))
    begin = _offset(page_token)
    end = len(order) if max_results is None else min(begin + max_results, len(order))
    points = _points(series, order[begin:end])
    return entities.page(points, str(end) if end < len(order) else None)


def bulk(uri: str, run_ids: Sequence[str], key: str, max_results: int) -> list[MetricWithRunId]:
    """Return the first points of a metric of runs, together at most `max_results`, in order of time."""
    found: list[MetricWithRunId] = []
    for series in get_metric_series(sorted(run_ids), key, tracking_uri=uri):
        order = np.lexsort((series.values, series.steps, series.timestamps))
        found += _points_of_run(series, order[: max_results - len(found)])
    return found


def interval(
    uri: str,
    run_ids: Sequence[str],
    key: str,
    max_results: int,
    start_step: int | None,
    end_step: int | None,
) -> list[MetricWithRunId]:
    """Return of each run at most `max_results` points between two steps, evenly spaced, with both ends."""
    found = get_metric_series(run_ids, key, step_range=(start_step, end_step), tracking_uri=uri)
    return [
        point for series in found for point in _points_of_run(series, _spread(len(series.steps), max_results))
    ]


def _offset(page_token: str | None) -> int:
    if page_token and not page_token.isdigit():
        raise invalid(
            f"{page_token!r} is no page token of a metric's history; pass the one of the page before."
        )
    return int(page_token or 0)


def _spread(count: int, chosen_max: int) -> Int64s:
    if count <= chosen_max:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, chosen_max).round().astype(np.int64))


def _columns(series: MetricSeries, chosen: Int64s) -> Any:
    columns = (series.values, series.timestamps, series.steps)
    return zip(*(column[chosen].tolist() for column in columns), strict=True)


def _points(series: MetricSeries, chosen: Int64s) -> list[Metric]:
    return [Metric(series.key, value, at, step) for value, at, step in _columns(series, chosen)]


def _points_of_run(series: MetricSeries, chosen: Int64s) -> list[MetricWithRunId]:
    return [MetricWithRunId(point, series.run_id) for point in _points(series, chosen)]
