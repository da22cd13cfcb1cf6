"""Each rule of tests/sql_rules finds what it is for, and lets what is right pass."""

import pytest

from stepwell_server.store.postgres.migrations import Migration
from tests.sql_rules.migrations import LAST_WITHOUT, wrong_migrations
from tests.sql_rules.report import findings, problems
from tests.sql_rules.rules import RULES, Rule
from tests.sql_rules.schema import Schema, known_schema
from tests.sql_rules.statements import Statement, statement

CASES = {
    "named runs": [
        (
            "UPDATE writer SET position = given.a FROM unnest($1::uuid[], $2::bigint[]) AS given (id, a)"
            " WHERE writer.run_id = given.id",
            "UPDATE writer SET position = given.a FROM unnest($1::uuid[], $2::bigint[]) AS given (id, a)"
            " WHERE writer.run_id = given.id AND writer.run_id = ANY ($1::uuid[])",
        ),
        (
            "SELECT FROM run JOIN tag USING (run_id) WHERE run.run_id = ANY ($1)",
            "SELECT FROM run JOIN tag USING (run_id) WHERE run.run_id = ANY ($1) AND tag.run_id = ANY ($1)",
        ),
        (
            "SELECT FROM run LEFT JOIN tag ON tag.run_id = run.run_id AND tag.key = $2 WHERE $1 IN (run.run_id)",
            "SELECT FROM run LEFT JOIN tag ON tag.run_id = run.run_id AND tag.key = $2 WHERE run.run_id = $1",
        ),
        (
            "SELECT (SELECT max(step) FROM tag AS it WHERE it.run_id = run.run_id) FROM run WHERE run_id = $1",
            "SELECT (SELECT max(step) FROM tag AS it WHERE it.run_id = $1) FROM run WHERE run_id = $1",
        ),
        (
            "SELECT FROM run WHERE run_id = ANY (ARRAY(SELECT unnest($1::uuid[])))",
            "SELECT FROM run WHERE run_id = ANY ($1::uuid[])",
        ),
        (
            "SELECT FROM run WHERE run_id = $1 OR name = $2",
            "SELECT FROM run WHERE run_id = $1 AND (name = $2 OR name = $3)",
        ),
        (
            "SELECT FROM visible_chunk AS chunk WHERE chunk.run_id = ANY ($1)",
            "SELECT FROM visible_chunk AS chunk WHERE chunk.run_id = $1",
        ),
        (
            "WITH few AS (SELECT run_id, key FROM tag WHERE run_id = $1 LIMIT 5)"
            " DELETE FROM tag USING few WHERE tag.run_id = few.run_id AND tag.key = few.key",
            "WITH few AS (SELECT key FROM tag WHERE run_id = $1 LIMIT 5)"
            " DELETE FROM tag USING few WHERE tag.run_id = $1 AND tag.key = few.key",
        ),
    ],
    "joined runs": [
        (
            "SELECT FROM artifact AS a JOIN artifact AS b USING (path) WHERE a.run_id = $1 AND b.run_id = $2",
            "SELECT FROM artifact AS a JOIN artifact AS b USING (path) WHERE a.run_id = $1 AND b.run_id = $1",
        ),
        (
            "SELECT FROM run, tag WHERE run.run_id = ANY ($1) AND tag.run_id = ANY ($1)",
            "SELECT FROM run, tag WHERE run.run_id = ANY ($1) AND tag.run_id = ANY ($1) AND tag.run_id = run.run_id",
        ),
    ],
    "no volatile change": [
        (
            "UPDATE compaction SET round_ended_time_ms = extract(epoch FROM clock_timestamp())",
            "UPDATE compaction SET round_ended_time_ms = extract(epoch FROM statement_timestamp())",
        ),
        (
            "DELETE FROM webhook WHERE next_attempt_ms < extract(epoch FROM clock_timestamp())",
            "DELETE FROM webhook WHERE next_attempt_ms < extract(epoch FROM now())",
        ),
    ],
    "no unsteady choice": [
        (
            "UPDATE run SET end_time_ms = coalesce(end_time_ms, extract(epoch FROM now())) WHERE run_id = $1",
            "UPDATE run SET end_time_ms = coalesce(end_time_ms, $2), start_time_ms = extract(epoch FROM now())"
            " WHERE run_id = $1",
        ),
        (
            "UPDATE run SET name = CASE WHEN now() > $2 THEN 'a' END WHERE run_id = $1",
            "UPDATE run SET name = CASE WHEN length(name) > $2 THEN 'a' END WHERE run_id = $1",
        ),
    ],
    "no unsteady return": [
        (
            "DELETE FROM metric_chunk WHERE run_id = $1 RETURNING array_send(steps)",
            "WITH taken AS (DELETE FROM metric_chunk WHERE run_id = $1 RETURNING steps)"
            " SELECT array_send(steps) FROM taken",
        ),
        (
            "INSERT INTO tag AS it VALUES ($1, $2, $3) ON CONFLICT (run_id, key) DO UPDATE SET value = now()::text",
            "INSERT INTO tag AS it VALUES ($1, $2, $3) ON CONFLICT (run_id, key) DO UPDATE SET value = upper($3)",
        ),
    ],
    "locks of one run": [
        (
            "SELECT FROM run WHERE run_id = ANY ($1) ORDER BY run_id FOR NO KEY UPDATE",
            "SELECT FROM run WHERE run_id = $1 FOR NO KEY UPDATE",
        ),
        (
            "SELECT FROM experiment WHERE experiment_id IN (SELECT experiment_id FROM run) FOR UPDATE",
            "SELECT FROM experiment WHERE experiment_id = ANY ($1) FOR UPDATE",
        ),
    ],
    "no shared lock everywhere": [
        (
            "SELECT FROM experiment WHERE experiment_id = $1 FOR SHARE",
            "SELECT FROM experiment WHERE experiment_id = $1 FOR UPDATE",
        ),
        (
            "SELECT FROM run JOIN experiment USING (experiment_id) WHERE run_id = $1 FOR SHARE",
            "SELECT FROM run JOIN experiment USING (experiment_id) WHERE run_id = $1 FOR SHARE OF run",
        ),
    ],
    "no limit for each row": [
        (
            "SELECT FROM unnest($1::uuid[]) AS given (id) CROSS JOIN LATERAL"
            " (SELECT * FROM tag WHERE tag.run_id = given.id LIMIT 1) AS it WHERE true",
            "SELECT FROM unnest($1::uuid[]) AS given (id) CROSS JOIN LATERAL"
            " (SELECT * FROM tag WHERE tag.run_id = given.id) AS it WHERE true",
        ),
        (
            "SELECT FROM run CROSS JOIN LATERAL (SELECT FROM (SELECT FROM tag OFFSET 0) AS b) AS a WHERE run_id = $1",
            "SELECT FROM run CROSS JOIN LATERAL (SELECT FROM (SELECT FROM tag WHERE run_id = $1 OFFSET 0) AS b) AS a"
            " WHERE run_id = $1",
        ),
    ],
    "no probe for each row": [
        (
            "SELECT FROM experiment AS e WHERE NOT EXISTS (SELECT FROM run WHERE run.experiment_id = e.experiment_id)",
            "SELECT FROM experiment AS e WHERE experiment_id NOT IN (SELECT experiment_id FROM run)",
        ),
        (
            "WITH found AS (SELECT $1::uuid AS id)"
            " SELECT (SELECT count(*) FROM tag WHERE run_id = id) FROM found WHERE true",
            "WITH found AS (SELECT $1::uuid AS id)"
            " SELECT (SELECT count(*) FROM tag WHERE tag.run_id = run.run_id) FROM found JOIN run ON run_id = id",
        ),
    ],
    "no recursion": [
        (
            "WITH RECURSIVE up AS (SELECT run_id, value FROM tag WHERE run_id = ANY ($1::uuid[])"
            " UNION ALL SELECT tag.run_id, tag.value FROM up JOIN tag ON tag.run_id = ANY ($1::uuid[])) TABLE up",
            "WITH RECURSIVE up AS (SELECT run_id, value FROM tag WHERE run_id = $1"
            " UNION ALL SELECT tag.run_id, tag.value FROM up JOIN tag ON tag.run_id = $1) TABLE up",
        ),
    ],
    "no reading function": [
        (
            "SELECT FROM artifact WHERE run_id = $1 AND is_of_model(linked_model_id)",
            "SELECT FROM artifact WHERE run_id = $1 AND text_number(path) > 1 AND EXISTS"
            " (SELECT FROM logged_model WHERE model_id = linked_model_id)",
        ),
    ],
    "targets alone": [
        (
            "UPDATE artifact_content SET reference_count = 1 FROM (SELECT content_id FROM artifact WHERE run_id = $1)"
            " AS shown WHERE artifact_content.content_id = shown.content_id",
            "WITH shown AS (SELECT content_id FROM artifact WHERE run_id = $1)"
            " UPDATE artifact_content SET reference_count = 1 FROM shown"
            " WHERE artifact_content.content_id = shown.content_id",
        ),
        (
            "DELETE FROM experiment USING run WHERE run.experiment_id = experiment.experiment_id",
            "DELETE FROM experiment WHERE experiment_id NOT IN (SELECT experiment_id FROM run)",
        ),
    ],
    "rows stay": [
        (
            "UPDATE tag SET run_id = $2 WHERE run_id = $1",
            "UPDATE tag SET value = $2 WHERE run_id = $1",
        ),
        (
            "INSERT INTO tag VALUES ($1, $2, $3) ON CONFLICT (run_id, key) DO UPDATE SET run_id = excluded.run_id",
            "INSERT INTO tag VALUES ($1, $2, $3) ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value",
        ),
    ],
    "plain conflicts": [
        (
            "INSERT INTO metric (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = (SELECT 'a')",
            "INSERT INTO metric (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name",
        ),
    ],
    "named target": [
        (
            "INSERT INTO rewind (run_id) SELECT run_id FROM writer WHERE run_id = $1 RETURNING rewind_number",
            "INSERT INTO rewind AS it (run_id) SELECT run_id FROM writer WHERE run_id = $1 RETURNING it.rewind_number",
        ),
        (
            "INSERT INTO tag SELECT $1, key, '' FROM unnest($2::text[]) AS given (key) RETURNING *",
            "INSERT INTO tag VALUES ($1, $2, $3) RETURNING *",
        ),
    ],
}  # fmt: skip
RULE = {rule.name: rule for rule in RULES}


