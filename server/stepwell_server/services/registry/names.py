"""What names and values of the registry may look like: MLflow's rules (mlflow/utils/validation.py), and limits."""

import re
from collections.abc import Mapping, Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.registry import (
    ALIAS_CHARS_MAX,
    AUTHOR_CHARS_MAX,
    COMMENT_CHARS_MAX,
    CUSTOM_STAGES_MAX,
    DESCRIPTION_CHARS_MAX,
    HISTORY_MAX,
    INACTIVE_STAGES,
    LATEST,
    MODEL_NAME_CHARS_MAX,
    MODEL_TAG_VALUE_CHARS_MAX,
    SOURCE_CHARS_MAX,
    STAGE_CHARS_MAX,
    STAGES,
    VERSION_MAX,
    Author,
    ChangeKind,
    RegistryChange,
)
from stepwell_server.services.validation import check_key, check_text, check_time, shown

# The key of a tag, or an alias.
HISTORY_KEY_CHARS_MAX = 1_000

_ALIAS = re.compile(r"[\w-]+")
_RESERVED_ALIAS = re.compile(rf"{LATEST}|v\d+", re.IGNORECASE)
_STAGE = re.compile(r"[\w .-]+")


def check_model_name(name: str) -> None:
    """Check the name of a registered model. Raises InvalidArgumentError: blank, too long, or with / or : in it."""
    if not name.strip():
        raise InvalidArgumentError("a registered model needs a name; it is blank")
    check_text("the name of a registered model", name, MODEL_NAME_CHARS_MAX)
    if "/" in name or ":" in name:
        raise InvalidArgumentError(
            f"Invalid model name: {shown(name)}. A registered model's name has no slashes (/) and colons (:), because"
            " models:/name/1 has them"
        )


def check_version(version: int) -> None:
    """Check the number of a version. Raises InvalidArgumentError when no version can have it."""
    if not 1 <= version <= VERSION_MAX:
        raise InvalidArgumentError(f"{version} is no version: versions are numbers from 1 on")


def check_description(description: str) -> None:
    """Check a description. Raises InvalidArgumentError when it cannot be stored."""
    check_text("the description", description, DESCRIPTION_CHARS_MAX)


def check_model_tags(tags: Mapping[str, str]) -> None:
    """Check tags of a registered model or a version. Raises InvalidArgumentError for the first that is wrong."""
    for key, value in tags.items():
        check_key("tag", key)
        check_text(f"the value of tag {shown(key)}", value, MODEL_TAG_VALUE_CHARS_MAX)


def check_alias(alias: str) -> None:
    """Check an alias. Raises InvalidArgumentError when it is none, or means something else already."""
    check_text("an alias", alias, ALIAS_CHARS_MAX)
    if not _ALIAS.fullmatch(alias):
        raise InvalidArgumentError(
            f"{shown(alias)} is no alias: an alias has letters, digits, underscores (_) and dashes (-)"
        )
    if _RESERVED_ALIAS.fullmatch(alias):
        raise InvalidArgumentError(
            f"the alias {shown(alias)} is reserved: 'latest', and v with a number, mean versions already"
        )


def check_author(author: Author) -> None:
    """Check who changes something and why. Raises InvalidArgumentError when it cannot be stored."""
    check_text("the user", author.user, AUTHOR_CHARS_MAX)
    check_text("the comment", author.comment, COMMENT_CHARS_MAX)


def check_history(history: Sequence[RegistryChange]) -> None:
    """Check what an import says that happened before. Raises InvalidArgumentError for the first that cannot be kept."""
    if len(history) > HISTORY_MAX:
        raise InvalidArgumentError(
            f"{len(history):,} changes are given, at most {HISTORY_MAX:,} come with a registered model; give the latest"
        )
    for change in history:
        if change.kind is ChangeKind.ALERT:
            raise InvalidArgumentError(
                "an alert is of a run, and no part of the history of a registered model"
            )
        check_time("the time of a change", change.time_ms)
        check_model_name(change.name)
        if not 0 <= change.version <= VERSION_MAX:
            raise InvalidArgumentError(f"{change.version} is no version, and not 0 for a change of the model")
        check_text("what a change is about", change.key, HISTORY_KEY_CHARS_MAX)
        for text in (change.before, change.after):
            check_text("what was before or after a change", text, SOURCE_CHARS_MAX)
        check_author(Author(change.user, change.comment))


def check_custom_stages(stages: Sequence[str]) -> None:
    """Check stages of a model's own. Raises InvalidArgumentError for the first that cannot be one."""
    if len(stages) > CUSTOM_STAGES_MAX:
        raise InvalidArgumentError(
            f"{len(stages)} stages are given, at most {CUSTOM_STAGES_MAX} are allowed beside {_listed(STAGES)}"
        )
    known = {stage.lower() for stage in STAGES}
    for stage in stages:
        check_text("the name of a stage", stage, STAGE_CHARS_MAX)
        if not _STAGE.fullmatch(stage) or stage != stage.strip():
            raise InvalidArgumentError(
                f"{shown(stage)} is no stage: a stage has letters, digits, spaces, underscores (_), dashes (-) and"
                " periods (.)"
            )
        # models:/name/<this> means something else.
        if stage.isdecimal() or stage.lower() == LATEST:
            raise InvalidArgumentError(f"{shown(stage)} cannot be a stage: it means a version already")
        if stage.lower() in known:
            raise InvalidArgumentError(f"the stage {shown(stage)} is there already")
        known.add(stage.lower())


def canonical_stage(stage: str, custom_stages: Sequence[str]) -> str:
    """Return a stage as it is written. Raises InvalidArgumentError, which names all that there are."""
    there = (*STAGES, *custom_stages)
    for known in there:
        if known.lower() == stage.lower():
            return known
    raise InvalidArgumentError(
        f"Invalid Model Version stage: {shown(stage)}. Value must be one of {_listed(there)}"
    )


def check_can_archive(stage: str) -> None:
    """Check that others of a stage may be archived. Raises InvalidArgumentError: it is no active stage."""
    if stage in INACTIVE_STAGES:
        raise InvalidArgumentError(
            f"existing versions are archived when a version goes to an active stage; '{stage}' is not an active stage"
        )


def _listed(stages: Sequence[str]) -> str:
    return ", ".join(stages)
