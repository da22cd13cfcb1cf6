"""Versions of registered models."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stepwell_server.errors import AlreadyExistsError, InvalidStateError, NotFoundError
from stepwell_server.model.logged_models import TAG_VALUE_CHARS_MAX
from stepwell_server.model.registry import (
    ARCHIVED,
    STAGES,
    Author,
    ChangeKind,
    ModelVersion,
    StageMove,
    VersionSpec,
)
from stepwell_server.search.queries import RegistrySearch, RowPosition
from stepwell_server.store import sql
from stepwell_server.store.content.references import lock
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.registry.journal import Change, changing, no_such_model
from stepwell_server.store.registry.rows import version_of
from stepwell_server.store.registry.tags import set_tags
from stepwell_server.store.search.registry_query import VERSIONS, RegistryQuery
from stepwell_server.store.tracking.searches import searching

# A list of the versions that a logged model is, on that model; MLflow's name and form.
VERSIONS_TAG = "mlflow.modelVersions"

_LOGGED_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_QUERIES = sql.load("registry")


@dataclass(frozen=True, slots=True)
class _Open:
    """A version that a transaction changes; `row` is as it was before."""

    change: Change
    row: Any

    @property
    def version_id(self) -> int:
        number: int = self.row["version_id"]
        return number

    async def execute(self, query: str, *arguments: object) -> None:
        await self.change.connection.execute(_QUERIES[query], self.version_id, *arguments)

    async def shown(self) -> ModelVersion:
        return await _by_id(self.change.connection, self.version_id)


class PostgresModelVersionStore:
    """Implements `ports.ModelVersionStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_version(self, spec: VersionSpec, author: Author) -> ModelVersion:
        """See `ports.ModelVersionStore`."""
        async with changing(self._pool, spec.name, author, "take_number", spec.number) as change:
            number: int = change.model["last_version"]
            if spec.number not in (0, number):
                raise AlreadyExistsError(f"version {spec.number} of {spec.name!r} was given before")
            files_of = await _claim_files(change.connection, spec)
            version_id = await change.connection.fetchval(
                _QUERIES["create_version"],
                change.model_number,
                number,
                spec.description,
                spec.source,
                spec.storage_uri,
                spec.run_id,
                spec.model_id,
                spec.run_link,
                spec.user or author.user,
                change.time_ms,
                spec.creation_time_ms,
                files_of,
                spec.files_path if files_of is not None else "",
            )
            change.note(ChangeKind.VERSION_CREATED, number, after=spec.source)
            await set_tags(change, spec.tags, number, version_id)
            await _note_on_logged_model(change, spec, number)
            return await _by_id(change.connection, version_id)

    async def get_version(self, name: str, version: int) -> ModelVersion:
        """See `ports.ModelVersionStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["version"], name, version)
        if row is None:
            raise no_such_version(name, version)
        return version_of(row)

    async def latest_version(self, name: str) -> ModelVersion:
        """See `ports.ModelVersionStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["latest_version"], name)
            if row is None:
                await _model_number(connection, name)
                raise NotFoundError(f"Registered Model {name!r} has no versions yet")
        return version_of(row)

    async def version_by_alias(self, name: str, alias: str) -> ModelVersion | None:
        """See `ports.ModelVersionStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["version_by_alias"], name, alias)
            if row is None:
                await _model_number(connection, name)
        return row and version_of(row)

    async def latest_versions(self, name: str, stages: Sequence[str] | None) -> Sequence[ModelVersion]:
        """See `ports.ModelVersionStore`."""
        wanted = None if stages is None else list(stages)
        async with self._pool.connection() as connection:
            number = await _model_number(connection, name)
            rows = await connection.fetch(_QUERIES["latest"], [number], wanted)
        return [version_of(row) for row in rows]

    async def update_version(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str], author: Author
    ) -> ModelVersion:
        """See `ports.ModelVersionStore`."""
        async with self._changing(name, version, author) as it:
            if description is not None:
                await it.execute("set_version_description", description)
            await set_tags(it.change, tags, version, it.version_id)
            return await it.shown()

    async def delete_version_tag(self, name: str, version: int, key: str, author: Author) -> None:
        """See `ports.ModelVersionStore`."""
        async with self._changing(name, version, author) as it:
            query = _QUERIES["delete_version_tag"]
            before = await it.change.connection.fetchval(query, it.version_id, key)
            if before is not None:
                it.change.note(ChangeKind.TAG_REMOVED, version, key, before)

    async def delete_version(self, name: str, version: int, author: Author) -> None:
        """See `ports.ModelVersionStore`."""
        async with self._changing(name, version, author) as it:
            for row in await it.change.connection.fetch(_QUERIES["aliases_of"], it.version_id):
                it.change.note(ChangeKind.ALIAS_REMOVED, version, row["alias"], version)
            await it.execute("delete_version")
            it.change.note(ChangeKind.VERSION_DELETED, version, before=it.row["stage"])

    async def move(self, move: StageMove, author: Author) -> ModelVersion:
        """See `ports.ModelVersionStore`."""
        async with self._changing(move.name, move.version, author) as it:
            await _check_move(it.change, move)
            if move.archives_others:
                await _archive_others(it.change, move)
            if it.row["stage"] != move.stage:
                await it.execute("set_stage", move.stage)
                it.change.note(
                    ChangeKind.STAGE_CHANGED, move.version, before=it.row["stage"], after=move.stage
                )
            return await it.shown()

    async def search_versions(self, search: RegistrySearch) -> Sequence[tuple[ModelVersion, RowPosition]]:
        """See `ports.ModelVersionStore`."""
        query = RegistryQuery(search, VERSIONS)
        async with searching(self._pool, search.filter) as connection:
            rows = await connection.fetch(query.text, *query.parameters.values)
        return [(version_of(row), query.position(row)) for row in rows]

    @asynccontextmanager
    async def _changing(self, name: str, version: int, author: Author) -> AsyncIterator[_Open]:
        """Lend a transaction that has locked a model and noted that one of its versions changes."""
        async with changing(self._pool, name, author) as change:
            row = await change.connection.fetchrow(
                _QUERIES["touch_version"], change.model_number, version, change.time_ms
            )
            if row is None:
                raise no_such_version(name, version)
            yield _Open(change, row)


async def _claim_files(connection: Connection, spec: VersionSpec) -> UUID | None:
    """Make sure that the files of a new version stay; returns whose they are, None when they are elsewhere."""
    if spec.files_of is None:
        return None
    await lock(connection, spec.files_of)
    keeps = await connection.fetchval(_QUERIES["keeps_files"], spec.files_of)
    was_there = spec.run_id == spec.files_of.hex  # a moment ago: it was removed meanwhile
    if keeps is False or (keeps is None and was_there):
        raise InvalidStateError(
            f"the files of {spec.source!r} are deleted, or about to be removed; restore their model or run first"
        )
    return None if keeps is None else spec.files_of


async def _note_on_logged_model(change: Change, spec: VersionSpec, number: int) -> None:
    """Let the logged model say of which versions it is, as MLflow's pages show it."""
    if _LOGGED_MODEL_ID.fullmatch(spec.model_id):
        await change.connection.execute(
            _QUERIES["note_on_logged_model"],
            UUID(hex=spec.model_id[2:]),
            VERSIONS_TAG,
            json.dumps({"name": spec.name, "version": number}),
            TAG_VALUE_CHARS_MAX,
        )


async def _check_move(change: Change, move: StageMove) -> None:
    """Raise InvalidStateError where a move does not fit what is there now."""
    if move.stage not in (*STAGES, *change.model["custom_stages"]):
        raise InvalidStateError(f"{move.name!r} has no stage {move.stage} any more")
    if move.expected is None:
        return
    found: int = await change.connection.fetchval(_QUERIES["in_stage"], change.model_number, move.stage)
    if found != move.expected:
        raise InvalidStateError(
            f"{_shown(found)} is in {move.stage} of {move.name!r}, not {_shown(move.expected)} as expected: somebody"
            " was faster; look again (the history says who), and move then"
        )


async def _archive_others(change: Change, move: StageMove) -> None:
    rows = await change.connection.fetch(
        _QUERIES["archive_others"], change.model_number, move.stage, move.version, change.time_ms
    )
    for version in sorted(row["version"] for row in rows):
        change.note(ChangeKind.STAGE_CHANGED, version, before=move.stage, after=ARCHIVED)


async def _by_id(connection: Connection, version_id: int) -> ModelVersion:
    return version_of(await connection.fetchrow(_QUERIES["version_by_id"], version_id))


async def _model_number(connection: Connection, name: str) -> int:
    row = await connection.fetchrow(_QUERIES["custom_stages"], name)
    if row is None:
        raise no_such_model(name)
    number: int = row["model_number"]
    return number


def no_such_version(name: str, version: int) -> NotFoundError:
    """Return the error for a number that no version of a name has; there may be no such name."""
    return NotFoundError(f"Model Version (name={name}, version={version}) not found")


def _shown(version: int) -> str:
    return f"version {version}" if version else "no version"