def broken(text: str, rule: Rule) -> list[str]:
    return [finding.wrong for finding in findings([read(text)], [rule])]


def read(text: str, name: str = "runs.one") -> Statement:
    return statement(name, text, known_schema())


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [(RULE[name], bad, good) for name, cases in CASES.items() for bad, good in cases],
)
def test_a_rule_tells_bad_from_good(rule: Rule, bad: str, good: str) -> None:
    assert broken(bad, rule)
    assert not broken(good, rule)


def test_every_rule_has_cases() -> None:
    assert list(CASES) == [rule.name for rule in RULES]


def test_a_finding_says_where_what_and_what_would_be_right() -> None:
    (text,) = problems(findings([read("SELECT FROM run")]), {})
    assert text.startswith(
        "server/stepwell_server/store/sql/runs.sql: one: named runs: run is read from all machines; right: say "
    )


def test_the_list_excuses_and_shrinks() -> None:
    bad, good = read("SELECT FROM run"), read("SELECT FROM run WHERE run_id = $1")
    search = read("SELECT FROM run", "search runs by name")
    listed = {"named runs": ["runs.one", "search runs"]}
    assert not list(problems(findings([bad, search]), listed))
    (text,) = problems(findings([good, search]), listed)
    assert text == "exceptions.py: runs.one keeps to the rule 'named runs' now: take it off the list"


