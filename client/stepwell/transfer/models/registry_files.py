"""The registry in exports: registered models, their versions, and what changed of them."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stepwell.entities.model_registry import RegisteredModel, RegistryChange
from stepwell.errors import StepwellException
from stepwell.registry.calls import RegistryCalls
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.left import Left
from stepwell.transfer.sources import ImportedRegistered, ImportedVersion
from stepwell_api.v1 import registry_pb2 as pb

MODELS, VERSIONS, CHANGES = "registered_models", "model_versions", "registry_changes"
COLUMNS: Mapping[str, Mapping[str, type]] = {
    MODELS: {
        "name": str, "description": str, "creation_time": int, "last_update_time": int, "tags": str, "aliases": str,
        "custom_stages": str,
    },
    VERSIONS: {
        "name": str, "version": int, "stage": str, "description": str, "source": str, "files": str, "run_id": str,
        "model_id": str, "run_link": str, "user": str, "creation_time": int, "last_update_time": int, "tags": str,
    },
    CHANGES: {
        "name": str, "time": int, "kind": str, "name_then": str, "version": int, "key": str, "before": str,
        "after": str, "user": str, "comment": str,
    },
}  # fmt: skip
# Changes of one registered model that travel, the latest ones: as many as a server takes.
CHANGES_MAX = 10_000
# Runs that one search names.
RUNS_AT_ONCE = 100

Rows = list[tuple[Any, ...]]


def registry_rows(uri: str, run_ids: Sequence[str] | None, left: Left) -> dict[str, Rows]:
    """Return the rows of all files: of the registered models that have a version of some runs, or (None) of all.

    A registered model comes with all of its versions.
    """
    calls = RegistryCalls(uri)
    rows: dict[str, Rows] = {name: [] for name in COLUMNS}
    for model in _chosen(calls, run_ids):
        try:
            versions = [_version_row(it) for it in calls.all_versions(f"name = '{_quoted(model.name)}'")]
            changes = [_change_row(model.name, it) for it in _history(calls, model.name)]
        except StepwellException as failure:
            left.add(f"registered model {model.name!r}: {reason_of(failure)}")
            continue
        rows[MODELS].append(_model_row(model))
        rows[VERSIONS] += sorted(versions, key=lambda row: int(row[1]))
        rows[CHANGES] += changes
    return rows


def _chosen(calls: RegistryCalls, run_ids: Sequence[str] | None) -> Iterator[RegisteredModel]:
    if run_ids is None:
        yield from calls.all_models()
        return
    names: dict[str, None] = {}
    for start in range(0, len(run_ids), RUNS_AT_ONCE):
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + RUNS_AT_ONCE])
        names |= dict.fromkeys(it.name for it in calls.all_versions(f"run_id IN ({listed})"))
    yield from (calls.get_model(name) for name in sorted(names))


def _history(calls: RegistryCalls, name: str) -> Sequence[RegistryChange]:
    kept: deque[RegistryChange] = deque(maxlen=CHANGES_MAX)
    request = pb.ListChangesRequest(name=name, oldest_first=True, limit=1_000)
    while True:
        page, _ = calls.changes(request)
        kept.extend(page)
        if not page:
            return kept
        request.position = page[-1].number


def _model_row(model: RegisteredModel) -> tuple[Any, ...]:
    return (
        model.name,
        model.description,
        model.creation_timestamp,
        model.last_updated_timestamp,
        json.dumps(model.tags),
        json.dumps(model.aliases),
        json.dumps(model.custom_stages),
    )


def _version_row(it: pb.ModelVersion) -> tuple[Any, ...]:
    tags = json.dumps({tag.key: tag.value for tag in it.tags})
    texts = (
        it.stage,
        it.description,
        it.source,
        it.storage_uri,
        it.run_id,
        it.model_id,
        it.run_link,
        it.user,
    )
    return (it.name, it.version, *texts, it.creation_time_ms, it.last_update_time_ms, tags)


def _change_row(name: str, it: RegistryChange) -> tuple[Any, ...]:
    what = (it.kind, it.name, it.version or 0, it.key, it.before, it.after)
    return (name, it.timestamp, *what, it.user, it.comment)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def registered_of(
    rows: Callable[..., Sequence[Mapping[str, Any]]],
    tell: Callable[[str], None],
    damaged: tuple[type[Exception], ...],
) -> Iterator[ImportedRegistered]:
    """Yield the registered models of an export; `rows` gives those of a file. What is `damaged` is told, and left."""
    versions, changes = (_by_name(rows(name, *COLUMNS[name])) for name in (VERSIONS, CHANGES))
    for row in rows(MODELS, *COLUMNS[MODELS]):
        name = str(row["name"])
        try:
            yield ImportedRegistered(
                name=name,
                description=str(row["description"]),
                tags=_texts(row["tags"]),
                aliases={str(alias): int(number) for alias, number in json.loads(row["aliases"]).items()},
                versions=list(map(_version, versions.get(name, ()))),
                custom_stages=[str(stage) for stage in json.loads(row["custom_stages"])],
                created_ms=int(row["creation_time"]),
                history=list(map(_change, changes.get(name, ()))),
            )
        except damaged as failure:
            tell(f"registered model {name[:60]!r}: {failure}")


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row["name"]), []).append(row)
    return found


def _version(row: Mapping[str, Any]) -> ImportedVersion:
    return ImportedVersion(
        version=int(row["version"]),
        source=str(row["files"]),
        run=str(row["run_id"]),
        stage=str(row["stage"]),
        description=str(row["description"]),
        run_link=str(row["run_link"]),
        created_ms=int(row["creation_time"]),
        tags=_texts(row["tags"]),
        user=str(row["user"]),
    )


def _change(row: Mapping[str, Any]) -> RegistryChange:
    return RegistryChange(
        number=0,
        timestamp=int(row["time"]),
        kind=str(row["kind"]),
        name=str(row["name_then"]),
        version=int(row["version"]),
        key=str(row["key"]),
        before=str(row["before"]),
        after=str(row["after"]),
        user=str(row["user"]),
        comment=str(row["comment"]),
    )


def _texts(text: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in json.loads(text).items()}
