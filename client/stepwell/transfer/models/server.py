"""Logged models as MLflow's server tells them."""

import urllib.parse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stepwell.entities import Metric
from stepwell.transfer.artifact_sources import ServerArtifacts
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.calls import MlflowCalls
from stepwell.transfer.mlflow.values import point, time_of
from stepwell.transfer.sources import ImportedModel, ModelOfRun

STATUSES = {"LOGGED_MODEL_READY": "READY", "LOGGED_MODEL_UPLOAD_FAILED": "FAILED"}


def model_of(
    calls: MlflowCalls, found: Mapping[str, Any], experiment: str, source_of: Callable[[str], str], left: Left
) -> ImportedModel:
    """Return a model. Raises what comes of an answer that is none of MLflow's."""
    info, data = found["info"], found.get("data", {})
    model_id = str(info["model_id"])
    run = str(info.get("source_run_id") or "")

    def tell(problem: str) -> None:
        left.add(f"logged model {model_id}: {problem}")

    def listed(request: Mapping[str, str]) -> Mapping[str, Any]:
        query = urllib.parse.urlencode(
            {"artifact_directory_path": request["path"]} if "path" in request else {}
        )
        return calls.ask(f"logged-models/{model_id}/artifacts/directories?{query}")

    return ImportedModel(
        source_id=model_id,
        experiment=experiment,
        name=str(info.get("name", "")),
        model_type=str(info.get("model_type", "")),
        source_run=source_of(run) if run else "",
        status=STATUSES.get(str(info.get("status")), "PENDING"),
        status_message=str(info.get("status_message", "")),
        created_ms=time_of("creation_timestamp_ms", info.get("creation_timestamp_ms"), tell) or 0,
        params=_pairs(data.get("params")),
        tags=_pairs(info.get("tags")),
        metrics=[_metric(one, run, source_of) for one in data.get("metrics", ())],
        outputs=[ModelOfRun(source_of(run), _step_of(calls, run, model_id))] if run else (),
        artifacts=ServerArtifacts(
            f"logged model {model_id}", listed, partial(calls.fetch_of_model, model_id), left
        ),
    )


def _step_of(calls: MlflowCalls, run_id: str, model_id: str) -> int:
    """Return at which step a run made a model; 0 when it does not say so."""
    run = calls.ask(f"runs/get?{urllib.parse.urlencode({'run_id': run_id})}").get("run", {})
    made = run.get("outputs", {}).get("model_outputs", ())
    return next((int(it.get("step", 0)) for it in made if it.get("model_id") == model_id), 0)


def _metric(found: Mapping[str, Any], run: str, source_of: Callable[[str], str]) -> Metric:
    key, step, time, value = point(
        str(found["key"]), found.get("step", 0), found["timestamp"], found["value"]
    )
    dataset, digest = str(found.get("dataset_name", "")), str(found.get("dataset_digest", ""))
    return Metric(key, value, time, step, source_of(str(found.get("run_id") or run)), None, dataset, digest)


def _pairs(found: Any) -> dict[str, str]:
    return {str(pair.get("key", "")): str(pair.get("value", "")) for pair in found or ()}
