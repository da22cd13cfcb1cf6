"""Versions of registered models."""

from starlette.responses import Response

from stepwell_server.model.registry import StageMove, VersionSpec
from stepwell_server.services.registry.pages import PAGE_SIZE_MAX as SERVICE_PAGE_SIZE_MAX
from stepwell_server.services.registry.versions import ModelVersionService
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.registry.entities import (
    our_uri,
    parse_version,
    their_uri,
    version_json,
)
from stepwell_server.web.mlflow.registry.models import NOBODY
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.search import gathered, results_wanted

# MLflow's; ours would be less, and its clients ask for what MLflow takes.
PAGE_SIZE_DEFAULT = 10_000
PAGE_SIZE_MAX = 200_000


class ModelVersions:
    """Answers `model-versions/…`."""

    def __init__(self, versions: ModelVersionService) -> None:
        self._versions = versions

    async def create(self, message: Message) -> Response:
        """Create a version."""
        source = message.required_text("source")
        spec = VersionSpec(
            name=message.required_text("name"),
            source=source,
            storage_uri=our_uri(source),
            run_id=message.text("run_id") or "",
            model_id=message.text("model_id") or "",
            run_link=message.text("run_link") or "",
            description=message.text("description") or "",
            tags=dict(message.pairs("tags")),
        )
        return answer({"model_version": version_json(await self._versions.create(spec, NOBODY))})

    async def get(self, message: Message) -> Response:
        """Return a version."""
        found = await self._versions.get(message.required_text("name"), parse_version(message))
        return answer({"model_version": version_json(found)})

    async def download_uri(self, message: Message) -> Response:
        """Return where the files of a version are."""
        found = await self._versions.get(message.required_text("name"), parse_version(message))
        return answer({"artifact_uri": their_uri(found.storage_uri)})

    async def update(self, message: Message) -> Response:
        """Set the description; without one it is empty, as in MLflow."""
        name, version = message.required_text("name"), parse_version(message)
        description = message.text("description") or ""
        updated = await self._versions.update(name, version, description, {}, NOBODY)
        return answer({"model_version": version_json(updated)})

    async def transition(self, message: Message) -> Response:
        """Move a version to a stage."""
        archives_others = message.find("archive_existing_versions")
        if not isinstance(archives_others, bool | None):
            reason = "it has to be true or false"
            raise message.refused("archive_existing_versions", archives_others, reason)
        move = StageMove(
            message.required_text("name"),
            parse_version(message),
            message.required_text("stage"),
            bool(archives_others),
        )
        return answer({"model_version": version_json(await self._versions.move(move, NOBODY))})

    async def delete(self, message: Message) -> Response:
        """Delete a version."""
        await self._versions.delete(message.required_text("name"), parse_version(message), NOBODY)
        return answer({})

    async def search(self, message: Message) -> Response:
        """Return a page of versions."""
        filter_, order_by = message.text("filter") or "", message.texts("order_by")
        found, token = await gathered(
            message,
            lambda size, token: self._versions.search(
                filter_, order_by, min(size, SERVICE_PAGE_SIZE_MAX), token
            ),
            version_json,
            results_wanted(message, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX),
        )
        return answer({"model_versions": found, "next_page_token": token})

    async def set_tag(self, message: Message) -> Response:
        """Set a tag."""
        name, version = message.required_text("name"), parse_version(message)
        tags = {message.required_text("key"): message.text("value") or ""}
        await self._versions.update(name, version, None, tags, NOBODY)
        return answer({})

    async def delete_tag(self, message: Message) -> Response:
        """Remove a tag."""
        name, version = message.required_text("name"), parse_version(message)
        await self._versions.delete_tag(name, version, message.required_text("key"), NOBODY)
        return answer({})
