"""The views that docs/sql.md promises."""

import math
import re
from pathlib import Path

import asyncpg
import pytest

from stepwell_server.store.postgres.pool import Pool
from tests.harness.store.stored_logs import StoredLog, new_run

COLUMNS = {
    "runs": ["run_id", "experiment", "name", "status", "start_time", "end_time", "user_name"],
    "run_params": ["run_id", "key", "value"],
    "run_tags": ["run_id", "key", "value"],
    "run_metrics": [
        "run_id", "key", "step", "timestamp_ms", "value", "count", "non_finite_count", "value_min", "value_max",
        "value_mean",
    ],
    "metric_points": ["run_id", "key", "rank", "writer_id", "step", "timestamp_ms", "value"],
}  # fmt: skip


@pytest.mark.parametrize("view", COLUMNS)
async def test_views_have_the_columns_that_are_promised(pool: Pool, view: str) -> None:
    query = (
        "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position"
    )
    async with pool.connection() as connection:
        assert [row[0] for row in await connection.fetch(query, view)] == COLUMNS[view]


async def test_views_show_what_active_runs_logged(pool: Pool) -> None:
    run_id, deleted = await new_run(pool, 1_500), await new_run(pool)
    for each in (run_id, deleted):
        await StoredLog(pool, each, rank=2).commit({"loss": [(1, 5, 2.0), (2, 6, 4.0), (3, 7, math.nan)]})
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO param VALUES ($1, 'lr', '0.1'), ($2, 'lr', '1')", run_id, deleted
        )
        await connection.execute("INSERT INTO tag VALUES ($1, 'a', 'b'), ($2, 'a', 'c')", run_id, deleted)
        await connection.execute(
            "UPDATE run SET lifecycle_stage = 'deleted', deleted_time_ms = 1 WHERE run_id = $1", deleted
        )
        (run,) = await connection.fetch("SELECT * FROM runs")
        assert (run["run_id"], run["experiment"], run["status"]) == (run_id, "Default", "RUNNING")
        assert run["start_time"].timestamp() == 1.5
        assert [tuple(row) for row in await connection.fetch("SELECT * FROM run_params")] == [
            (run_id, "lr", "0.1")
        ]
        assert [tuple(row) for row in await connection.fetch("SELECT * FROM run_tags")] == [
            (run_id, "a", "b")
        ]
        (metric,) = await connection.fetch("SELECT * FROM run_metrics")
        assert (metric["key"], metric["step"], metric["count"], metric["non_finite_count"]) == (
            "loss",
            3,
            3,
            1,
        )
        assert (metric["value_min"], metric["value_max"], metric["value_mean"]) == (2.0, 4.0, 3.0)


async def test_the_examples_of_the_page_run(pool: Pool) -> None:
    """Those for Grafana with what Grafana puts in the places of its variables and macros."""
    run_id = await new_run(pool, 1_700_000_000_000)
    points = [(step, 1_700_000_000_000 + 500 * step, float(step)) for step in range(4)]
    await StoredLog(pool, run_id).commit({"loss": points, "accuracy": points})
    page = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    blocks += re.findall(r"\(`(SELECT .*?)`\)", page)
    blocks += re.findall(r'read_sql\("(.*?)"', page)
    found = {}
    async with pool.connection() as connection:
        for block in blocks:
            text = block.replace("0c1d6a5e7b8f4f0c9d3e2a1b0c9d8e7f", run_id.hex).replace("$run", run_id.hex)
            text = text.replace("$metric", "'loss', 'accuracy'").replace("first steps", "Default")
            text = re.sub(r"\$__timeFilter\((.*)\)", r"\1 BETWEEN '2023-01-01' AND '2024-01-01'", text)
            for statement in filter(str.strip, text.split(";")):
                undone = connection.transaction()
                await undone.start()
                try:
                    found[statement.strip()] = await connection.fetch(statement)
                except asyncpg.UndefinedObjectError:
                    assert statement.strip().startswith("GRANT")  # the role's statement was undone
                finally:
                    await undone.rollback()
    counts = [
        len(rows) for statement, rows in found.items() if "SELECT" in statement and "GRANT" not in statement
    ]
    assert counts == [1, 4, 4, 1, 2, 0]  # best runs, history, panel, its two variables, params
