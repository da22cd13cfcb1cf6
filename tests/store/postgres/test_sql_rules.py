"""What the rules for SQL know without a database is what PostgreSQL says."""

from stepwell_server.store import sql
from stepwell_server.store.postgres.placing import NOTES
from stepwell_server.store.postgres.pool import Pool
from tests.sql_rules.functions import OF_CITUS, STEADY, called, volatility
from tests.sql_rules.schema import known_schema
from tests.sql_rules.searches import compiled_searches
from tests.sql_rules.statements import FOLDER, all_statements

# Of every name the most volatile of its functions: volatile, stable, immutable.
_VOLATILITY = """
    SELECT proname, (array_agg(provolatile ORDER BY provolatile DESC))[1]::text AS kind
    FROM pg_proc
    WHERE proname = ANY ($1::text[])
    GROUP BY proname
"""
_KEYS = """
    SELECT conrelid::regclass::text AS name, attname::text AS leads
    FROM pg_constraint
    JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    WHERE contype = 'p' AND connamespace = 'public'::regnamespace AND conrelid <> 'schema_migration'::regclass
"""
# Unique keys that go without run_id, and foreign keys that do.
_UNIQUE = """
    SELECT indexrelid::regclass::text AS name, indrelid::regclass::text AS table
    FROM pg_index
    WHERE indisunique AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey) AND attname = 'run_id'
    )
"""
_FOREIGN = """
    SELECT conname::text AS name, conrelid::regclass::text AS table, confrelid::regclass::text AS refers_to
    FROM pg_constraint
    WHERE contype = 'f' AND NOT EXISTS (
        SELECT
        FROM unnest(conkey, confkey) AS part (own, other)
        JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = part.own AND a.attname = 'run_id'
        JOIN pg_attribute AS b ON b.attrelid = confrelid AND b.attnum = part.other AND b.attname = 'run_id'
    )
"""
_KINDS = {"v": "volatile", "s": "stable", "i": "immutable"}


async def test_postgresql_takes_all_statements_in_both_forms(pool: Pool) -> None:
    async with pool.connection() as connection:
        for path in sorted(FOLDER.glob("*.sql")):
            for text in sql.parse(path.read_text("utf-8"), path.stem).values():
                for form in {sql.single(text), sql.distributed(text)}:
                    if not any(name in form for name in ("pg_dist_", NOTES, *OF_CITUS)):
                        await connection.prepare(form)


async def test_functions_are_as_volatile_as_the_rules_think(pool: Pool) -> None:
    schema = known_schema()
    names = {
        name
        for statement in all_statements(schema, list(compiled_searches()))
        for level in statement.top.all()
        for name in called(level.node)
    }
    async with pool.connection() as connection:
        rows = await connection.fetch(_VOLATILITY, sorted(names))
    assert {row["proname"]: volatility(row["proname"], schema) for row in rows} == {
        row["proname"]: "immutable" if row["proname"] in STEADY else _KINDS[row["kind"]] for row in rows
    }
    assert {row["proname"] for row in rows} == names - OF_CITUS


async def test_tables_are_spread_as_their_keys_say(pool: Pool) -> None:
    schema = known_schema()
    async with pool.connection() as connection:
        leads = {row["name"]: row["leads"] for row in await connection.fetch(_KEYS)}
    assert {table: schema.is_spread(table) for table in schema.tables} == {
        table: column == "run_id" for table, column in leads.items()
    }


async def test_no_key_of_a_spread_table_goes_without_its_run(pool: Pool) -> None:
    schema = known_schema()
    async with pool.connection() as connection:
        unique, foreign = await connection.fetch(_UNIQUE), await connection.fetch(_FOREIGN)
    assert unique
    assert [row["name"] for row in unique if schema.is_spread(row["table"])] == []
    assert foreign
    assert [row["name"] for row in foreign if schema.is_spread(row["refers_to"])] == []
