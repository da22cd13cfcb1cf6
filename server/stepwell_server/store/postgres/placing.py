"""Which table goes where when a database is spread over machines with Citus, and by which steps, in which order.

Pure planning: tables and foreign keys as they are now to the statements that are left. docs/scaling.md says what for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from stepwell_server.errors import InvalidStateError

RUN_ID = "run_id"
# Whose shards all others lie beside.
ANCHOR = "run"
# Where foreign keys are noted from when they are dropped until they are there again.
NOTES = "foreign_key_to_add"

_MAKE_NOTES = f"""CREATE TABLE IF NOT EXISTS {NOTES} (
    name text, table_name text, refers_to text, definition text, PRIMARY KEY (table_name, name)
)"""


class Place(Enum):
    """Where the rows of a table are."""

    HERE = "on this machine"
    EVERYWHERE = "reference"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is. `local_bytes`: what it takes on this machine, which is nothing once its rows are elsewhere."""

    name: str
    key: Sequence[str]
    place: Place
    local_bytes: int = 0

    @property
    def wanted(self) -> Place:
        """Where it ought to be."""
        return Place.SPREAD if is_spread(self.key) else Place.EVERYWHERE


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; one that is not `is_there` was dropped, and waits to be added again."""

    name: str
    table: str
    refers_to: str
    definition: str
    is_there: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One statement (or two in one transaction), and what it does, for people."""

    what: str
    sql: str


def is_spread(key: Sequence[str]) -> bool:
    """Tell whether the rows of a table with this primary key are where their runs are. The one place that says so."""
    return list(key[:1]) == [RUN_ID]


def plan(tables: Sequence[Table], keys: Sequence[ForeignKey], shards: int) -> list[Step]:
    """Return what is left to do, in order; nothing where all is in its place. What is done may be done up to anywhere.

    Raises:
        InvalidStateError: a table is in a place that it cannot leave, or a foreign key could not be added again.
    """
    _check(tables, keys)
    moving = {table.name for table in tables if table.place is not table.wanted}
    in_the_way = [key for key in keys if key.is_there and {key.table, key.refers_to} & moving]
    ordered = _ordered(tables, keys)
    rank = {table.name: number for number, table in enumerate(ordered)}
    steps = [Step("make room for notes of foreign keys", _MAKE_NOTES)] if in_the_way else []
    steps += [_drop(key) for key in sorted(in_the_way, key=lambda key: (key.table, key.name))]
    for table in ordered:
        if table.name in moving:
            steps.append(_move(table, shards))
        if table.name in moving or table.local_bytes:
            steps.append(_empty(table))
    missing = [*in_the_way, *(key for key in keys if not key.is_there)]
    steps += [_add(key) for key in sorted(missing, key=lambda key: (rank[key.table], key.name))]
    if missing:
        steps.append(Step("forget the notes", f"DROP TABLE IF EXISTS {NOTES}"))
    return steps


def _check(tables: Iterable[Table], keys: Iterable[ForeignKey]) -> None:
    wanted = {table.name: table.wanted for table in tables}
    for table in tables:
        if table.place not in (Place.HERE, table.wanted):
            raise InvalidStateError(
                f"table {table.name} is {table.place.value} and ought to be {table.wanted.value};"
                f" take that back with SELECT undistribute_table('{table.name}'), and run this again"
            )
    for key in keys:
        if key.table not in wanted or key.refers_to not in wanted:
            other = key.table if key.table not in wanted else key.refers_to
            raise InvalidStateError(
                f"the foreign key {key.name} of {key.table} ties a table of Stepwell to {other}, which is none;"
                " drop it first"
            )
        if wanted[key.table] is Place.EVERYWHERE and wanted[key.refers_to] is Place.SPREAD:
            raise InvalidStateError(
                f"{key.table} is on every machine and cannot refer to {key.refers_to}, which is spread ({key.name})"
            )


def _ordered(tables: Sequence[Table], keys: Sequence[ForeignKey]) -> list[Table]:
    """Reference tables before those that are spread, whatever is referred to before what refers to it."""
    refers = {
        table.name: {key.refers_to for key in keys if key.table == table.name} - {table.name}
        for table in tables
    }
    waiting = sorted(
        tables, key=lambda table: (table.wanted is Place.SPREAD, table.name != ANCHOR, table.name)
    )
    ordered: list[Table] = []
    while waiting:
        done = {table.name for table in ordered}
        following = next((table for table in waiting if refers[table.name] <= done), waiting[0])
        waiting.remove(following)
        ordered.append(following)
    return ordered


def _drop(key: ForeignKey) -> Step:
    note = ", ".join(text(it) for it in (key.name, key.table, key.refers_to, key.definition))
    return Step(
        f"drop the foreign key {key.name} for now",
        f"INSERT INTO {NOTES} (name, table_name, refers_to, definition) VALUES ({note});"
        f" ALTER TABLE {name(key.table)} DROP CONSTRAINT {name(key.name)}",
    )


def _add(key: ForeignKey) -> Step:
    return Step(
        f"add the foreign key {key.name} again",
        f"ALTER TABLE {name(key.table)} ADD CONSTRAINT {name(key.name)} {key.definition};"
        f" DELETE FROM {NOTES} WHERE table_name = {text(key.table)} AND name = {text(key.name)}",
    )


def _move(table: Table, shards: int) -> Step:
    if table.wanted is Place.EVERYWHERE:
        return Step(f"copy {table.name} to every machine", placing(table.name, table.key))
    if table.name != ANCHOR:
        return Step(f"spread {table.name} by {RUN_ID}", placing(table.name, table.key))
    how = f"shard_count => {shards}, colocate_with => 'none'"
    return Step(
        f"spread {table.name} by {RUN_ID}",
        f"SELECT create_distributed_table({text(table.name)}, {text(RUN_ID)}, {how})",
    )


def placing(table: str, key: Sequence[str]) -> str:
    """Return the statement that brings a table with this primary key, but the first one, to its place."""
    if not is_spread(key):
        return f"SELECT create_reference_table({text(table)})"
    return f"SELECT create_distributed_table({text(table)}, {text(RUN_ID)}, colocate_with => {text(ANCHOR)})"


def _empty(table: Table) -> Step:
    return Step(
        f"give back what {table.name} took here",
        f"SELECT truncate_local_data_after_distributing_table({text(table.name)})",
    )


def name(identifier: str) -> str:
    """Return an identifier as SQL has it."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"
