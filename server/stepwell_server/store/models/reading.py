"""Rows of logged models with what belongs to them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.model.logged_models import (
    METRICS_SHOWN_MAX,
    LoggedModel,
    LoggedModelMetric,
    LoggedModelStatus,
)
from stepwell_server.store import sql
from stepwell_server.store.content.references import uuid_of
from stepwell_server.store.postgres.pool import Connection

_QUERIES = sql.load("logged_models")


async def models_of(connection: Connection, rows: Sequence[Any]) -> Sequence[LoggedModel]:
    """Return the models of rows, in their order, with params, tags and metrics."""
    ids = [row["model_id"] for row in rows]
    if not ids:
        return []
    params = _pairs(await connection.fetch(_QUERIES["params"], ids))
    tags = _pairs(await connection.fetch(_QUERIES["tags"], ids))
    metrics: dict[UUID, list[LoggedModelMetric]] = {}
    for row in await connection.fetch(_QUERIES["metrics"], ids, max(1, METRICS_SHOWN_MAX // len(ids))):
        metrics.setdefault(uuid_of(row["model_id"]), []).append(_metric(row))
    return [_model(row, params, tags, metrics) for row in rows]


def _model(
    row: Any,
    params: Mapping[UUID, Mapping[str, str]],
    tags: Mapping[UUID, Mapping[str, str]],
    metrics: Mapping[UUID, Sequence[LoggedModelMetric]],
) -> LoggedModel:
    model_id = uuid_of(row["model_id"])
    run_id = row["source_run_id"]
    return LoggedModel(
        model_id=model_id,
        experiment_id=row["experiment_id"],
        name=row["name"],
        model_type=row["model_type"],
        source_run_id=None if run_id is None else uuid_of(run_id),
        status=LoggedModelStatus(row["status"]),
        status_message=row["status_message"],
        creation_time_ms=row["creation_time_ms"],
        last_update_time_ms=row["last_update_time_ms"],
        artifact_uri=row["artifact_uri"],
        params=params.get(model_id, {}),
        tags=tags.get(model_id, {}),
        metrics=metrics.get(model_id, ()),
    )


def _metric(row: Any) -> LoggedModelMetric:
    return LoggedModelMetric(
        row["key"],
        row["value"],
        row["step"],
        row["timestamp_ms"],
        uuid_of(row["run_id"]),
        row["dataset_name"],
        row["dataset_digest"],
    )


def _pairs(rows: Sequence[Any]) -> dict[UUID, dict[str, str]]:
    found: dict[UUID, dict[str, str]] = {}
    for row in rows:
        found.setdefault(uuid_of(row["model_id"]), {})[row["key"]] = row["value"]
    return found
