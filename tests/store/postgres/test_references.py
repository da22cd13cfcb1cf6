"""Every reference leads an index of its own table: else each removal of what is referred to reads that whole table."""

import asyncpg

# (table, columns): why nobody needs one
EXCEPTIONS = {("metric_latest", "metric_id"): "nothing ever removes the name of a metric"}

# An index serves when it begins with the columns, in any order, and leaves out no rows but those that refer to nothing.
WITHOUT_INDEX = """
    SELECT conrelid::regclass::text AS table_name, referring.names
    FROM pg_constraint AS reference
    CROSS JOIN LATERAL (
        SELECT string_agg(attname, ', ' ORDER BY attname) AS names,
               string_agg(format('(%I IS NOT NULL)', attname), ' AND ' ORDER BY attname) AS are_set
        FROM pg_attribute
        WHERE attrelid = conrelid AND attnum = ANY (conkey)
    ) AS referring
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND NOT EXISTS (
        SELECT FROM pg_index
        WHERE indrelid = conrelid AND indisvalid
          AND conkey @> (indkey::smallint[])[0:cardinality(conkey) - 1]
          AND conkey <@ (indkey::smallint[])[0:cardinality(conkey) - 1]
          AND (indpred IS NULL OR pg_get_expr(indpred, indrelid) = referring.are_set)
    )
"""


async def test_every_reference_is_found_by_an_index(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(WITHOUT_INDEX)
    finally:
        await connection.close()
    found = {(row["table_name"], row["names"]) for row in rows}
    assert found == EXCEPTIONS.keys(), "give it an index in a migration, or say here why it needs none"
