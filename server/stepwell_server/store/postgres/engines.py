"""What kind of PostgreSQL a database is: one machine, or several with Citus; and which of them answers."""

from collections.abc import Collection
from dataclasses import dataclass

from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("distribution")


@dataclass(frozen=True, slots=True)
class Engine:
    """Whether tables of ours are spread, and whether who answers is the machine where that can be changed."""

    is_distributed: bool
    is_coordinator: bool


ALONE = Engine(is_distributed=False, is_coordinator=True)


async def engine_of(connection: Connection, tables: Collection[str]) -> Engine:
    """Return what a connection leads to; `tables` are the names of ours.

    Where Citus, PostgreSQL's distributed engine, is installed and has none of them yet, the database is like any other.
    """
    if not await connection.fetchval(_SQL["has_citus"]):
        return ALONE
    row = await connection.fetchrow(_SQL["engine"], list(tables))
    return Engine(row["is_distributed"], row["is_coordinator"])
