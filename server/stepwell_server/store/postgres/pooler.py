"""Transaction poolers, as PgBouncer: noticed, and lived with.

Behind one a connection is the same process of PostgreSQL for the time of a transaction and no longer. So what is set
for a session is set for each transaction, statements have no names, each statement is in a transaction, locks end with
theirs, and nobody listens there.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import asyncpg

from stepwell_server.config import PoolerOption
from stepwell_server.store.sql import load

T = TypeVar("T")

# What asyncpg says in a transaction, or of one that was cut short: it begins none.
_WITHIN = ("SAVEPOINT ", "COMMIT", "ROLLBACK")

_SQL = load("connections")


@dataclass(frozen=True, slots=True)
class Database:
    """A database by its URL, whether connections to it are those of a pooler, and whether its tables are spread."""

    url: str = field(repr=False)  # may hold a password
    is_pooled: bool = False
    is_distributed: bool = False


async def is_pooled(connection: Any, option: PoolerOption) -> bool:
    """Tell whether a pooler is between us and PostgreSQL: what the option says, or what can be seen.

    PostgreSQL names its process when a connection begins, and that process knows its own number. A pooler has no
    process for a connection, in no mode, and names what lets it know who cancels.
    """
    if option != "auto":
        return option == "transaction"
    process_id: int = await connection.fetchval(_SQL["process"])
    return process_id != int(connection.get_server_pid())


def _in_transaction(method: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Let a method of a connection begin a transaction where there is none."""

    @wraps(method)
    async def alone(self: "PooledConnection", *arguments: Any, **named: Any) -> T:
        if self.is_in_transaction():
            return await method(self, *arguments, **named)
        async with self.transaction():
            return await method(self, *arguments, **named)

    return alone


def set_local(settings: Mapping[str, str]) -> str:
    """Return the statements that put settings in force for a transaction; values have no quotes."""
    return " ".join(f"SET LOCAL {name} = '{value}';" for name, value in settings.items())


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that keeps nothing beyond a transaction; right without a pooler, too, and slower."""

    __slots__ = ("_settings",)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._settings = ""  # asyncpg may ask something before anybody has set any

    def set_for_each_transaction(self, settings: Mapping[str, str]) -> None:
        """Let these settings be in force in each transaction; values have no quotes."""
        self._settings = set_local(settings)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:
        """Execute as asyncpg does; what begins a transaction brings the settings with it, on the same way."""
        if self.is_in_transaction() or query.startswith(_WITHIN):
            return str(await super().execute(query, *arguments, timeout=timeout))
        if query.startswith("BEGIN"):
            return str(await super().execute(f"{query} {self._settings}", timeout=timeout))
        async with self.transaction():
            return str(await super().execute(query, *arguments, timeout=timeout))

    # For a statement that is a transaction by itself, and sets what it needs: one way instead of three.
    fetchrow_alone = asyncpg.Connection.fetchrow
    fetchval_alone = asyncpg.Connection.fetchval
    executemany = _in_transaction(asyncpg.Connection.executemany)
    fetch = _in_transaction(asyncpg.Connection.fetch)
    fetchmany = _in_transaction(asyncpg.Connection.fetchmany)
    fetchrow = _in_transaction(asyncpg.Connection.fetchrow)
    fetchval = _in_transaction(asyncpg.Connection.fetchval)
    copy_from_query = _in_transaction(asyncpg.Connection.copy_from_query)
    copy_to_table = _in_transaction(asyncpg.Connection.copy_to_table)

    def get_reset_query(self) -> str:
        """Return no statement: there is nothing to tidy up."""
        return ""

    # asyncpg has no public way to keep what it knows of a statement (the types) and send the statement anew with each
    # use, in the same message. Names would stay behind in a process that others get, and not be where they are wanted.

    def _get_unique_id(self, prefix: str) -> str:
        return "" if prefix == "stmt" else str(super()._get_unique_id(prefix))

    async def _get_statement(self, query: str, timeout: float | None, **named: Any) -> Any:
        statement = await super()._get_statement(query, timeout, **named)
        statement.mark_unprepared()
        return statement
