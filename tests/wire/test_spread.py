"""A server on a database that is spread over machines, as harness/citus.py has it: all statements in that form."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import stepwell
from stepwell import StepwellClient
from stepwell_server.app import RunningServer
from stepwell_server.maintenance import collect_garbage, compact_everything
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.upkeep.garbage import Selection
from tests.harness.store.databases import spread_database


@pytest.fixture
async def database_url(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(sql.Queries, "is_distributed", False)  # put back at the end
    async with spread_database() as url:
        yield url


@pytest.fixture
async def looking(database_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


def log_everything(uri: str, folder: Path) -> tuple[str, str]:
    """Log what a run can have, and register a model of it; returns the run and its experiment."""
    client = StepwellClient(uri)
    experiment_id = client.create_experiment("spread")
    run_id = client.create_run(experiment_id, tags={"team": "a"}).info.run_id
    client.log_param(run_id, "lr", 0.1)
    for step in range(70):
        client.log_metric(run_id, "loss", 1 / (step + 1), step=step, synchronous=True)
    (folder / "notes.txt").write_text("spread")
    client.log_artifact(run_id, str(folder / "notes.txt"), "texts")
    client.create_registered_model("m")
    client.alert(run_id, "first", "between two changes")
    client.flush()
    client.create_model_version("m", f"runs:/{run_id}/texts", run_id)
    client.set_terminated(run_id)
    return run_id, experiment_id


NUMBERS = """
    SELECT array_agg(event_number ORDER BY event_number) AS given,
           array_agg(kind ORDER BY event_number) AS kinds,
           (SELECT number FROM named_lock WHERE lock_key = $1) AS last
    FROM webhook_event
"""


async def test_everything_is_logged_found_read_and_removed(
    server: RunningServer, pool: Pool, looking: Any, tmp_path: Path
) -> None:
    assert sql.is_distributed()
    run_id, experiment_id = await asyncio.to_thread(log_everything, server.tracking_uri, tmp_path)
    row = await looking.fetchrow(NUMBERS, int.from_bytes(b"registry"))
    assert row["kinds"][1] == "alert"
    assert row["given"] == list(
        range(row["given"][0], row["last"] + 1)
    )  # none is missing, in the order of the commits
    assert await looking.fetchval("SELECT count(*) FROM artifact_lock") == 1
    assert await looking.fetchval("SELECT min(metric_id) FROM metric_latest") > 2**48
    merged = await compact_everything(pool)
    assert merged["merged_chunks"] >= 64

    def read() -> None:
        client = StepwellClient(server.tracking_uri)
        found = client.search_runs(
            [experiment_id], "metrics.loss < 0.5 AND params.lr = '0.1' AND tags.team = 'a'"
        )
        assert [it.info.run_id for it in found] == [run_id]
        assert [it.value for it in client.get_metric_history(run_id, "loss")] == [
            1 / (n + 1) for n in range(70)
        ]
        assert [it.path for it in client.list_artifacts(run_id, "texts")] == ["texts/notes.txt"]
        assert [it.title for it in client.list_alerts(run_id)] == ["first"]
        series = stepwell.get_metric_series([run_id], ["loss"], tracking_uri=server.tracking_uri)
        assert series[0].steps.tolist() == list(range(70))
        client.delete_model_version("m", 1)
        client.delete_run(run_id)

    await asyncio.to_thread(read)
    sums = await collect_garbage(pool, Selection(), dry_run=False, tell=lambda _: None)
    assert (sums["runs"], sums["points"], sums["artifacts"]) == (1, 70, 1)
    assert await looking.fetchval("SELECT count(*) FROM artifact_lock") == 0
