"""`stepwell database`: the order of steps, what is left after a crash, and what is said without Citus.

There is no Citus here. Where steps are executed, functions of the database stand in for its own: they refuse what Citus
refuses (a table that foreign keys hold), and note where a table was to go.
"""

import json
import re
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stepwell_server.commands.database import database
from stepwell_server.errors import InvalidStateError
from stepwell_server.store.postgres import distribution
from stepwell_server.store.postgres.distribution import distribute, known_tables, read_distribution
from stepwell_server.store.postgres.placing import ForeignKey, Place, Table, plan
from stepwell_server.store.postgres.pool import Connection, Pool

_STAND_IN = """
    CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod "char", repmodel "char");
    CREATE TABLE pg_dist_node (isactive boolean, noderole text);
    INSERT INTO pg_dist_node VALUES (true, 'primary'), (true, 'primary');
    CREATE FUNCTION place(name text, method "char", model "char") RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND name::regclass IN (conrelid, confrelid)) THEN
                RAISE 'foreign keys hold %', name;
            END IF;
            INSERT INTO pg_dist_partition VALUES (name::regclass, method, model);
        END $$;
    CREATE FUNCTION create_reference_table(name text) RETURNS void
    LANGUAGE sql AS $$ SELECT place(name, 'n', 't') $$;
    CREATE FUNCTION create_distributed_table(
        name text, by text, shard_count integer DEFAULT 0, colocate_with text DEFAULT ''
    ) RETURNS void LANGUAGE sql AS $$ SELECT place(name, 'h', 's') $$;
    CREATE FUNCTION truncate_local_data_after_distributing_table(name text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN EXECUTE format('TRUNCATE %I', name); END $$;
"""
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
async def with_citus(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    queries = dict(distribution._QUERIES)
    queries["citus"] = queries["citus"].replace(
        "(SELECT extversion FROM pg_extension WHERE extname = 'citus')", "'13.2'"
    )
    assert queries["citus"] != distribution._QUERIES["citus"]
    monkeypatch.setattr(distribution, "_QUERIES", MappingProxyType(queries))
    await connection.execute(_STAND_IN)
    return connection


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
    moved = [number for number, step in enumerate(steps) if step.startswith("SELECT create_")]
    dropped = [number for number, step in enumerate(steps) if " DROP CONSTRAINT " in step]
    added = [number for number, step in enumerate(steps) if " ADD CONSTRAINT " in step]
    assert len(dropped) == len(added) == len(found.keys) > 30
    assert max(dropped) < min(moved) <= max(moved) < min(added)


@pytest.mark.parametrize("crash_at", [None, 3, 75, 140])
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
        steps = int(heard[0].split(" ")[2].rstrip(":"))
        assert len(left) - (steps - crash_at + 1) in (-1, 0, 1)
    assert await with_citus.fetch(_FOREIGN_KEYS) == before
    after = await read_distribution(with_citus)
    assert {table.place is table.wanted for table in after.tables} == {True}
    assert after.machines == 2
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
