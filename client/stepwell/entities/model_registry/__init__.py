"""Registered models and their versions, with MLflow's attribute names. Times are milliseconds since the epoch."""

from dataclasses import dataclass, field

from stepwell.entities import Entity
from stepwell.entities.model_registry.model_version_status import READY, ModelVersionStatus

# What `from stepwell.entities.model_registry import *` gives, by MLflow's names, and what is beyond MLflow.
__all__ = [
    "ModelVersion",
    "ModelVersionStatus",
    "ModelVersionTag",
    "RegisteredModel",
    "RegisteredModelAlias",
    "RegisteredModelTag",
    "RegistryChange",
    "Webhook",
]


@dataclass
class ModelVersionTag(Entity):
    """A label of a version."""

    key: str
    value: str


@dataclass
class RegisteredModelTag(Entity):
    """A label of a registered model."""

    key: str
    value: str


@dataclass
class RegisteredModelAlias(Entity):
    """A name for a version that moves from one to another."""

    alias: str
    version: int


@dataclass
class ModelVersion(Entity):
    """One version of a registered model; what nobody gave is None, but for `description`, which is empty."""

    name: str
    version: int
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    description: str = ""
    user_id: str | None = None
    current_stage: str = "None"
    source: str | None = None
    run_id: str | None = None
    status: str = READY
    status_message: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    run_link: str | None = None
    aliases: list[str] = field(default_factory=list)
    model_id: str | None = None


@dataclass
class RegisteredModel(Entity):
    """A name with versions below it; `latest_versions` are one a stage, `aliases` say which version each stands for."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    description: str = ""
    latest_versions: list[ModelVersion] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    custom_stages: list[str] = field(default_factory=list)


@dataclass
class RegistryChange(Entity):
    """Something that changed: `kind` is a word such as "stage_changed", `before` and `after` are texts.

    `version` is None for what is about the model as a whole, `key` is the alias or the tag. `user` and `comment` are
    what somebody said. `imported` are changes that happened elsewhere, and came along with an import.
    """

    number: int
    timestamp: int
    kind: str
    name: str
    version: int | None
    key: str
    before: str
    after: str
    user: str
    comment: str
    imported: bool = False


@dataclass
class Webhook(Entity):
    """Where the server tells changes to; `events` are kinds of changes, none for all, `status` ACTIVE or DISABLED.

    `delivered` and `given_up` count changes, `failed_attempts` those of the change that is next.
    """

    webhook_id: str
    name: str
    url: str
    events: list[str]
    model_name: str | None
    status: str
    delivered: int
    given_up: int
    failed_attempts: int
    last_error: str
    creation_timestamp: int
