"""Experiments and runs in MLflow's JSON, and the ids and words of requests."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.logged_models import model_name
from stepwell_server.model.runs import (
    DatasetInput,
    DatasetSummary,
    Experiment,
    Run,
    RunInfo,
    RunStatus,
    ViewType,
)
from stepwell_server.web.mlflow.answers import number
from stepwell_server.web.mlflow.requests import Message

# Where REST clients find artifacts, wherever they lie: they go through this server (web/mlflow/artifacts.py).
ARTIFACT_ROOT = "mlflow-artifacts:/"

VIEWS = {"ACTIVE_ONLY": ViewType.ACTIVE_ONLY, "DELETED_ONLY": ViewType.DELETED_ONLY, "ALL": ViewType.ALL}
STATUSES = {status.name: status for status in RunStatus}

_RUN_ID = re.compile(r"[0-9a-fA-F]{32}")
_EXPERIMENT_ID = re.compile(r"-?[0-9]{1,80}")
_INT64_MAX = 2**63 - 1


def parse_run_id(text: str) -> UUID:
    """Return the id of a run. Raises NotFoundError for what no run can have."""
    if not _RUN_ID.fullmatch(text):
        raise NotFoundError(f"Run with id={text[:60]} not found")
    return UUID(hex=text)


def parse_experiment_id(text: str) -> int:
    """Return the id of an experiment. Raises InvalidArgumentError when it is no number."""
    if not _EXPERIMENT_ID.fullmatch(text):
        raise InvalidArgumentError(
            f"Invalid experiment ID {text[:60]!r}. Experiment ID must be a valid integer"
        )
    # Those of others than PostgreSQL are where there never is one.
    return max(-1, min(int(text), _INT64_MAX))


def required_experiment_id(message: Message) -> int:
    """Return the id of the experiment that a message is about.

    Raises:
        InvalidArgumentError: there is none, or it is no number.
        NotFoundError: no experiment can have it.
    """
    text = message.required_text("experiment_id")
    found = parse_experiment_id(text)
    if found != int(text):
        raise NotFoundError(f"there is no experiment with id {text[:60]}")
    return found


def experiment_json(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment."""
    found: dict[str, Any] = {
        "experiment_id": str(experiment.experiment_id),
        "name": experiment.name,
        "artifact_location": f"{ARTIFACT_ROOT}{experiment.experiment_id}",
        "lifecycle_stage": experiment.lifecycle_stage.value,
        "last_update_time": experiment.last_update_time_ms,
        "creation_time": experiment.creation_time_ms,
    }
    if experiment.tags:
        found["tags"] = pairs_json(experiment.tags)
    return found


def run_info_json(info: RunInfo) -> dict[str, Any]:
    """Return a run without what it logged."""
    run_id = info.run_id.hex
    found: dict[str, Any] = {
        "run_uuid": run_id,
        "experiment_id": str(info.experiment_id),
        "run_name": info.name,
        "user_id": info.user,
        "status": info.status.name,
        "start_time": info.start_time_ms,
    }
    if info.end_time_ms:  # MLflow's server does not show 0 either
        found["end_time"] = info.end_time_ms
    found["artifact_uri"] = f"{ARTIFACT_ROOT}{info.experiment_id}/{run_id}/artifacts"
    found["lifecycle_stage"] = info.lifecycle_stage.value
    found["run_id"] = run_id
    return found


def run_json(run: Run) -> dict[str, Any]:
    """Return a run."""
    data: dict[str, Any] = {}
    if run.metrics:
        data["metrics"] = [
            {"key": it.key, "value": number(it.value), "timestamp": it.timestamp_ms, "step": it.step}
            for it in run.metrics
        ]
    if run.params:
        data["params"] = pairs_json(run.params)
    if run.tags:
        data["tags"] = pairs_json(run.tags)
    inputs: dict[str, Any] = {"dataset_inputs": [input_json(it) for it in run.inputs]} if run.inputs else {}
    if run.models.inputs:
        inputs["model_inputs"] = [{"model_id": model_name(it)} for it in run.models.inputs]
    found = {"info": run_info_json(run.info), "data": data, "inputs": inputs}
    if run.models.outputs:
        made = [{"model_id": model_name(it.model_id), "step": it.step} for it in run.models.outputs]
        found["outputs"] = {"model_outputs": made}
    return found


def input_json(used: DatasetInput) -> dict[str, Any]:
    """Return a data set that a run used."""
    dataset = used.dataset
    found = {
        "name": dataset.name,
        "digest": dataset.digest,
        "source_type": dataset.source_type,
        "source": dataset.source,
    }
    if dataset.schema:
        found["schema"] = dataset.schema
    if dataset.profile:
        found["profile"] = dataset.profile
    tags = {"tags": pairs_json(used.tags)} if used.tags else {}
    return {**tags, "dataset": found}


def summary_json(summary: DatasetSummary) -> dict[str, Any]:
    """Return that an experiment has a data set."""
    found = {"experiment_id": str(summary.experiment_id), "name": summary.name, "digest": summary.digest}
    return found if summary.context is None else {**found, "context": summary.context}


def pairs_json(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    """Return params or tags."""
    return [{"key": key, "value": value} for key, value in pairs.items()]
