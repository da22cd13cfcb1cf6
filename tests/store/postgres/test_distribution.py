"""`stepwell database`: the order of steps, what is left after a crash, what is refused, and migrations afterwards.

There is no Citus here. Where steps are executed, harness/citus.py stands in for it.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from stepwell_server.app import running_server
from stepwell_server.commands.database import database
from stepwell_server.config import Config
from stepwell_server.errors import InvalidStateError, StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.distribution import distribute, read_distribution, require_whole
from stepwell_server.store.postgres.listening import listening_pool
from stepwell_server.store.postgres.migrations import Migration, known_migrations, known_tables, migrate
from stepwell_server.store.postgres.placing import ForeignKey, Place, Table, plan
from stepwell_server.store.postgres.pool import Connection, Pool, open_pool
from stepwell_server.store.postgres.pooler import Database
from tests.harness.store.citus import pretend_citus
from tests.harness.store.databases import spread_database

STOP_S = 5.0
_FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE contype = 'f'
    ORDER BY 1, 2
"""


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.connection() as connection:
        yield connection


@pytest.fixture
async def with_citus(database_url: str) -> AsyncIterator[Connection]:
    await pretend_citus(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def spread_url() -> AsyncIterator[str]:
    """A database that is spread."""
    async with spread_database() as url:
        yield url


def silent(_: str) -> None:
    pass


async def test_every_table_goes_where_its_key_says(connection: Connection) -> None:
    found = await read_distribution(connection)
    there = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert sorted(table.name for table in found.tables) == sorted(row[0] for row in there) == known_tables()
    wanted = {table.name: table.wanted for table in found.tables}
    moves = {}
    for step in found.steps(32):
        move = re.fullmatch(r"SELECT create_(reference|distributed)_table\('(\w+)'(.*)\)", step.sql)
        if move:
            assert move[2] not in moves
            moves[move[2]] = Place.SPREAD if move[1] == "distributed" else Place.EVERYWHERE
            assert (move[3] == ", 'run_id', colocate_with => 'run'") == (
                moves[move[2]] is Place.SPREAD and move[2] != "run"
            )
    assert moves == wanted
    order = list(moves)
    assert all(
        order.index(key.refers_to) < order.index(key.table)
        for key in found.keys
        if key.refers_to != key.table
    )
    assert [moves[name] for name in order] == sorted(moves.values(), key=lambda place: place is Place.SPREAD)


async def test_foreign_keys_are_away_while_tables_move_and_then_there_again(connection: Connection) -> None:
    found = await read_distribution(connection)
    steps = [step.sql for step in found.steps(32)]
    moved = [number for number, step in enumerate(steps) if re.match(r"SELECT create_\w+_table\(", step)]
    dropped = [number for number, step in enumerate(steps) if " DROP CONSTRAINT " in step]
    added = [number for number, step in enumerate(steps) if " ADD CONSTRAINT " in step]
    assert len(dropped) == len(added) == len(found.keys) > 30
    assert max(dropped) < min(moved) <= max(moved) < min(added)


@pytest.mark.parametrize("crash_at", [None, 3, 140, 190])
async def test_what_was_begun_is_ended_by_who_comes_next(
    with_citus: Connection, crash_at: int | None
) -> None:
    before = await with_citus.fetch(_FOREIGN_KEYS)
    heard: list[str] = []

    def crash(text: str) -> None:
        heard.append(text)
        if len(heard) == crash_at:
            raise KeyboardInterrupt

    if crash_at is None:
        await distribute(with_citus, 32, crash)
    else:
        with pytest.raises(KeyboardInterrupt):
            await distribute(with_citus, 32, crash)
        left = await distribute(with_citus, 32, silent)
        # Notes are made again where keys are still to be dropped, and what takes nothing here is not emptied.
        assert heard[0].startswith("1 of ")
        steps = int(heard[0].split(" ")[2].rstrip(":"))
        assert len(left) - (steps - crash_at + 1) in (-1, 0, 1)
    assert await with_citus.fetch(_FOREIGN_KEYS) == before
    after = await read_distribution(with_citus)
    assert {table.place is table.wanted for table in after.tables} == {True}
    assert len(after.machines) == 3
    assert not after.is_in_part
    assert await distribute(with_citus, 32, silent) == []
    assert await with_citus.fetchval("SELECT to_regclass('foreign_key_to_add')") is None


async def test_without_citus_it_says_what_is_missing_and_changes_nothing(connection: Connection) -> None:
    before = await connection.fetch(_FOREIGN_KEYS)
    with pytest.raises(InvalidStateError, match=r"this PostgreSQL has no Citus.*CREATE EXTENSION citus"):
        await distribute(connection, 32, silent)
    assert await connection.fetch(_FOREIGN_KEYS) == before


def key(table: str, refers_to: str) -> ForeignKey:
    return ForeignKey(f"{table}_fkey", table, refers_to, f"FOREIGN KEY (x) REFERENCES {refers_to}")


@pytest.mark.parametrize(
    ("tables", "keys", "reason"),
    [
        (
            [Table("a", ["id"], Place.SPREAD)],
            [],
            r"table a is spread and ought to be reference; take that back with SELECT undistribute_table\('a'\)",
        ),
        (
            [Table("a", ["id"], Place.HERE), Table("run", ["run_id"], Place.HERE)],
            [key("a", "run")],
            "a is on every machine and cannot refer to run",
        ),
        (
            [Table("run", ["run_id"], Place.HERE)],
            [key("notes", "run")],
            "a table of Stepwell to notes, which is none",
        ),
    ],
)
def test_what_cannot_be_is_refused(tables: list[Table], keys: list[ForeignKey], reason: str) -> None:
    with pytest.raises(InvalidStateError, match=reason):
        plan(tables, keys, 32)


def test_names_and_texts_are_quoted() -> None:
    odd = ForeignKey('a"b', "run", "run", "CHECK ('it''s')")
    steps = plan([Table("run", ["run_id"], Place.HERE)], [odd], 8)
    assert steps[1].sql.endswith('DROP CONSTRAINT "a""b"')
    assert "'CHECK (''it''''s'')'" in steps[1].sql


def call(*words: str) -> Result:
    return CliRunner().invoke(database, list(words))


def told(*words: str) -> Any:
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_commands_on_a_plain_postgresql(database_url: str) -> None:
    store = ("--store", database_url)
    state = told("status", *store)
    assert state["citus"] is None
    assert state["machines"] == 1
    assert sorted(state["tables"]["on this machine"]) == known_tables()
    assert "Citus: none, all tables are on one machine" in call("status", *store).output
    planned = told("distribute", *store, "--dry-run", "--shards", "64")
    assert planned["dry_run"]
    sql = [step["sql"] for step in planned["steps"]]
    assert (
        "SELECT create_distributed_table('run', 'run_id', shard_count => 64, colocate_with => 'none')" in sql
    )
    printed = call("distribute", *store, "--dry-run", "--shards", "64").output
    assert all(f"{statement};" in printed for statement in sql)
    refused = call("distribute", *store)
    assert refused.exit_code == 1
    assert "Error: this PostgreSQL has no Citus" in refused.output
    assert told("distribute", *store, "--dry-run", "--shards", "64") == planned


REFUSED = {
    "UPDATE pg_extension SET extversion = '11.1-1' WHERE extname = 'citus'": "is Citus 11.1-1, and Stepwell needs",
    "UPDATE pg_dist_local_group SET groupid = 1": "a worker of Citus; name the coordinator with --store",
    "DELETE FROM pg_dist_node WHERE groupid = 0": r"SELECT citus_set_coordinator_host\(",
    "UPDATE pg_dist_node SET metadatasynced = groupid = 0": "node1:5432, node2:5432: not told where tables are",
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.items())
async def test_machines_that_would_fail_later_are_told_of_before_anything_is_done(
    with_citus: Connection, change: str, reason: str
) -> None:
    await with_citus.execute(f"SET allow_system_table_mods = on; {change}")
    before = await with_citus.fetch(_FOREIGN_KEYS)
    with pytest.raises(InvalidStateError, match=reason):
        await distribute(with_citus, 32, silent)
    assert await with_citus.fetch(_FOREIGN_KEYS) == before


async def test_functions_and_views_from_before_are_told_to_all_machines(with_citus: Connection) -> None:
    steps = [step.sql for step in (await read_distribution(with_citus)).steps(32)]
    functions = [re.findall(r"'(\w+)\(", it)[0] for it in steps if "create_distributed_function" in it]
    # In this order: each calls the one before, and SQL functions are looked at when they are made.
    assert [it for it in functions if it.startswith("saturating")] == [
        "saturating_sum",
        "saturating_add",
        "saturating_total",
    ]
    assert {"is_of_model", "text_number"} <= set(functions)
    views = [it for it in steps if it.startswith("CREATE OR REPLACE VIEW")]
    there = await with_citus.fetchval("SELECT count(*) FROM pg_views WHERE schemaname = 'public'")
    assert len(views) == there > 8
    last_move = max(number for number, it in enumerate(steps) if "SELECT create_" in it and "_table" in it)
    assert all(
        steps.index(it) > last_move for it in steps if "create_distributed_function" in it or it in views
    )


async def test_a_database_that_is_spread_in_part_is_no_servers(
    with_citus: Connection, database_url: str, tmp_path: Path
) -> None:
    async def start() -> None:
        async with running_server(Config(port=0, store=database_url, data=tmp_path, shutdown_grace_s=STOP_S)):
            pass

    await start()  # Citus is there, and nothing is spread

    def crash(text: str) -> None:
        if " spread tag " in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await distribute(with_citus, 32, crash)
    with pytest.raises(StartupError, match="in part only; run `stepwell database distribute"):
        await start()
    await distribute(with_citus, 32, silent)
    await start()


def next_migration(text: str) -> list[Migration]:
    known = known_migrations()
    return [*known, Migration(len(known) + 1, "next", text)]


async def test_what_later_migrations_add_is_in_its_place(spread_url: str) -> None:
    text = """
        CREATE TABLE colour (colour_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
-- place: colour
        CREATE TABLE run_colour (run_id uuid, colour_id bigint NOT NULL, PRIMARY KEY (run_id, colour_id));
-- place: run_colour
        ALTER TABLE run_colour ADD CONSTRAINT of_run FOREIGN KEY (run_id) REFERENCES run;
        ALTER TABLE run_colour ADD CONSTRAINT of_colour FOREIGN KEY (colour_id) REFERENCES colour;
        ALTER TABLE run ADD COLUMN is_bright boolean NOT NULL DEFAULT false;
        CREATE INDEX run_by_brightness ON run (is_bright, run_id);
        CREATE FUNCTION brighter(a bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a + 1';
        CREATE VIEW run_colours AS SELECT * FROM run_colour JOIN colour USING (colour_id);
    """
    migrated = await migrate(spread_url, next_migration(text))
    assert migrated.is_distributed
    connection = await asyncpg.connect(spread_url)
    try:
        rows = await connection.fetch(
            "SELECT logicalrelid::text AS name, partmethod::text AS method FROM pg_dist_partition"
        )
        now = await read_distribution(connection)
    finally:
        await connection.close()
    placed = {row["name"]: row["method"] for row in rows}
    assert (placed["colour"], placed["run_colour"]) == ("n", "h")
    assert len(placed) == len(known_tables()) + 2
    assert not now.is_in_part
    assert now.untold == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE TABLE x (run_id uuid REFERENCES run PRIMARY KEY);", "x is here, run is spread"),
        (
            "CREATE TABLE x (x_id bigint PRIMARY KEY, run_id uuid);\n-- place: x\n"
            "ALTER TABLE x ADD FOREIGN KEY (run_id) REFERENCES run;",
            "x is everywhere, run is spread",
        ),
        (
            "CREATE TABLE x (x_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);\n-- place: x",
            "int or smallint",
        ),
        ("CREATE TABLE x (run_id uuid PRIMARY KEY, n text UNIQUE);\n-- place: x", "the partition column"),
        ("CREATE UNIQUE INDEX x ON param (key);", "unique indexes on non-partition columns"),
    ],
)
async def test_a_migration_that_citus_refuses_is_undone(spread_url: str, text: str, reason: str) -> None:
    with pytest.raises(StartupError, match=rf"\(next\) failed and was undone: .*{reason}"):
        await migrate(spread_url, next_migration(text))
    await require_whole(await migrate(spread_url))


