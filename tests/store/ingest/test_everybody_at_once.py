"""Whoever changes runs, all at once and on the same ones: nobody waits for ever, and nothing is lost."""

import asyncio
from collections.abc import Awaitable
from uuid import UUID

import pytest

from stepwell_server.model.ingest import (
    Batch,
    Entry,
    InputEntry,
    ParamEntry,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
)
from stepwell_server.model.runs import Dataset, DatasetInput, RunStatus
from stepwell_server.process.telemetry import COMMITS_FAILED
from stepwell_server.search.expressions import Expression
from stepwell_server.search.parser import parse_filter
from stepwell_server.search.subjects import RUNS
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.value_index import settle
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.runs import PostgresRunStore
from stepwell_server.store.tracking.searches import PostgresSearchStore
from tests.harness.store.logs import Log, commit, new_run, opened, rows

RUN_COUNT = 3
ROUNDS = 12


def some(text: str) -> Expression:
    parsed = parse_filter(text, RUNS)
    assert parsed is not None
    return parsed


async def log_all(pool: Pool, run_ids: list[UUID], worker: int) -> None:
    """Streams points, params, tags, names and statuses to every run, through a server's writer of its own."""
    logs = [await opened(pool, run_id) for run_id in run_ids[:: 1 if worker % 2 else -1]]
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        for number in range(ROUNDS):
            # One after another: who holds the rows of the first kind keeps others from meeting at those of the next.
            await commit(writer, *[_points(log, worker, number) for log in logs])
            await commit(writer, *[_tags(log, worker, number) for log in logs])
            await commit(writer, *[_status(log, number) for log in logs])


def _points(log: Log, worker: int, number: int) -> Batch:
    entry = ParamEntry(log.position, f"param {worker} {number}", "x")
    return log.batch({key: [(number, worker, 1.0)] for key in ("a", "b")}, [entry])


def _tags(log: Log, worker: int, number: int) -> Batch:
    tags = {f"streamed/{worker}": str(number), "mlflow.runName": f"{worker}.{number}", "shared": "streamed"}
    entries: list[Entry] = [TagEntry(log.position + at, *tag) for at, tag in enumerate(tags.items())]
    # A tag that only one of two streams removes, each after another one that both set.
    entries.append(TagEntry(log.position + 3, f"removed.{worker % 2}", "1"))
    entries.append(TagRemovalEntry(log.position + 4, f"removed.{1 - worker % 2}"))
    for at in range(2):
        dataset = Dataset(f"shared {(worker + at) % 2}", str(number), "local", "{}", "", "")
        entries.append(InputEntry(log.position + 5 + at, DatasetInput(dataset, {str(worker): "1"})))
    return log.batch({}, entries)


def _status(log: Log, number: int) -> Batch:
    return log.batch({}, [StatusEntry(log.position, RunStatus.FINISHED, number)])


async def change_all(pool: Pool, run_ids: list[UUID], worker: int) -> None:
    """Renames runs one by one, and tags all of them at once."""
    runs, found = PostgresRunStore(pool), PostgresSearchStore(pool)
    for number in range(ROUNDS):
        for run_id in run_ids[:: -1 if worker % 2 else 1]:
            await runs.update_run(run_id, RunStatus.RUNNING, None, f"renamed {worker}.{number}")
        tags = {f"bulk/{worker}": str(number), "shared": str(worker)}
        assert await found.tag_runs([0], some("run_id IS NOT NULL"), tags) == len(run_ids)


async def until_done(pool: Pool, others: Awaitable[object]) -> None:
    task = asyncio.ensure_future(others)
    while not task.done():
        await settle(pool, 0)
        await asyncio.sleep(0)
    await task


@pytest.mark.usefixtures("both_forms")
async def test_nobody_deadlocks_and_no_update_is_lost(pool: Pool) -> None:
    run_ids = sorted([await new_run(pool) for _ in range(RUN_COUNT)])
    failed_before = COMMITS_FAILED._value.get()
    workers = range(3)
    everybody = [act(pool, run_ids, worker) for worker in workers for act in (log_all, change_all)]
    async with asyncio.timeout(120):
        await until_done(pool, asyncio.gather(*everybody))
    assert COMMITS_FAILED._value.get() == failed_before  # a deadlock of a commit would be tried again, unseen
    last = str(ROUNDS - 1)
    for run_id in run_ids:
        tags = dict(await rows(pool, "SELECT key, value FROM tag WHERE run_id = $1", run_id))
        assert {key: tags[key] for key in tags if "/" in key} == {
            f"{kind}/{worker}": last for kind in ("streamed", "bulk") for worker in workers
        }
        assert await rows(pool, "SELECT name FROM run WHERE run_id = $1", run_id) == [
            (tags["mlflow.runName"],)
        ]
        [(params,)] = await rows(pool, "SELECT count(*) FROM param WHERE run_id = $1", run_id)
        assert params == ROUNDS * len(workers)
        latest = "SELECT count, step FROM metric_latest WHERE run_id = $1"
        assert await rows(pool, latest, run_id) == [(ROUNDS * len(workers), ROUNDS - 1)] * 2
    await settle(pool, 0)
    stale = "SELECT count(*) FROM metric_latest WHERE indexed_value IS DISTINCT FROM value"
    assert await rows(pool, stale) == [(0,)]
