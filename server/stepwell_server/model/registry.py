"""The values of the registry of models. Times in milliseconds since the epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

# Limits of names and values.
MODEL_NAME_CHARS_MAX = 500
DESCRIPTION_CHARS_MAX = 20_000
MODEL_TAG_VALUE_CHARS_MAX = 100_000  # MLflow's
ALIAS_CHARS_MAX = 255  # MLflow's
STAGE_CHARS_MAX = 64
CUSTOM_STAGES_MAX = 20
SOURCE_CHARS_MAX = 2_048
RUN_LINK_CHARS_MAX = 2_048
MODEL_ID_CHARS_MAX = 255
AUTHOR_CHARS_MAX = 256
COMMENT_CHARS_MAX = 2_000
VERSION_MAX = 2**31 - 1

# Of the tags of a model, or of a version: with one version for each of 24 stages, a model fits into a message of 8 MiB.
TAGS_BYTES_MAX = 256 * 1024

MODELS_PAGE_SIZE_DEFAULT = 100  # MLflow's
VERSIONS_PAGE_SIZE_DEFAULT = 1_000
CHANGES_DEFAULT = 100
CHANGES_MAX = 1_000
# That an import brings along with a registered model.
HISTORY_MAX = 10_000
# What the history keeps of the value of a tag.
CHANGE_VALUE_CHARS_MAX = 500

NO_STAGE, STAGING, PRODUCTION, ARCHIVED = "None", "Staging", "Production", "Archived"
STAGES = (NO_STAGE, STAGING, PRODUCTION, ARCHIVED)
# Of these it cannot be said that another version takes the place.
INACTIVE_STAGES = (NO_STAGE, ARCHIVED)
# Stands for the version with the greatest number where an alias may stand.
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and why, as they say."""

    user: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """All that is needed to create a version. `storage_uri` is where the files of `source` are.

    `files_of` is the run or logged model here whose files these are, at `files_path`; None: they are elsewhere.
    `number`, `creation_time_ms` and `user` are of imports; 0 is the next one, and now, "" is the author.
    """

    name: str
    source: str
    storage_uri: str = ""
    run_id: str = ""
    model_id: str = ""
    run_link: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    creation_time_ms: int = 0
    user: str = ""
    files_of: UUID | None = None
    files_path: str = ""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model; texts that nobody gave are empty. See registry.proto."""

    name: str
    version: int
    stage: str
    description: str
    source: str
    storage_uri: str
    run_id: str
    model_id: str
    run_link: str
    user: str
    creation_time_ms: int
    last_update_time_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A name with versions below it; `latest_versions` are one a stage, in order of its name."""

    name: str
    description: str
    creation_time_ms: int
    last_update_time_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    latest_versions: Sequence[ModelVersion] = ()
    custom_stages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What an update of a registered model sets: all that is not None, and the tags."""

    new_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    custom_stages: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class StageMove:
    """A version on its way to a stage, which is written as the model has it.

    `expected` is the version with the greatest number that the caller believes to be there, 0 for none; None is no
    condition.
    """

    name: str
    version: int
    stage: str
    archives_others: bool
    expected: int | None = None


class ChangeKind(Enum):
    """What happened. Before and after of each: registry.proto."""

    MODEL_CREATED = "model_created"
    MODEL_RENAMED = "model_renamed"
    MODEL_DELETED = "model_deleted"
    VERSION_CREATED = "version_created"
    VERSION_DELETED = "version_deleted"
    STAGE_CHANGED = "stage_changed"
    ALIAS_SET = "alias_set"
    ALIAS_REMOVED = "alias_removed"
    TAG_SET = "tag_set"
    TAG_REMOVED = "tag_removed"
    ALERT = "alert"  # of a run: for webhooks, and no part of the history


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """Something that changed; numbers count up over all models, with gaps, in the order of the commits."""

    number: int
    time_ms: int
    kind: ChangeKind
    name: str
    version: int
    key: str
    before: str
    after: str
    user: str
    comment: str
    imported: bool = False


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that is needed to create a registered model; `creation_time_ms` (0: now) and `history` are of imports."""

    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    custom_stages: Sequence[str] = ()
    creation_time_ms: int = 0
    history: Sequence[RegistryChange] = ()


@dataclass(frozen=True, slots=True)
class ChangesWanted:
    """Which changes: of one model ("" for all), one version (None for all), some kinds (none for all).

    From a position on in the order of the numbers, or back from it (0: from the latest one).
    """

    name: str
    version: int | None
    kinds: Sequence[ChangeKind]
    position: int
    oldest_first: bool
    limit: int
