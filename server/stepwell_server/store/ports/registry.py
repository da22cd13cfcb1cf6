"""What the services ask of the store of the registry.

All methods that take a name raise `NotFoundError` when there is no such registered model or version, and all raise
`UnavailableError` when the database cannot be reached. Every change is one transaction together with what the history
says of it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.registry import (
    Author,
    ChangeKind,
    ChangesWanted,
    ModelChange,
    ModelSpec,
    ModelVersion,
    RegisteredModel,
    RegistryChange,
    StageMove,
    VersionSpec,
)
from stepwell_server.model.webhooks import Delivery, Webhook, WebhookChange
from stepwell_server.search.queries import RegistrySearch, RowPosition


class RegisteredModelStore(Protocol):
    """Registered models and their aliases."""

    async def create_model(self, spec: ModelSpec, author: Author) -> RegisteredModel:
        """Create a registered model. Raises AlreadyExistsError."""
        ...

    async def get_model(self, name: str) -> RegisteredModel:
        """Return a registered model."""
        ...

    async def custom_stages(self, name: str) -> Sequence[str]:
        """Return the stages that a model has beside those that all have."""
        ...

    async def update_model(self, name: str, change: ModelChange, author: Author) -> RegisteredModel:
        """Change what is set.

        Raises:
            AlreadyExistsError: another model has the new name.
            InvalidStateError: versions are in a stage that is to go.
        """
        ...

    async def delete_model_tag(self, name: str, key: str, author: Author) -> None:
        """Remove a tag; none is no error."""
        ...

    async def delete_model(self, name: str, author: Author) -> None:
        """Delete a registered model with all its versions."""
        ...

    async def search_models(self, search: RegistrySearch) -> Sequence[tuple[RegisteredModel, RowPosition]]:
        """Return a page of registered models. Raises BadPatternError."""
        ...

    async def set_alias(
        self, name: str, alias: str, version: int, expected: int | None, author: Author
    ) -> None:
        """Let an alias stand for a version. Raises InvalidStateError when it does not stand for what was expected."""
        ...

    async def delete_alias(self, name: str, alias: str, author: Author) -> None:
        """Remove an alias; none is no error."""
        ...

    async def changes(
        self, wanted: ChangesWanted, within: Within = EVERYWHERE
    ) -> tuple[Sequence[RegistryChange], int]:
        """Return changes, also of a model that is deleted, and the number of the latest change of all."""
        ...


class ModelVersionStore(Protocol):
    """Versions of registered models."""

    async def create_version(self, spec: VersionSpec, author: Author) -> ModelVersion:
        """Create the next version; two calls at once get two numbers.

        From then on its files stay: their logged model cannot be deleted, and they cannot be removed from their run.

        Raises:
            AlreadyExistsError: the number was given before.
            InvalidStateError: the run or logged model that has the files is deleted, or about to be removed.
        """
        ...

    async def get_version(self, name: str, version: int) -> ModelVersion:
        """Return a version."""
        ...

    async def latest_version(self, name: str) -> ModelVersion:
        """Return the version with the greatest number."""
        ...

    async def version_by_alias(self, name: str, alias: str) -> ModelVersion | None:
        """Return what an alias stands for; None when there is no such alias."""
        ...

    async def latest_versions(self, name: str, stages: Sequence[str] | None) -> Sequence[ModelVersion]:
        """Return the version with the greatest number of each stage (None: of all stages that the model has)."""
        ...

    async def update_version(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str], author: Author
    ) -> ModelVersion:
        """Set a description, if one is given, and tags over what is there."""
        ...

    async def delete_version_tag(self, name: str, version: int, key: str, author: Author) -> None:
        """Remove a tag; none is no error."""
        ...

    async def delete_version(self, name: str, version: int, author: Author) -> None:
        """Delete a version with its tags and the aliases that stand for it."""
        ...

    async def move(self, move: StageMove, author: Author) -> ModelVersion:
        """Move a version to a stage, and the others that are there to Archived, if they are to go.

        Raises:
            InvalidStateError: another version is in the stage than was expected, or the model has no such stage now.
        """
        ...

    async def search_versions(self, search: RegistrySearch) -> Sequence[tuple[ModelVersion, RowPosition]]:
        """Return a page of versions. Raises BadPatternError."""
        ...


class WebhookStore(Protocol):
    """Webhooks. Those that take an id raise `NotFoundError` when there is none of it."""

    async def create(
        self, name: str, url: str, secret: str, kinds: Sequence[ChangeKind], model_name: str
    ) -> Webhook:
        """Create a webhook for what changes from now on. Raises InvalidStateError: there are too many."""
        ...

    async def list(self) -> Sequence[Webhook]:
        """Return all, oldest first."""
        ...

    async def get(self, webhook_id: UUID) -> Webhook:
        """Return one."""
        ...

    async def update(self, webhook_id: UUID, change: WebhookChange) -> Webhook:
        """Change what is set; attempts in vain are forgotten."""
        ...

    async def delete(self, webhook_id: UUID) -> None:
        """Delete one."""
        ...

    async def claim(self, claim_ms: int) -> Delivery | None:
        """Return a change that is due at a webhook, which nobody else tries for so long; None if there is none."""
        ...

    async def settle(self, delivery: Delivery, *, delivered: bool, error: str) -> None:
        """Note that a change was delivered, or is given up; the next one is due at once."""
        ...

    async def postpone(self, delivery: Delivery, pause_ms: int, error: str) -> None:
        """Note an attempt in vain; the next one is due after a pause."""
        ...
