"""Registered models and their aliases."""

from starlette.responses import Response

from stepwell_server.model.registry import MODELS_PAGE_SIZE_DEFAULT, Author, ModelChange, ModelSpec
from stepwell_server.services.registry.models import RegisteredModelService
from stepwell_server.services.registry.versions import ModelVersionService
from stepwell_server.web.errors import error_response
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.registry.entities import (
    latest_json,
    model_json,
    parse_version,
    version_json,
)
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.search import gathered, results_wanted

PAGE_SIZE_MAX = 1_000  # MLflow's
PROMPT_TAG = "mlflow.prompt.is_prompt"

# MLflow's clients do not say who they are.
NOBODY = Author()


class RegisteredModels:
    """Answers `registered-models/…`."""

    def __init__(self, models: RegisteredModelService, versions: ModelVersionService) -> None:
        self._models = models
        self._versions = versions

    async def create(self, message: Message) -> Response:
        """Create a registered model; prompts of language models, which MLflow keeps beside them, are refused."""
        tags = dict(message.pairs("tags"))
        if tags.get(PROMPT_TAG) == "true":
            return error_response(
                "NOT_IMPLEMENTED", "Stepwell has no prompts; log them with the runs that use them"
            )
        spec = ModelSpec(message.required_text("name"), message.text("description") or "", tags)
        created = await self._models.create(spec, NOBODY)
        return answer({"registered_model": model_json(created)})

    async def get(self, message: Message) -> Response:
        """Return a registered model."""
        found = await self._models.get(message.required_text("name"))
        return answer({"registered_model": model_json(found)})

    async def update(self, message: Message) -> Response:
        """Set the description; without one it is empty, as in MLflow."""
        change = ModelChange(description=message.text("description") or "")
        updated = await self._models.update(message.required_text("name"), change, NOBODY)
        return answer({"registered_model": model_json(updated)})

    async def rename(self, message: Message) -> Response:
        """Rename a registered model."""
        change = ModelChange(new_name=message.required_text("new_name"))
        renamed = await self._models.update(message.required_text("name"), change, NOBODY)
        return answer({"registered_model": model_json(renamed)})

    async def delete(self, message: Message) -> Response:
        """Delete a registered model."""
        await self._models.delete(message.required_text("name"), NOBODY)
        return answer({})

    async def search(self, message: Message) -> Response:
        """Return a page of registered models."""
        filter_, order_by = message.text("filter") or "", message.texts("order_by")
        found, token = await gathered(
            message,
            lambda size, token: self._models.search(filter_, order_by, size, token),
            model_json,
            results_wanted(message, MODELS_PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX),
        )
        return answer({"registered_models": found, "next_page_token": token})

    async def latest_versions(self, message: Message) -> Response:
        """Return the latest version of each stage."""
        found = await self._versions.latest(message.required_text("name"), message.texts("stages"))
        return answer({"model_versions": list(map(latest_json, found))})

    async def set_tag(self, message: Message) -> Response:
        """Set a tag."""
        change = ModelChange(tags={message.required_text("key"): message.text("value") or ""})
        await self._models.update(message.required_text("name"), change, NOBODY)
        return answer({})

    async def delete_tag(self, message: Message) -> Response:
        """Remove a tag."""
        await self._models.delete_tag(message.required_text("name"), message.required_text("key"), NOBODY)
        return answer({})

    async def set_alias(self, message: Message) -> Response:
        """Let an alias stand for a version."""
        name, alias = message.required_text("name"), message.required_text("alias")
        await self._models.set_alias(name, alias, parse_version(message), None, NOBODY)
        return answer({})

    async def get_by_alias(self, message: Message) -> Response:
        """Return the version that an alias stands for."""
        name, alias = message.required_text("name"), message.required_text("alias")
        return answer({"model_version": version_json(await self._versions.get_by_alias(name, alias))})

    async def delete_alias(self, message: Message) -> Response:
        """Remove an alias."""
        name, alias = message.required_text("name"), message.required_text("alias")
        await self._models.delete_alias(name, alias, NOBODY)
        return answer({})