async def test_a_spread_database_goes_without_what_is_for_one_machine(spread_url: str) -> None:
    await migrate(spread_url, next_migration("-- Refused by Citus.\n-- one machine alone\nSELECT 1 / 0;"))
    with pytest.raises(StartupError, match="knows versions up to"):
        await migrate(spread_url)  # it counts as applied


async def test_workers_take_servers_and_no_migrations(spread_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(spread_url)
    try:
        await connection.execute("UPDATE pg_dist_local_group SET groupid = 1")
    finally:
        await connection.close()
    with pytest.raises(StartupError, match="lacks 1 migrations, and this machine is a worker of Citus"):
        await migrate(spread_url, next_migration("CREATE TABLE x (); "))
    known = await migrate(spread_url)
    assert known.is_distributed
    async with (
        open_pool(known, Deadline(STOP_S)) as pool,
        listening_pool(known, pool, None, Deadline(STOP_S)) as nothing,
    ):
        assert nothing is None
    config = Config(port=0, store=spread_url, listen_store=spread_url, data=tmp_path, shutdown_grace_s=STOP_S)
    with pytest.raises(
        StartupError, match="in --listen-store is a worker of Citus, which no other machine hears"
    ):
        async with running_server(config):
            pass


async def test_transactions_look_at_one_machine_after_the_other(spread_url: str) -> None:
    """Else Citus lets none change a table that is everywhere after it has looked at several machines at once."""
    mode = "SELECT current_setting('citus.multi_shard_modify_mode', true)"
    for pooled in (False, True):
        async with open_pool(Database(spread_url, pooled, is_distributed=True), Deadline(STOP_S)) as pool:
            async with pool.transaction() as connection:
                assert await connection.fetchval(mode) == "sequential"
            if not pooled:  # what is no transaction of ours asks all machines at once
                async with pool.connection() as connection:
                    assert await connection.fetchval(mode) in (None, "")
