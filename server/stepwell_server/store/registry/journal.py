"""Changes of a registered model: one transaction each, with what the history says of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from stepwell_server.errors import NotFoundError
from stepwell_server.model.registry import CHANGE_VALUE_CHARS_MAX, Author, ChangeKind, RegistryChange
from stepwell_server.store import sql
from stepwell_server.store.ingest.entries.alerts import JOURNAL_LOCK_KEY, take_numbers
from stepwell_server.store.postgres.pool import Connection, Pool

_QUERIES = sql.load("registry")


@dataclass(slots=True)
class Change:
    """A transaction that has locked a registered model, and what it will tell the history. `model` is the row."""

    connection: Connection
    model: Any
    entries: list[tuple[str, str, int, str, str, str]] = field(default_factory=list)

    @property
    def model_number(self) -> int:
        """The key of the model."""
        number: int = self.model["model_number"]
        return number

    @property
    def time_ms(self) -> int:
        """When the change is."""
        time_ms: int = self.model["last_update_time_ms"]
        return time_ms

    def note(
        self, kind: ChangeKind, version: int = 0, key: str = "", before: object = "", after: object = ""
    ) -> None:
        """Tell the history of something that changed."""
        texts = (str(before)[:CHANGE_VALUE_CHARS_MAX], str(after)[:CHANGE_VALUE_CHARS_MAX])
        self.entries.append((kind.value, self.model["name"], version, key, *texts))


@asynccontextmanager
async def changing(
    pool: Pool, name: str, author: Author, touch: str = "touch", *arguments: object
) -> AsyncIterator[Change]:
    """Lend a transaction that has locked a registered model by the query `touch`; at its end it writes the history.

    Raises:
        NotFoundError: there is no registered model of this name.
    """
    async with pool.transaction() as connection:
        model = await connection.fetchrow(_QUERIES[touch], name, *arguments)
        if model is None:
            raise no_such_model(name)
        change = Change(connection, model)
        yield change
        await write(change, author)


async def write(change: Change, author: Author) -> None:
    """Add to the history what a change has noted."""
    if change.entries:
        columns = map(list, zip(*change.entries, strict=True))
        await change.connection.execute(
            _QUERIES["note_changes"],
            await _lock(change.connection, len(change.entries)),
            change.time_ms,
            change.model_number,
            author.user,
            author.comment,
            *columns,
        )


async def write_imported(change: Change, history: Sequence[RegistryChange]) -> None:
    """Add to the history what happened to a new registered model where it comes from."""
    if history:
        await change.connection.execute(
            _QUERIES["note_imported"],
            await _lock(change.connection, len(history)),
            change.model_number,
            [it.time_ms for it in history],
            [it.kind.value for it in history],
            [it.name for it in history],
            [it.version for it in history],
            [it.key for it in history],
            [it.before[:CHANGE_VALUE_CHARS_MAX] for it in history],
            [it.after[:CHANGE_VALUE_CHARS_MAX] for it in history],
            [it.user for it in history],
            [it.comment for it in history],
        )


async def _lock(connection: Connection, count: int) -> int:
    """Return the key of the lock, or where a row is the lock, which this takes, the number that those of it follow."""
    if not sql.is_distributed():
        return JOURNAL_LOCK_KEY
    last = await take_numbers(connection, count)
    assert last is not None
    return last


def no_such_model(name: str) -> NotFoundError:
    """Return the error for a name that no registered model has."""
    return NotFoundError(f"Registered Model with name={name!r} not found")
