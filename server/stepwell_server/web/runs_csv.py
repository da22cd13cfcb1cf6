"""All runs that a filter finds, as CSV with chosen columns: for spreadsheets, and for `curl`.

One page of the search after the other is written while the next one waits to be read, so any number of runs will do.
"""

import csv
import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.runs import LatestMetric, Run, ViewType
from stepwell_server.search.expressions import Field, FieldKind
from stepwell_server.search.parser import parse_field
from stepwell_server.search.queries import Projection
from stepwell_server.search.subjects import RUNS
from stepwell_server.services.search import RunsWanted, SearchService
from stepwell_server.web.artifacts.sending import Streamed
from stepwell_server.web.artifacts.types import SECURITY, disposition

RUNS_CSV_PATH = "/api/stepwell/v1/runs.csv"

ROWS_AT_ONCE = 500
COLUMNS_MAX = 1_000
COLUMNS_USUAL = ("run_id", "run_name", "status", "start_time", "end_time", "user_id")
# Computed, and no field of searches: seconds.
DURATION = "duration"
_VIEWS = {"active": ViewType.ACTIVE_ONLY, "deleted": ViewType.DELETED_ONLY, "all": ViewType.ALL}
# Spreadsheets take a text that begins so for a formula, and a run's name may be anybody's.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    field: Field | None  # None: the duration


def runs_csv_routes(search: SearchService) -> list[BaseRoute]:
    """Return the route."""

    async def get(request: Request) -> Response | ASGIApp:
        titles = _given(request, "column") or COLUMNS_USUAL
        if len(titles) > COLUMNS_MAX:
            raise InvalidArgumentError(f"{len(titles):,} columns are wanted; name at most {COLUMNS_MAX:,}")
        columns = [_column(title) for title in titles]
        headers = {
            "content-type": "text/csv; charset=utf-8",
            "content-disposition": disposition("runs.csv", "attachment"),
            "cache-control": "no-store",
            **SECURITY,
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        return Streamed(200, headers, _written(search, _wanted(request, columns), columns))

    return [Route(RUNS_CSV_PATH, get)]


async def _written(
    search: SearchService, wanted: RunsWanted, columns: Sequence[_Column]
) -> AsyncGenerator[bytes]:
    titles: list[list[str]] = [[_safe(column.title) for column in columns]]
    token = ""
    while True:
        runs, token = await search.runs(_page(wanted, token))
        rows = [[_cell(run, column) for column in columns] for run in runs]
        yield _lines([*titles, *rows])
        titles = []
        if not token:
            return


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _page(wanted: RunsWanted, token: str) -> RunsWanted:
    return replace(wanted, page_token=token)


def _wanted(request: Request, columns: Sequence[_Column]) -> RunsWanted:
    view = request.query_params.get("view", "active")
    if view not in _VIEWS:
        raise InvalidArgumentError(f"{view[:60]!r} is no view of runs; use {', '.join(_VIEWS)}")
    fields = [column.field for column in columns if column.field]

    def keys(kind: FieldKind) -> list[str]:
        return list(dict.fromkeys(field.key for field in fields if field.kind is kind))

    return RunsWanted(
        _experiment_ids(_given(request, "experiment_id")),
        request.query_params.get("filter", ""),
        _VIEWS[view],
        _given(request, "order_by"),
        ROWS_AT_ONCE,
        "",
        Projection(
            params=keys(FieldKind.PARAM),
            metrics=keys(FieldKind.METRIC),
            tags=keys(FieldKind.TAG),
            summaries=any(field.kind is FieldKind.METRIC and field.function for field in fields),
        ),
    )


def _given(request: Request, name: str) -> list[str]:
    return [value for value in request.query_params.getlist(name) if value]


def _experiment_ids(texts: Sequence[str]) -> Sequence[int]:
    if not texts:
        raise InvalidArgumentError("name experiments: ?experiment_id=1&experiment_id=2")
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise InvalidArgumentError(f"{text[:60]!r} is not the id of an experiment")
    return [int(text) for text in texts]


def _column(title: str) -> _Column:
    if title == DURATION:
        return _Column(title, None)
    field = parse_field(title, RUNS)
    if field.kind is FieldKind.DATASET:
        raise InvalidArgumentError(f"{title[:60]} is no column, because a run may have many data sets")
    return _Column(title, field)


def _cell(run: Run, column: _Column) -> str:
    field = column.field
    if field is None:
        ended = run.info.end_time_ms
        return "" if ended is None else str((ended - run.info.start_time_ms) / 1_000)
    match field.kind:
        case FieldKind.PARAM:
            return _safe(run.params.get(field.key, ""))
        case FieldKind.TAG:
            return _safe(run.tags.get(field.key, ""))
        case FieldKind.METRIC:
            return _measured(next((it for it in run.metrics if it.key == field.key), None), field.function)
        case _:
            return _attribute(run, field.key)


def _measured(metric: LatestMetric | None, function: str | None) -> str:
    if metric is None:
        return ""
    summary = metric.summary
    values: dict[str | None, float | None] = {None: metric.value, "last": metric.value}
    if summary is not None:
        values |= {
            "min": summary.minimum,
            "max": summary.maximum,
            "mean": summary.mean,
            "count": summary.count,
        }
    value = values[function]
    return "" if value is None else repr(value)


def _attribute(run: Run, key: str) -> str:
    info = run.info
    match key:
        case "status":
            return info.status.name
        case "start_time":
            return _moment(info.start_time_ms)
        case "end_time":
            return "" if info.end_time_ms is None else _moment(info.end_time_ms)
        case "run_id":
            return info.run_id.hex
        case "run_name":
            return _safe(info.name)
        case "user_id":
            return _safe(info.user)
        case "lifecycle_stage":
            return info.lifecycle_stage.value
        case _:
            return _safe(str(getattr(info, key)))


def _moment(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError):
        return str(time_ms)  # beyond the calendar


def _safe(text: str) -> str:
    """Return a text as spreadsheets show it: one that looks like a formula, and is no number, begins with a quote."""
    if not text.startswith(_FORMULA_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text
