"""Registered models and versions in MLflow's JSON, and what requests say of them."""

import re
from typing import Any

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.registry import VERSION_MAX, ModelVersion, RegisteredModel
from stepwell_server.web.mlflow.entities import ARTIFACT_ROOT, pairs_json
from stepwell_server.web.mlflow.requests import Message

# What our own clients call the place of artifacts that go through this server, whatever lies behind it.
OUR_ARTIFACT_ROOT = "stepwell-artifacts:/"
READY = "READY"

_VERSION = re.compile(r"[0-9]{1,10}")


def parse_version(message: Message) -> int:
    """Return the number of a version, which is a text here. Raises InvalidArgumentError when it is none."""
    text = message.required_text("version")
    if not _VERSION.fullmatch(text) or not 0 < int(text) <= VERSION_MAX:
        raise InvalidArgumentError(
            f"Parameter 'version' must be an integer from 1 to {VERSION_MAX}, got '{text[:60]}'."
        )
    return int(text)


def our_uri(uri: str) -> str:
    """Return where a source lies, as all clients find it: MLflow's name for artifacts of this server becomes ours."""
    if uri.startswith(ARTIFACT_ROOT) and not uri.startswith(f"{ARTIFACT_ROOT}/"):
        return OUR_ARTIFACT_ROOT + uri.removeprefix(ARTIFACT_ROOT)
    return uri


def their_uri(uri: str) -> str:
    """Return a source as MLflow's clients find it."""
    if uri.startswith(OUR_ARTIFACT_ROOT):
        return ARTIFACT_ROOT + uri.removeprefix(OUR_ARTIFACT_ROOT)
    return uri


def version_json(version: ModelVersion) -> dict[str, Any]:
    """Return a version; texts that nobody gave are empty, not absent."""
    found: dict[str, Any] = {
        "name": version.name,
        "version": str(version.version),
        "creation_timestamp": version.creation_time_ms,
        "last_updated_timestamp": version.last_update_time_ms,
        "current_stage": version.stage,
        "description": version.description,
        "source": their_uri(version.source),
        "run_id": version.run_id,
        "status": READY,
        "run_link": version.run_link,
    }
    if version.user:
        found["user_id"] = version.user
    if version.model_id:
        found["model_id"] = version.model_id
    if version.tags:
        found["tags"] = pairs_json(version.tags)
    if version.aliases:
        found["aliases"] = list(version.aliases)
    return found


def model_json(model: RegisteredModel) -> dict[str, Any]:
    """Return a registered model."""
    found: dict[str, Any] = {
        "name": model.name,
        "creation_timestamp": model.creation_time_ms,
        "last_updated_timestamp": model.last_update_time_ms,
    }
    if model.description:
        found["description"] = model.description
    if model.latest_versions:
        # Aliases stand with the model here.
        found["latest_versions"] = [latest_json(version) for version in model.latest_versions]
    if model.tags:
        found["tags"] = pairs_json(model.tags)
    if model.aliases:
        found["aliases"] = [
            {"alias": alias, "version": str(version)} for alias, version in model.aliases.items()
        ]
    return found


def latest_json(version: ModelVersion) -> dict[str, Any]:
    """Return one of the latest versions: without its aliases."""
    return {name: value for name, value in version_json(version).items() if name != "aliases"}
