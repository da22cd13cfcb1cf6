"""Registered models: names, stages of their own, aliases, and what changed."""

from collections.abc import Sequence
from dataclasses import replace

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.registry import (
    CHANGES_DEFAULT,
    CHANGES_MAX,
    MODELS_PAGE_SIZE_DEFAULT,
    Author,
    ChangesWanted,
    ModelChange,
    ModelSpec,
    RegisteredModel,
    RegistryChange,
)
from stepwell_server.search.expressions import Field, FieldKind, OrderKey, ValueType
from stepwell_server.search.subjects import REGISTERED_MODELS
from stepwell_server.services.registry import names
from stepwell_server.services.registry.pages import Paging, model_bytes
from stepwell_server.services.search import pointing_at_patterns
from stepwell_server.services.validation import check_key, check_time
from stepwell_server.store.ports.registry import RegisteredModelStore

# What decides among equals, and is the whole order when none is asked for.
_BY_NAME = OrderKey(Field(FieldKind.ATTRIBUTE, "name", ValueType.TEXT))


class RegisteredModelService:
    """Raises what `ports.RegisteredModelStore` raises, and InvalidArgumentError."""

    def __init__(self, store: RegisteredModelStore) -> None:
        self._store = store

    async def create(self, spec: ModelSpec, author: Author) -> RegisteredModel:
        """Create a registered model."""
        names.check_model_name(spec.name)
        names.check_description(spec.description)
        names.check_model_tags(spec.tags)
        names.check_custom_stages(spec.custom_stages)
        names.check_author(author)
        check_time("the creation time", spec.creation_time_ms)
        names.check_history(spec.history)
        return await self._store.create_model(spec, author)

    async def get(self, name: str) -> RegisteredModel:
        """Return a registered model with the latest version of each stage."""
        names.check_model_name(name)
        return await self._store.get_model(name)

    async def update(self, name: str, change: ModelChange, author: Author) -> RegisteredModel:
        """Change what is set."""
        names.check_model_name(name)
        if change.new_name is not None:
            names.check_model_name(change.new_name)
        if change.description is not None:
            names.check_description(change.description)
        names.check_model_tags(change.tags)
        names.check_custom_stages(change.custom_stages or ())
        names.check_author(author)
        return await self._store.update_model(name, change, author)

    async def delete_tag(self, name: str, key: str, author: Author) -> None:
        """Remove a tag; none is no error."""
        names.check_model_name(name)
        check_key("tag", key)
        names.check_author(author)
        await self._store.delete_model_tag(name, key, author)

    async def delete(self, name: str, author: Author) -> None:
        """Delete a registered model with all its versions."""
        names.check_model_name(name)
        names.check_author(author)
        await self._store.delete_model(name, author)

    async def search(
        self,
        filter_: str,
        order_by: Sequence[str],
        page_size: int,
        page_token: str,
        within: Within = EVERYWHERE,
    ) -> tuple[Sequence[RegisteredModel], str]:
        """Return a page of registered models and the token of the next one, empty after the last."""
        paging = Paging(REGISTERED_MODELS, filter_, order_by)
        search = await paging.search(page_size, MODELS_PAGE_SIZE_DEFAULT, page_token, within, _BY_NAME)
        with pointing_at_patterns(filter_):
            found = await self._store.search_models(search)
        return paging.page(found, model_bytes)

    async def set_alias(
        self, name: str, alias: str, version: int, expected: int | None, author: Author
    ) -> None:
        """Let an alias stand for a version; with `expected`, only if it stands for that one now (0: for none)."""
        names.check_model_name(name)
        names.check_alias(alias)
        names.check_version(version)
        names.check_author(author)
        await self._store.set_alias(name, alias, version, expected, author)

    async def delete_alias(self, name: str, alias: str, author: Author) -> None:
        """Remove an alias; none is no error."""
        names.check_model_name(name)
        names.check_alias(alias)
        names.check_author(author)
        await self._store.delete_alias(name, alias, author)

    async def changes(
        self, wanted: ChangesWanted, within: Within = EVERYWHERE
    ) -> tuple[Sequence[RegistryChange], int]:
        """Return changes and the number of the latest one of all."""
        if wanted.name:
            names.check_model_name(wanted.name)
        if not 0 <= wanted.limit <= CHANGES_MAX:
            raise InvalidArgumentError(
                f"the limit is {wanted.limit}; it has to be from 1 to {CHANGES_MAX:,}, or 0"
            )
        if wanted.position < 0:
            raise InvalidArgumentError(
                f"the position is {wanted.position}; it is the number of a change, or 0"
            )
        return await self._store.changes(replace(wanted, limit=wanted.limit or CHANGES_DEFAULT), within)
