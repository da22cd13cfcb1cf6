"""Runs, without what they log."""

import hashlib
import json
from collections.abc import Mapping
from uuid import UUID, uuid4, uuid5

from starlette.responses import Response

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.logged_models import MODEL_HISTORY_TAG, LoggedModelSpec
from stepwell_server.model.runs import (
    RUN_TAG_VALUE_CHARS_MAX,
    Dataset,
    DatasetInput,
    RunSpec,
)
from stepwell_server.services.calls import CallService, Logged
from stepwell_server.services.content.paths import is_plain_folder
from stepwell_server.services.logged_models import LoggedModelService
from stepwell_server.services.runs import RunService
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.entities import (
    STATUSES,
    parse_experiment_id,
    parse_run_id,
    required_experiment_id,
    run_info_json,
    run_json,
    summary_json,
)
from stepwell_server.web.mlflow.logged_models.entities import parse_model_id
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.search import ANSWER_COPIES

_MODEL_FIELDS = ("run_id", "artifact_path", "utc_time_created", "flavors")


class Runs:
    """Answers `runs/…`, but for searches and what is logged."""

    def __init__(self, runs: RunService, calls: CallService, models: LoggedModelService) -> None:
        self._runs = runs
        self._calls = calls
        self._models = models

    async def create(self, message: Message) -> Response:
        """Create a run; with a key for the call, once, however often it comes."""
        experiment_id = required_experiment_id(message)
        spec = RunSpec(
            run_id=_new_run_id(experiment_id, message.idempotency_key),
            experiment_id=experiment_id,
            name=message.text("run_name") or "",
            start_time_ms=message.integer("start_time") or 0,
            user=message.text("user_id") or "",
            tags=dict(message.pairs("tags")),
        )
        run, _ = await self._runs.create(spec)
        return answer({"run": run_json(run)})

    async def get(self, message: Message) -> Response:
        """Return a run."""
        room = message.room
        run = await self._runs.whole(run_id_of(message), lambda size: room.grow_to(ANSWER_COPIES * size))
        return answer({"run": run_json(run)})

    async def update(self, message: Message) -> Response:
        """Change status, end time and name; an empty name is none."""
        info = await self._runs.update(
            run_id_of(message),
            message.choice("status", STATUSES),
            message.integer("end_time"),
            message.text("run_name") or None,
        )
        return answer({"run_info": run_info_json(info)})

    async def delete(self, message: Message) -> Response:
        """Delete a run."""
        await self._runs.delete(run_id_of(message))
        return answer({})

    async def restore(self, message: Message) -> Response:
        """Restore a run."""
        await self._runs.restore(run_id_of(message))
        return answer({})

    async def search_datasets(self, message: Message) -> Response:
        """Return which data sets the runs of experiments used."""
        ids = [parse_experiment_id(text) for text in message.texts("experiment_ids")]
        return answer({"dataset_summaries": list(map(summary_json, await self._runs.datasets_of(ids)))})

    async def delete_tag(self, message: Message) -> Response:
        """Remove a tag."""
        await self._runs.delete_tag(run_id_of(message), message.required_text("key"))
        return answer({})

    async def log_inputs(self, message: Message) -> Response:
        """Note data sets and models that a run used."""
        inputs = [_input_of(it) for it in message.messages("datasets")]
        models = [parse_model_id(it.required_text("model_id")) for it in message.messages("models")]
        await self._runs.log_inputs(run_id_of(message), inputs)
        if models:
            await self._models.link(run_id_of(message), [], models)
        return answer({})

    async def log_model(self, message: Message) -> Response:
        """Note a model that MLflow 2 logged; where the tag is full, the oldest ones go.

        Its files, which are in the run, become those of a logged model, too.
        """
        run_id = run_id_of(message)
        model = _model_of(message.required_text("model_json"))
        run = await self._runs.get(run_id)
        models = [*_models_in(run.tags.get(MODEL_HISTORY_TAG, "[]")), model]
        while len(json.dumps(models)) > RUN_TAG_VALUE_CHARS_MAX and len(models) > 1:
            del models[0]
        await self._calls.log(run_id, Logged(tags={MODEL_HISTORY_TAG: json.dumps(models)}))
        folder = str(model["artifact_path"])
        if is_plain_folder(folder):
            spec = LoggedModelSpec(
                _model_id_of(run_id, model), name=folder, source_run_id=run_id, params=run.params
            )
            await self._models.adopt(spec, folder, step=0)
        return answer({})


def run_id_of(message: Message) -> UUID:
    """Return the run that a request is about; old clients say `run_uuid`."""
    return parse_run_id(message.required_text("run_id", "run_uuid"))


def _new_run_id(experiment_id: int, key: str) -> UUID:
    if not key:
        return uuid4()
    digest = hashlib.blake2b(repr((experiment_id, key)).encode("utf-8", "surrogatepass"), digest_size=16)
    return UUID(bytes=digest.digest())


def _input_of(message: Message) -> DatasetInput:
    dataset = message.message("dataset")
    return DatasetInput(
        Dataset(
            name=dataset.required_text("name"),
            digest=dataset.required_text("digest"),
            source_type=dataset.text("source_type") or "",
            source=dataset.text("source") or "",
            schema=dataset.text("schema") or "",
            profile=dataset.text("profile") or "",
        ),
        dict(message.pairs("tags")),
    )


def _model_of(text: str) -> dict[str, object]:
    try:
        model = json.loads(text)
        missing = [name for name in _MODEL_FIELDS if name not in model]
    except (ValueError, TypeError, RecursionError):
        raise InvalidArgumentError("model_json has to be the JSON object of a model") from None
    if missing or not isinstance(model, dict):
        raise InvalidArgumentError(f"model_json lacks {', '.join(missing) or 'everything'}")
    return model


def _model_id_of(run_id: UUID, model: Mapping[str, object]) -> UUID:
    """Return an id for a model of MLflow 2, the same for the same model: its own, if it has one."""
    try:
        return UUID(hex=str(model.get("model_uuid")))
    except ValueError:
        return uuid5(run_id, json.dumps(model, sort_keys=True))


def _models_in(text: str) -> list[object]:
    try:
        models = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return models if isinstance(models, list) else []
