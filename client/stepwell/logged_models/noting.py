"""Models that are files of a run, noted as MLflow 2 does it: in a tag, and as a logged model of these files."""

import json
import uuid
from typing import Any

from stepwell.logged_models import specs
from stepwell.logged_models.calls import LoggedModelCalls

MODEL_HISTORY_TAG = "mlflow.log-model.history"


def note(client: Any, run_id: str, mlflow_model: Any) -> None:
    """Note a model that was logged to a run of the client's server."""
    run = client.get_run(run_id)
    noted = json.loads(run.data.tags.get(MODEL_HISTORY_TAG, "[]"))
    described = mlflow_model.get_tags_dict()
    client.set_tag(run_id, MODEL_HISTORY_TAG, json.dumps([*noted, described]))
    folder = str(described.get("artifact_path") or "")
    if not folder:
        return
    spec = specs.model_spec(
        model_id=_id_of(run_id, described),
        experiment_id=None,
        name=None,
        source_run_id=run_id,
        tags=None,
        params=run.data.params,
        model_type=None,
    )
    spec.name = folder
    LoggedModelCalls(client.tracking_uri).adopt(spec, folder)


def _id_of(run_id: str, described: dict[str, Any]) -> str:
    """Return an id for a model, the same for the same model: its own, if it has one."""
    try:
        own = uuid.UUID(hex=str(described.get("model_uuid")))
    except ValueError:
        own = uuid.uuid5(uuid.UUID(hex=run_id), json.dumps(described, sort_keys=True))
    return f"m-{own.hex}"
