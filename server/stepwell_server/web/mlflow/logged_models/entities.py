"""Logged models in MLflow's JSON, and the ids of requests."""

from typing import Any
from uuid import UUID

from stepwell_server.errors import NotFoundError
from stepwell_server.model.ingest import ModelPointEntry
from stepwell_server.model.logged_models import (
    LoggedModel,
    LoggedModelMetric,
    LoggedModelStatus,
    find_model_id,
    model_name,
)
from stepwell_server.web.mlflow.answers import number
from stepwell_server.web.mlflow.entities import ARTIFACT_ROOT, pairs_json
from stepwell_server.web.mlflow.requests import Message

STATUSES = {
    "LOGGED_MODEL_PENDING": LoggedModelStatus.PENDING,
    "LOGGED_MODEL_READY": LoggedModelStatus.READY,
    "LOGGED_MODEL_UPLOAD_FAILED": LoggedModelStatus.FAILED,
}
_STATUS_NAMES = {status: name for name, status in STATUSES.items()}


def parse_model_id(text: str) -> UUID:
    """Return the id of a model. Raises NotFoundError for what no model can have."""
    model_id = find_model_id(text)
    if model_id is None:
        raise NotFoundError(f"Logged model with ID '{text[:60]}' not found.")
    return model_id


def model_point(
    message: Message, key: str, value: float, step: int, timestamp_ms: int
) -> ModelPointEntry | None:
    """Return what a point says of a model; None when it names none, or what can be none: as MLflow 2 took it."""
    model_id = find_model_id(message.text("model_id") or "")
    if model_id is None:
        return None
    name, digest = message.text("dataset_name") or "", message.text("dataset_digest") or ""
    return ModelPointEntry(0, model_id, key, value, step, timestamp_ms, name, digest)


def model_json(model: LoggedModel) -> dict[str, Any]:
    """Return a model."""
    model_id = model_name(model.model_id)
    info: dict[str, Any] = {
        "model_id": model_id,
        "experiment_id": str(model.experiment_id),
        "name": model.name,
        "creation_timestamp_ms": model.creation_time_ms,
        "last_updated_timestamp_ms": model.last_update_time_ms,
        "artifact_uri": f"{ARTIFACT_ROOT}{model.experiment_id}/models/{model_id}/artifacts",
        "status": _STATUS_NAMES[model.status],
    }
    if model.model_type:
        info["model_type"] = model.model_type
    info["source_run_id"] = model.source_run_id.hex if model.source_run_id else ""
    if model.status_message:
        info["status_message"] = model.status_message
    if model.tags:
        info["tags"] = pairs_json(model.tags)
    data: dict[str, Any] = {}
    if model.params:
        data["params"] = pairs_json(model.params)
    if model.metrics:
        data["metrics"] = [_metric_json(it, model_id) for it in model.metrics]
    return {"info": info, "data": data}


def _metric_json(metric: LoggedModelMetric, model_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": metric.key,
        "value": number(metric.value),
        "timestamp": metric.timestamp_ms,
        "step": metric.step,
        "model_id": model_id,
        "run_id": metric.run_id.hex,
    }
    if metric.dataset_name:
        found["dataset_name"] = metric.dataset_name
    if metric.dataset_digest:
        found["dataset_digest"] = metric.dataset_digest
    return found
