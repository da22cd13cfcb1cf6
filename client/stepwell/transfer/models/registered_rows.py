"""Registered models of MLflow, from the rows of its tables or the answers of its server."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stepwell.transfer.sources import ImportedRegistered, ImportedVersion

REGISTRY_TABLES = (
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
)
# What MLflow calls the stage of a version that it keeps although it is deleted.
DELETED_STAGE = "Deleted_Internal"

Rows = Sequence[Mapping[str, Any]]


def registered_of(tables: Mapping[str, Rows], tell: Callable[[str], None]) -> Iterator[ImportedRegistered]:
    """Yield the registered models of MLflow's tables, by names; columns may be missing."""
    for model in tables["registered_models"]:
        name = str(model.get("name") or "")
        versions = []
        for row in _of(tables["model_versions"], name):
            number = _number(row.get("version"))
            tags = [
                it for it in _of(tables["model_version_tags"], name) if _number(it.get("version")) == number
            ]
            if row.get("current_stage") == DELETED_STAGE:
                continue
            if number is None:
                tell(f"registered model {name!r}: {row.get('version')!r} is no number of a version")
                continue
            versions.append(
                _version(row, number, {str(it.get("key")): str(it.get("value") or "") for it in tags})
            )
        aliases = {
            str(it.get("alias")): _number(it.get("version"))
            for it in _of(tables["registered_model_aliases"], name)
        }
        yield ImportedRegistered(
            name=name,
            description=str(model.get("description") or ""),
            tags={
                str(it.get("key")): str(it.get("value") or "")
                for it in _of(tables["registered_model_tags"], name)
            },
            aliases={alias: number for alias, number in aliases.items() if number},
            versions=versions,
        )


def registered_of_answers(
    models: Rows, versions: Rows, tell: Callable[[str], None]
) -> Iterator[ImportedRegistered]:
    """Yield the registered models that a server of MLflow answered with."""
    tables = {
        "registered_models": models,
        "registered_model_tags": _below(models, "tags"),
        "registered_model_aliases": _below(models, "aliases"),
        "model_versions": versions,
        "model_version_tags": _below(versions, "tags"),
    }
    yield from registered_of(tables, tell)


def _below(owners: Rows, key: str) -> Rows:
    """Return what stands in a list of each owner, with the owner's name, and version if it has one."""
    return [
        {"name": owner["name"], "version": owner.get("version"), **each}
        for owner in owners
        for each in owner.get(key) or ()
    ]


def _of(rows: Rows, name: str) -> Iterator[Mapping[str, Any]]:
    return (row for row in rows if row.get("name") == name)


def _version(row: Mapping[str, Any], number: int, tags: Mapping[str, str]) -> ImportedVersion:
    # MLflow 3 keeps apart what was said and where that is.
    source = str(row.get("storage_location") or row.get("source") or "")
    created = row.get("creation_timestamp", row.get("creation_time"))
    return ImportedVersion(
        version=number,
        source=source,
        run=str(row.get("run_id") or ""),
        stage=str(row.get("current_stage") or ""),
        description=str(row.get("description") or ""),
        run_link=str(row.get("run_link") or ""),
        created_ms=created if isinstance(created, int) else 0,
        tags=tags,
    )


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:10]) < 2**31 else None
