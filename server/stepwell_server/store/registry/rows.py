"""Rows of the registry's tables and views as values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stepwell_server.model.registry import ChangeKind, ModelVersion, RegisteredModel, RegistryChange


def version_of(row: Any) -> ModelVersion:
    """Return the version of a row of the view `model_versions`."""
    return ModelVersion(
        name=row["name"],
        version=row["version"],
        stage=row["stage"],
        description=row["description"],
        source=row["source"],
        storage_uri=row["storage_uri"],
        run_id=row["run_id"],
        model_id=row["model_id"],
        run_link=row["run_link"],
        user=row["user_name"],
        creation_time_ms=row["creation_time_ms"],
        last_update_time_ms=row["last_update_time_ms"],
        tags=_by_key(row["tags"]),
        aliases=tuple(row["aliases"] or ()),
    )


def model_of(row: Any, latest_versions: Sequence[ModelVersion]) -> RegisteredModel:
    """Return the registered model of a row of the view `registered_models`."""
    return RegisteredModel(
        name=row["name"],
        description=row["description"],
        creation_time_ms=row["creation_time_ms"],
        last_update_time_ms=row["last_update_time_ms"],
        tags=_by_key(row["tags"]),
        aliases=_by_key(row["aliases"]),
        latest_versions=latest_versions,
        custom_stages=tuple(row["custom_stages"]),
    )


def change_of(row: Any) -> RegistryChange:
    """Return the entry of a row of the history."""
    return RegistryChange(
        number=row["change_number"],
        time_ms=row["time_ms"],
        kind=ChangeKind(row["kind"]),
        name=row["model_name"],
        version=row["version"],
        key=row["key"],
        before=row["value_before"],
        after=row["value_after"],
        user=row["user_name"],
        comment=row["comment"],
        imported=row["imported"],
    )


def _by_key(text: str | None) -> Mapping[str, Any]:
    """Return what PostgreSQL aggregated as an object of JSON, in key order."""
    return dict(sorted(json.loads(text).items())) if text else {}
