"""Spreads a database over machines with Citus: reads how things stand, and does what placing.py says is left.

Each step is a transaction of its own, and what is done is read from the database, so that whoever comes again after a
crash goes on. Foreign keys are noted in a table in the transaction that drops them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stepwell_server.errors import InvalidStateError
from stepwell_server.store import sql
from stepwell_server.store.postgres.migrations import known_migrations
from stepwell_server.store.postgres.placing import ForeignKey, Place, Step, Table, name, plan
from stepwell_server.store.postgres.pool import Connection

SHARDS_DEFAULT = 32  # as Citus has it; at least as many as there will ever be cores for it
# What a step may take: a day for each TB that has to be copied.
STEP_TIMEOUT_S = 30 * 86_400.0

_QUERIES = sql.load("distribution")
_CREATED = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a database is spread. `citus`: its version, None without it; `machines`: those that hold rows."""

    citus: str | None
    is_available: bool
    database: str
    has_setting: bool
    machines: int
    tables: Sequence[Table]
    keys: Sequence[ForeignKey]

    def steps(self, shards: int) -> list[Step]:
        """Return what is left to do; raises as `plan`."""
        steps = plan(self.tables, self.keys, shards)
        if not self.has_setting:
            # asyncpg asks for types on each new connection; with this setting that takes seconds.
            hidden = f"ALTER DATABASE {name(self.database)} SET citus.override_table_visibility TO off"
            steps.insert(0, Step("let connections see tables as they are", hidden))
        return steps


def known_tables() -> list[str]:
    """Return the names of all tables that this program makes."""
    texts = [migration.text for migration in known_migrations()]
    return sorted({table for text in texts for table in _CREATED.findall(text)} | {"schema_migration"})


async def read_distribution(connection: Connection) -> Distribution:
    """Return how the database of a connection is spread now."""
    about = await connection.fetchrow(_QUERIES["citus"])
    has_citus = about["version"] is not None
    names = known_tables()
    placed = await _places(connection) if has_citus else {}
    tables = [
        Table(row["name"], row["key"], placed.get(row["name"], Place.HERE), row["local_bytes"])
        for row in await connection.fetch(_QUERIES["tables"], names)
    ]
    keys = [ForeignKey(**row) for row in await connection.fetch(_QUERIES["keys"], names)]
    if await connection.fetchval(_QUERIES["has_notes"]):
        there = {(key.table, key.name) for key in keys}
        noted = [ForeignKey(**row, is_there=False) for row in await connection.fetch(_QUERIES["notes"])]
        keys += [key for key in noted if (key.table, key.name) not in there]
    return Distribution(
        about["version"],
        about["is_available"],
        about["database"],
        about["has_setting"],
        await connection.fetchval(_QUERIES["machines"]) if has_citus else 1,
        tables,
        keys,
    )


async def _places(connection: Connection) -> Mapping[str, Place]:
    places = {("h", "s"): Place.SPREAD, ("n", "t"): Place.EVERYWHERE}
    rows = await connection.fetch(_QUERIES["placed"])
    return {row["name"]: places.get((row["method"], row["model"]), Place.HERE) for row in rows}


async def distribute(connection: Connection, shards: int, tell: Callable[[str], None]) -> list[Step]:
    """Do what is left to do; `tell` hears of each step before it begins. Returns the steps.

    Raises:
        InvalidStateError: the database has no Citus, or `plan` cannot be made.
    """
    now = await read_distribution(connection)
    if now.citus is None:
        raise InvalidStateError(_without_citus(now))
    steps = now.steps(shards)
    for number, step in enumerate(steps, start=1):
        tell(f"{number} of {len(steps)}: {step.what}")
        async with connection.transaction():
            await connection.execute(
                "SET LOCAL statement_timeout = 0"
            )  # the client's limit is STEP_TIMEOUT_S
            await connection.execute(step.sql, timeout=STEP_TIMEOUT_S)
    return steps


def _without_citus(now: Distribution) -> str:
    if now.is_available:
        return (
            f"the database {now.database} has no Citus, but its server does: connect as a superuser,"
            " CREATE EXTENSION citus, add the other machines with citus_add_node, and run this again"
        )
    return (
        "this PostgreSQL has no Citus, so there is nothing to spread the tables with; install it on every machine"
        " (shared_preload_libraries = 'citus'), CREATE EXTENSION citus, and run this again"
    )