def test_tables_are_spread_whose_primary_key_begins_with_run_id() -> None:
    schema = Schema()
    schema.apply(
        "CREATE TABLE a (run_id uuid PRIMARY KEY); CREATE TABLE b (id uuid, run_id uuid, PRIMARY KEY (id, run_id));"
        "CREATE TABLE c (run_id uuid, id uuid); ALTER TABLE c ADD PRIMARY KEY (run_id, id);"
        "CREATE TABLE d (name text PRIMARY KEY, run_id uuid)"
    )
    assert [table for table in schema.tables if schema.is_spread(table)] == ["a", "c"]


NEW = "CREATE TABLE a (run_id uuid PRIMARY KEY, b bigint);"
KEY = "ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b;"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (NEW, "a gets no place; right: a line `-- place: a` behind it"),
        (f"{NEW}\n-- place: b\n-- place: a", "b is placed, and was not made before"),
        (
            "CREATE TABLE a (run_id uuid REFERENCES run PRIMARY KEY);\n-- place: a",
            "a has foreign keys before its place",
        ),
        ("CREATE TABLE a (run_id uuid);\n-- place: a", "a has no primary key"),
        (f"{NEW} {KEY}\n-- place: a", "the foreign key a_b of a comes before the place of a table"),
        (
            f"{NEW}\n-- place: a\nALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;",
            "a foreign key of a has no name",
        ),
        (f"{NEW[:-2]}, UNIQUE (b));\n-- place: a", "a is unique without run_id"),
        ("CREATE TABLE a (b integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);\n-- place: a", "is no bigint"),
        (f"{NEW}\n-- place: a\nCREATE UNIQUE INDEX c ON a (b);", "c is unique without run_id"),
        ("ALTER TABLE old ADD COLUMN c bigint CONSTRAINT d REFERENCES b;", "is added with a foreign key"),
        ("ALTER TABLE old ADD COLUMN c bigint, ALTER COLUMN d SET NOT NULL;", "does several things"),
        ("CREATE INDEX CONCURRENTLY c ON a (b);", "c is made CONCURRENTLY"),
        ("DO $$ BEGIN END $$;", "DoStmt is not told to other machines"),
        ("CREATE TABLE a AS SELECT 1;", "CreateTableAsStmt is not told"),
    ],
)
def test_a_migration_leaves_a_database_wholly_spread(text: str, wrong: str) -> None:
    old = Migration(1, "old", "CREATE TABLE old (id integer GENERATED ALWAYS AS IDENTITY)")
    told = list(wrong_migrations([old, Migration(LAST_WITHOUT + 1, "new", text)]))
    assert any(f"migrations/{LAST_WITHOUT + 1:04}_new.sql: " in it and wrong in it for it in told), told
    assert not any("0001_old" in it for it in told)


def test_a_migration_that_places_what_it_makes_is_right() -> None:
    counted = "CREATE TABLE b (b bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);"
    text = f"{counted}\n-- place: b\n{NEW}\n-- place: a\n{KEY}"
    assert not list(wrong_migrations([Migration(LAST_WITHOUT + 1, "new", text)]))
