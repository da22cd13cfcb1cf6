"""Registered models, their aliases and their history."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from stepwell_server.errors import AlreadyExistsError, InvalidStateError
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
)
from stepwell_server.search.queries import RegistrySearch, RowPosition
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.registry.journal import Change, changing, no_such_model, write, write_imported
from stepwell_server.store.registry.rows import change_of, model_of, version_of
from stepwell_server.store.registry.tags import set_tags
from stepwell_server.store.registry.versions import no_such_version
from stepwell_server.store.search.registry_query import MODELS, RegistryQuery
from stepwell_server.store.tracking.searches import searching

_QUERIES = sql.load("registry")


class PostgresRegisteredModelStore:
    """Implements `ports.RegisteredModelStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_model(self, spec: ModelSpec, author: Author) -> RegisteredModel:
        """See `ports.RegisteredModelStore`."""
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(
                _QUERIES["create_model"],
                spec.name,
                spec.description,
                list(spec.custom_stages),
                spec.creation_time_ms,
            )
            if row is None:
                raise _taken(spec.name)
            change = Change(connection, row)
            change.note(ChangeKind.MODEL_CREATED)
            await set_tags(change, spec.tags)
            await write_imported(change, spec.history)
            await write(change, author)
            return await _model(connection, spec.name)

    async def get_model(self, name: str) -> RegisteredModel:
        """See `ports.RegisteredModelStore`."""
        async with self._pool.connection() as connection:
            return await _model(connection, name)

    async def custom_stages(self, name: str) -> Sequence[str]:
        """See `ports.RegisteredModelStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["custom_stages"], name)
        if row is None:
            raise no_such_model(name)
        stages: Sequence[str] = row["custom_stages"]
        return stages

    async def update_model(self, name: str, change: ModelChange, author: Author) -> RegisteredModel:
        """See `ports.RegisteredModelStore`."""
        async with changing(self._pool, name, author) as open_change:
            await set_tags(open_change, change.tags)
            if change.description is not None:
                await self._set(open_change, "set_description", change.description)
            if change.custom_stages is not None:
                await self._set_custom_stages(open_change, change.custom_stages)
            if change.new_name is not None and change.new_name != name:
                await self._rename(open_change, name, change.new_name)
            return await _model(open_change.connection, change.new_name or name)

    async def delete_model_tag(self, name: str, key: str, author: Author) -> None:
        """See `ports.RegisteredModelStore`."""
        async with changing(self._pool, name, author) as change:
            before = await change.connection.fetchval(_QUERIES["delete_model_tag"], change.model_number, key)
            if before is not None:
                change.note(ChangeKind.TAG_REMOVED, key=key, before=before)

    async def delete_model(self, name: str, author: Author) -> None:
        """See `ports.RegisteredModelStore`."""
        async with changing(self._pool, name, author) as change:
            await change.connection.execute(_QUERIES["delete_model"], change.model_number)
            change.note(ChangeKind.MODEL_DELETED)

    async def search_models(self, search: RegistrySearch) -> Sequence[tuple[RegisteredModel, RowPosition]]:
        """See `ports.RegisteredModelStore`."""
        query = RegistryQuery(search, MODELS)
        async with searching(self._pool, search.filter) as connection:
            rows = await connection.fetch(query.text, *query.parameters.values)
            latest = await _latest(connection, [row["model_number"] for row in rows])
        return [(model_of(row, latest.get(row["model_number"], ())), query.position(row)) for row in rows]

    async def set_alias(
        self, name: str, alias: str, version: int, expected: int | None, author: Author
    ) -> None:
        """See `ports.RegisteredModelStore`."""
        async with changing(self._pool, name, author) as change:
            row = await change.connection.fetchrow(
                _QUERIES["touch_version"], change.model_number, version, change.time_ms
            )
            if row is None:
                raise no_such_version(name, version)
            before = await change.connection.fetchval(_QUERIES["alias"], change.model_number, alias)
            if expected is not None and expected != (before or 0):
                raise InvalidStateError(
                    f"the alias {alias!r} of {name!r} stands for {_shown(before)}, not for {_shown(expected)} as"
                    " expected: somebody moved it; look again"
                )
            if before != version:
                await change.connection.execute(
                    _QUERIES["set_alias"], change.model_number, alias, row["version_id"]
                )
                change.note(ChangeKind.ALIAS_SET, version, alias, before or "", version)

    async def delete_alias(self, name: str, alias: str, author: Author) -> None:
        """See `ports.RegisteredModelStore`."""
        async with changing(self._pool, name, author) as change:
            before = await change.connection.fetchval(_QUERIES["alias"], change.model_number, alias)
            if before is not None:
                await change.connection.execute(_QUERIES["delete_alias"], change.model_number, alias)
                change.note(ChangeKind.ALIAS_REMOVED, before, alias, before)

    async def changes(
        self, wanted: ChangesWanted, within: Within = EVERYWHERE
    ) -> tuple[Sequence[RegistryChange], int]:
        """See `ports.RegisteredModelStore`."""
        query = "changes_after" if wanted.oldest_first else "changes_before"
        kinds = [kind.value for kind in wanted.kinds] or None
        async with self._pool.connection() as connection:
            number = None
            if wanted.name:
                number = await connection.fetchval(_QUERIES["model_of_history"], wanted.name)
                if number is None:
                    raise no_such_model(wanted.name)
            # Before the changes: what is committed meanwhile comes with the next call.
            latest: int = await connection.fetchval(_QUERIES["latest_change"])
            rows = await connection.fetch(
                _QUERIES[query],
                number,
                wanted.version,
                kinds,
                wanted.position,
                wanted.limit,
                *within.chosen(None),
                within.deleted,
            )
        return [change_of(row) for row in rows], latest

    async def _set(self, change: Change, query: str, value: object) -> None:
        await change.connection.execute(_QUERIES[query], change.model_number, value)

    async def _set_custom_stages(self, change: Change, stages: Sequence[str]) -> None:
        going = [stage for stage in change.model["custom_stages"] if stage not in stages]
        left = await change.connection.fetchval(_QUERIES["versions_in"], change.model_number, going)
        if left:
            raise InvalidStateError(
                f"{left} versions of {change.model['name']!r} are in {', '.join(going)}; move them elsewhere first"
            )
        await self._set(change, "set_custom_stages", list(stages))

    async def _rename(self, change: Change, name: str, new_name: str) -> None:
        try:
            await self._set(change, "set_name", new_name)
        except asyncpg.UniqueViolationError:
            raise _taken(new_name) from None
        change.note(ChangeKind.MODEL_RENAMED, before=name, after=new_name)


async def _model(connection: Connection, name: str) -> RegisteredModel:
    row = await connection.fetchrow(_QUERIES["model"], name)
    if row is None:
        raise no_such_model(name)
    latest = await _latest(connection, [row["model_number"]])
    return model_of(row, latest.get(row["model_number"], ()))


async def _latest(connection: Connection, numbers: Sequence[int]) -> Mapping[int, list[ModelVersion]]:
    """Return the latest versions of models; the aliases of these stand with the model."""
    found: dict[int, list[ModelVersion]] = {}
    rows: Sequence[Any] = await connection.fetch(_QUERIES["latest"], numbers, None) if numbers else ()
    for row in rows:
        found.setdefault(row["model_number"], []).append(version_of(row))
    return found


def _taken(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"Registered Model (name={name}) already exists.")


def _shown(version: int | None) -> str:
    return f"version {version}" if version else "nothing"
