"""Logged models: created, read, changed, found, linked to runs."""

from uuid import UUID, uuid4

from starlette.responses import Response

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.logged_models import (
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    DatasetName,
    LoggedModelSpec,
    ModelOutput,
)
from stepwell_server.services.logged_models import LoggedModelOrder, LoggedModelService, LoggedModelsWanted
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.entities import parse_experiment_id, parse_run_id, required_experiment_id
from stepwell_server.web.mlflow.logged_models.entities import STATUSES, model_json, parse_model_id
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.runs import run_id_of
from stepwell_server.web.mlflow.search import gathered


class LoggedModels:
    """Answers `logged-models…` and `runs/outputs`; `model_id` is that of the path."""

    def __init__(self, models: LoggedModelService) -> None:
        self._models = models

    async def create(self, message: Message) -> Response:
        """Create a model, PENDING."""
        spec = LoggedModelSpec(
            model_id=uuid4(),
            experiment_id=required_experiment_id(message),
            name=message.text("name") or "",
            model_type=message.text("model_type") or "",
            source_run_id=_source_run(message.text("source_run_id") or ""),
            params=_params(message),
            tags=dict(_pairs(message, "tags")),
        )
        model, _ = await self._models.create(spec)
        return answer({"model": model_json(model)})

    async def get(self, message: Message, model_id: str) -> Response:
        """Return a model."""
        return answer({"model": model_json(await self._models.get(parse_model_id(model_id)))})

    async def finalize(self, message: Message, model_id: str) -> Response:
        """Say that a model is complete, or never will be."""
        status = message.choice("status", STATUSES)
        if status is None:
            raise message.missing("status")
        return answer({"model": model_json(await self._models.finalize(parse_model_id(model_id), status))})

    async def log_params(self, message: Message, model_id: str) -> Response:
        """Add params."""
        await self._models.log_params(parse_model_id(model_id), _params(message))
        return answer({})

    async def set_tags(self, message: Message, model_id: str) -> Response:
        """Set tags."""
        await self._models.set_tags(parse_model_id(model_id), dict(_pairs(message, "tags")))
        return answer({})

    async def delete_tag(self, message: Message, model_id: str, key: str) -> Response:
        """Remove a tag."""
        await self._models.delete_tag(parse_model_id(model_id), key)
        return answer({})

    async def delete(self, message: Message, model_id: str) -> Response:
        """Delete a model."""
        await self._models.delete(parse_model_id(model_id))
        return answer({})

    async def search(self, message: Message) -> Response:
        """Return a page of models."""
        if message.find("experiment_ids") is None:
            raise message.missing("experiment_ids")
        ids = [parse_experiment_id(text) for text in message.texts("experiment_ids")]
        datasets = [_dataset(it) for it in message.messages("datasets")]
        order = [_order(it) for it in message.messages("order_by")]
        filter_ = message.text("filter") or ""
        wanted = message.integer("max_results") or PAGE_SIZE_DEFAULT
        if not 1 <= wanted <= PAGE_SIZE_MAX:
            raise message.refused("max_results", wanted, f"it has to be from 1 to {PAGE_SIZE_MAX}")
        models, token = await gathered(
            message,
            lambda size, token: self._models.search(
                LoggedModelsWanted(ids, filter_, datasets, order, size, token)
            ),
            model_json,
            wanted,
        )
        return answer({"models": models, "next_page_token": token})

    async def log_outputs(self, message: Message) -> Response:
        """Note models that a run made."""
        outputs = [
            ModelOutput(parse_model_id(it.required_text("model_id")), it.integer("step") or 0)
            for it in message.messages("models")
        ]
        await self._models.link(run_id_of(message), outputs, [])
        return answer({})


def _source_run(text: str) -> UUID | None:
    """Return the run that made a model; one that does not exist, or never can, is none that shows its files."""
    try:
        return parse_run_id(text) if text else None
    except NotFoundError:
        raise InvalidArgumentError(
            f"Invalid source_run_id {text[:60]!r}: a run has 32 hexadecimal digits"
        ) from None


def _params(message: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in _pairs(message, "params"):
        if found.setdefault(key, value) != value:
            raise InvalidArgumentError(f"param {key[:60]!r} is given twice, with two values; give one")
    return found


def _pairs(message: Message, name: str) -> list[tuple[str, str]]:
    """Return params or tags of a model, whose keys may be anything, also empty."""
    return [(it.text("key") or "", it.text("value") or "") for it in message.messages(name)]


def _order(message: Message) -> LoggedModelOrder:
    ascending = message.find("ascending")
    dataset = _dataset(message) if message.text("dataset_name") else None
    return LoggedModelOrder(message.required_text("field_name"), ascending is False, dataset)


def _dataset(message: Message) -> DatasetName:
    return DatasetName(message.required_text("dataset_name"), message.text("dataset_digest") or "")
