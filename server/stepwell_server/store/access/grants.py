"""Who may do what with which experiment or registered model."""

from collections.abc import Sequence
from typing import Any

from stepwell_server.errors import NotFoundError
from stepwell_server.model.access import (
    Grant,
    Granted,
    Level,
    Rights,
    Subject,
    SubjectKind,
    Thing,
    ThingKind,
    rights_of,
)
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

_SQL = load("grants")


class PostgresGrantStore:
    """Implements `ports.GrantStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rights(self, account_id: int) -> Rights:
        """See `ports.GrantStore`."""
        async with self._pool.connection() as connection:
            default = await connection.fetchval(_SQL["default"])
            rows = await connection.fetch(_SQL["rights"], account_id)
        return rights_of(Level(default), [_granted(row) for row in rows])

    async def grant(self, subject: Subject, thing: Thing, level: Level) -> Grant:
        """See `ports.GrantStore`."""
        async with self._pool.transaction() as connection:
            columns = (*await _subject_columns(connection, subject), *await _thing_columns(connection, thing))
            await connection.execute(_SQL["grant"], *columns, level)
        return Grant(subject, thing, level)

    async def own(self, account_id: int, kind: ThingKind, name: str) -> None:
        """See `ports.GrantStore`."""
        async with self._pool.transaction() as connection:
            columns = await _thing_columns(connection, Thing(kind, name))
            await connection.execute(_SQL["grant"], account_id, None, *columns, Level.MANAGE)

    async def revoke(self, subject: Subject, thing: Thing) -> bool:
        """See `ports.GrantStore`."""
        async with self._pool.transaction() as connection:
            columns = (*await _subject_columns(connection, subject), *await _thing_columns(connection, thing))
            return await connection.fetchval(_SQL["revoke"], *columns) is not None

    async def grants(self, thing: Thing | None, subject: Subject | None, limit: int) -> Sequence[Grant]:
        """See `ports.GrantStore`."""
        async with self._pool.connection() as connection:
            of = await _thing_columns(connection, thing) if thing else (None, None)
            to = await _subject_columns(connection, subject) if subject else (None, None)
            is_everybody = subject is not None and subject.kind is SubjectKind.EVERYBODY
            rows = await connection.fetch(_SQL["grants"], *of, *to, is_everybody, limit)
        return [_grant(row) for row in rows]

    async def default(self) -> Level:
        """See `ports.GrantStore`."""
        async with self._pool.connection() as connection:
            return Level(await connection.fetchval(_SQL["default"]))

    async def set_default(self, level: Level) -> None:
        """See `ports.GrantStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_SQL["set_default"], level)


async def _subject_columns(connection: Connection, subject: Subject) -> tuple[int | None, int | None]:
    if subject.kind is SubjectKind.EVERYBODY:
        return None, None
    found = await connection.fetchval(_SQL[f"{subject.kind.value}_id"], subject.name)
    if found is None:
        raise NotFoundError(f"there is no {subject.kind.value} {subject.name!r}")
    return (found, None) if subject.kind is SubjectKind.ACCOUNT else (None, found)


async def _thing_columns(connection: Connection, thing: Thing) -> tuple[int | None, int | None]:
    if thing.kind is ThingKind.EXPERIMENT:
        found = await connection.fetchval(_SQL["experiment_id"], int(thing.name))
        if found is None:
            raise NotFoundError(f"there is no experiment with id {thing.name}")
        return found, None
    found = await connection.fetchval(_SQL["model_number"], thing.name)
    if found is None:
        raise NotFoundError(f"Registered Model with name={thing.name!r} not found")
    return None, found


def _granted(row: Any) -> Granted:
    is_experiment = row["experiment_id"] is not None
    return Granted(
        SubjectKind(row["subject"]),
        ThingKind.EXPERIMENT if is_experiment else ThingKind.MODEL,
        row["experiment_id"] if is_experiment else row["model_number"],
        Level(row["level"]),
    )


def _grant(row: Any) -> Grant:
    if row["account"] is not None:
        subject = Subject(SubjectKind.ACCOUNT, row["account"])
    elif row["group_name"] is not None:
        subject = Subject(SubjectKind.GROUP, row["group_name"])
    else:
        subject = Subject(SubjectKind.EVERYBODY)
    if row["model"] is not None:
        return Grant(subject, Thing(ThingKind.MODEL, row["model"]), Level(row["level"]))
    thing = Thing(ThingKind.EXPERIMENT, str(row["experiment_id"]))
    return Grant(subject, thing, Level(row["level"]), row["experiment"])
