"""Spreads a database over machines with Citus: reads how things stand, and does what placing.py says is left.

Each step is a transaction of its own, and what is done is read from the database, so that whoever comes again after a
crash goes on. Foreign keys are noted in a table in the transaction that drops them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stepwell_server.errors import InvalidStateError, StartupError
from stepwell_server.store import sql
from stepwell_server.store.postgres.engines import engine_of
from stepwell_server.store.postgres.migrations import known_migrations, known_tables
from stepwell_server.store.postgres.placing import ForeignKey, Place, Step, Table, name, plan, text
from stepwell_server.store.postgres.pool import Connection, first_connection
from stepwell_server.store.postgres.pooler import Database

SHARDS_DEFAULT = 32  # as Citus has it; at least as many as there will ever be cores for it
# What a step may take: a day for each TB that has to be copied.
STEP_TIMEOUT_S = 30 * 86_400.0

# Earlier ones do not take numbers that count by themselves (identity columns) everywhere.
CITUS_VERSION_MIN = 12

# Where the numbers of the history are counted from then on; a sequence counts on one machine only.
COUNTED = "named_lock"
_GO_ON = "UPDATE named_lock SET number = greatest(number, (SELECT last_value FROM registry_change_change_number_seq))"

_QUERIES = sql.load("distribution")
_ROUTINE = re.compile(r"^CREATE (?:OR REPLACE )?(?:FUNCTION|AGGREGATE) (\w+)", re.MULTILINE)
_VIEW = re.compile(r"^CREATE (?:OR REPLACE )?VIEW (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """One that holds rows, `host:port`; the coordinator is in group 0. `knows`: it knows where the tables are."""

    address: str
    groupid: int
    knows: bool


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a database is spread. `citus`: its version, None without it; `untold`: what workers do not know yet."""

    citus: str | None
    is_available: bool
    is_coordinator: bool
    database: str
    has_setting: bool
    machines: Sequence[Machine]
    tables: Sequence[Table]
    keys: Sequence[ForeignKey]
    untold: Sequence[Step]

    def steps(self, shards: int) -> list[Step]:
        """Return what is left to do; raises as `plan`."""
        steps = [*plan(self.tables, self.keys, shards), *self.untold]
        if any(table.name == COUNTED and table.place is Place.HERE for table in self.tables):
            steps.insert(0, Step("let the numbers of the history go on", _GO_ON))
        if not self.has_setting:
            # asyncpg asks for types on each new connection; with this setting that takes seconds.
            hidden = f"ALTER DATABASE {name(self.database)} SET citus.override_table_visibility TO off"
            # Two transactions: where Citus passes the second one on, it would wait for the first one for ever.
            everywhere = f"SELECT run_command_on_workers({text(hidden)})"
            steps[:0] = [
                Step("let connections to workers see tables as they are", everywhere),
                Step("let connections see tables as they are", hidden),
            ]
        return steps

    @property
    def is_in_part(self) -> bool:
        """Whether it was begun to spread the tables, and has not ended: rows are missed, or no key guards them."""
        places = {table.place is table.wanted for table in self.tables}
        return places == {True, False} or not all(key.is_there for key in self.keys)


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
        (await engine_of(connection, names)).is_coordinator,
        about["database"],
        about["has_setting"],
        [Machine(**row) for row in await connection.fetch(_QUERIES["machines"])] if has_citus else (),
        tables,
        keys,
        await _untold(connection, has_citus=has_citus),
    )


async def _untold(connection: Connection, *, has_citus: bool) -> list[Step]:
    """Return the steps that tell all machines of functions and views; those that were made before Citus are on one.

    Functions are made in the order in which they may call each other; views stand on tables, which come before.
    """
    known = {row["objid"] for row in await connection.fetch(_QUERIES["known"])} if has_citus else set()
    texts = "\n".join(migration.text for migration in known_migrations())
    routines = await connection.fetch(_QUERIES["routines"], sorted(set(_ROUTINE.findall(texts))))
    views = await connection.fetch(_QUERIES["views"], sorted(set(_VIEW.findall(texts))))
    return [
        *(
            Step(
                f"tell all machines of {row['name']}",
                f"SELECT create_distributed_function({text(row['name'])})",
            )
            for row in routines
            if row["oid"] not in known
        ),
        *(
            Step(
                f"tell all machines of the view {row['name']}",
                f"CREATE OR REPLACE VIEW {name(row['name'])} AS {row['definition'].rstrip(';')}",
            )
            for row in views
            if row["oid"] not in known
        ),
    ]


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
    _check(now)
    steps = now.steps(shards)
    for number, step in enumerate(steps, start=1):
        tell(f"{number} of {len(steps)}: {step.what}")
        async with connection.transaction():
            await connection.execute(
                "SET LOCAL statement_timeout = 0"
            )  # the client's limit is STEP_TIMEOUT_S
            await connection.execute("SET LOCAL citus.multi_shard_modify_mode TO 'parallel'")
            await connection.execute(step.sql, timeout=STEP_TIMEOUT_S)
    return steps


async def require_whole(database: Database) -> None:
    """Make sure that a database is in one place, or wholly spread.

    Raises:
        StartupError: it was begun to spread it, and has not ended.
    """
    if not await _is_in_part(database):
        return
    raise StartupError(
        "the tables of the database are spread over machines in part only; run"
        " `stepwell database distribute --store …` at the coordinator, which goes on where it was, then start again"
    )


async def _is_in_part(database: Database) -> bool:
    async with first_connection(database.url) as connection:
        if not await connection.fetchval(_QUERIES["has_citus"]):
            return False
        return (await read_distribution(connection)).is_in_part


def _check(now: Distribution) -> None:
    """Raise InvalidStateError where Citus would refuse in the middle, or workers would miss something for good."""
    if now.citus is None:
        raise InvalidStateError(_without_citus(now))
    if int(re.split(r"\D", now.citus)[0]) < CITUS_VERSION_MIN:
        raise InvalidStateError(
            f"this is Citus {now.citus}, and Stepwell needs version {CITUS_VERSION_MIN} or later"
        )
    if not now.is_coordinator:
        raise InvalidStateError("this is a worker of Citus; name the coordinator with --store")
    workers = [machine for machine in now.machines if machine.groupid != 0]
    if workers and len(workers) == len(now.machines):
        raise InvalidStateError(
            "the workers do not know how to reach the coordinator; run there, with its own name and port,"
            " SELECT citus_set_coordinator_host('coordinator.example.org', 5432), and this again"
        )
    ignorant = [machine.address for machine in workers if not machine.knows]
    if ignorant:
        raise InvalidStateError(
            f"{', '.join(ignorant)}: not told where tables are; run SELECT start_metadata_sync_to_all_nodes(),"
            " and this again"
        )


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
