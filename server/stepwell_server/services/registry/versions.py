"""Versions of registered models: creating, finding, and moving them from stage to stage."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.registry import (
    LATEST,
    STAGES,
    VERSIONS_PAGE_SIZE_DEFAULT,
    Author,
    ModelVersion,
    StageMove,
    VersionSpec,
)
from stepwell_server.search.subjects import MODEL_VERSIONS
from stepwell_server.services.registry import names
from stepwell_server.services.registry.pages import Paging, version_bytes
from stepwell_server.services.registry.sources import Sources, check_spec
from stepwell_server.services.search import pointing_at_patterns
from stepwell_server.services.validation import check_key, check_time, shown
from stepwell_server.store.ports.models import LoggedModelStore
from stepwell_server.store.ports.registry import ModelVersionStore, RegisteredModelStore
from stepwell_server.store.ports.tracking import RunStore


class ModelVersionService:
    """Raises what `ports.ModelVersionStore` raises, and InvalidArgumentError."""

    def __init__(
        self,
        store: ModelVersionStore,
        models: RegisteredModelStore,
        runs: RunStore,
        logged_models: LoggedModelStore,
    ) -> None:
        self._store = store
        self._models = models
        self._sources = Sources(runs, logged_models, self.find)

    async def create(self, spec: VersionSpec, author: Author) -> ModelVersion:
        """Create the next version of a registered model."""
        names.check_model_name(spec.name)
        names.check_description(spec.description)
        names.check_model_tags(spec.tags)
        names.check_author(author)
        if spec.number:
            names.check_version(spec.number)
        check_time("the creation time", spec.creation_time_ms)
        names.check_author(Author(spec.user))
        check_spec(spec)
        return await self._store.create_version(await self._sources.resolved(spec), author)

    async def get(self, name: str, version: int) -> ModelVersion:
        """Return a version."""
        names.check_model_name(name)
        names.check_version(version)
        return await self._store.get_version(name, version)

    async def get_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return what an alias stands for; "latest" is the version with the greatest number."""
        names.check_model_name(name)
        if alias.lower() == LATEST:
            return await self._store.latest_version(name)
        names.check_alias(alias)
        found = await self._store.version_by_alias(name, alias)
        if found is None:
            raise InvalidArgumentError(f"Registered model alias {shown(alias)} of {shown(name)} not found")
        return found

    async def latest(self, name: str, stages: Sequence[str]) -> Sequence[ModelVersion]:
        """Return the latest version of each stage, of all stages if none is named."""
        names.check_model_name(name)
        wanted = [await self._stage(name, stage) for stage in stages]
        return await self._store.latest_versions(name, wanted or None)

    async def find(self, name: str, which: str) -> ModelVersion:
        """Return the version that a URI names: by a number, "latest", a stage, or @ and an alias."""
        if which.startswith("@"):
            return await self.get_by_alias(name, which[1:])
        if which.isdecimal():
            return await self.get(name, int(which[:20]))
        if which.lower() == LATEST:
            return await self.get_by_alias(name, LATEST)
        found = await self.latest(name, [which])
        if not found:
            raise InvalidArgumentError(f"no version of {shown(name)} is in the stage {shown(which)}")
        return found[0]

    async def update(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str], author: Author
    ) -> ModelVersion:
        """Set a description, if one is given, and tags over what is there."""
        names.check_model_name(name)
        names.check_version(version)
        names.check_description(description or "")
        names.check_model_tags(tags)
        names.check_author(author)
        return await self._store.update_version(name, version, description, tags, author)

    async def delete_tag(self, name: str, version: int, key: str, author: Author) -> None:
        """Remove a tag; none is no error."""
        names.check_model_name(name)
        names.check_version(version)
        check_key("tag", key)
        names.check_author(author)
        await self._store.delete_version_tag(name, version, key, author)

    async def delete(self, name: str, version: int, author: Author) -> None:
        """Delete a version."""
        names.check_model_name(name)
        names.check_version(version)
        names.check_author(author)
        await self._store.delete_version(name, version, author)

    async def move(self, move: StageMove, author: Author) -> ModelVersion:
        """Move a version to a stage, written in any case, and archive others that are there, if asked to."""
        names.check_model_name(move.name)
        names.check_version(move.version)
        names.check_author(author)
        move = replace(move, stage=await self._stage(move.name, move.stage))
        if move.archives_others:
            names.check_can_archive(move.stage)
        return await self._store.move(move, author)

    async def search(
        self,
        filter_: str,
        order_by: Sequence[str],
        page_size: int,
        page_token: str,
        within: Within = EVERYWHERE,
    ) -> tuple[Sequence[ModelVersion], str]:
        """Return a page of versions and the token of the next one, empty after the last."""
        paging = Paging(MODEL_VERSIONS, filter_, order_by)
        search = await paging.search(page_size, VERSIONS_PAGE_SIZE_DEFAULT, page_token, within)
        with pointing_at_patterns(filter_):
            found = await self._store.search_versions(search)
        return paging.page(found, version_bytes)

    async def _stage(self, name: str, stage: str) -> str:
        """Return a stage of a model as it is written; only those that not every model has are asked for."""
        known = next((it for it in STAGES if it.lower() == stage.lower()), None)
        return known or names.canonical_stage(stage, await self._models.custom_stages(name))
