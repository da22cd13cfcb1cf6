"""A commit of nothing but points, in one call, leaves what any commit would, and knows when it must not."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from stepwell_server.model.ingest import Batch, Call, Committed, NotJoined
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest import points as commits
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.plain_commits import CALL_POINTS_MAX, DIRECT_POINTS_MAX
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.ingest.value_index import settle
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.postgres.pooler import Database
from stepwell_server.store.sql import load
from tests.harness.store.logs import WAITING, Log, new_run, opened, rows
from tests.store.ingest.test_lone_calls import TIMES, Caller, points_by_chance, stored


@pytest.fixture
async def pooled(database_url: str) -> AsyncIterator[Pool]:
    """Connections as behind a pooler; there need not be one."""
    async with open_pool(Database(database_url, is_pooled=True), Deadline(5)) as opened_pool:
        yield opened_pool


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each group that is plain was committed so, in order."""
    taken: list[bool] = []
    real = commits.commit_plain

    async def noted(*arguments: Any) -> bool:
        taken.append(await real(*arguments))
        return taken[-1]

    monkeypatch.setattr(commits, "commit_plain", noted)
    return taken


async def commit_group(pool: Pool, batches: list[Batch]) -> list[Any]:
    store = PointStore(pool, MetricIds(pool))
    return await store.commit(await store.prepare(batches))


async def set_asynchronous(pool: Pool) -> None:
    """Let commits of new connections be answered before they are on disk, unless they say otherwise."""
    async with pool.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit TO off')


@pytest.mark.parametrize("most", [4, CALL_POINTS_MAX], ids=["in one call", "with a COPY"])
async def test_it_leaves_what_other_commits_leave(
    pool: Pool, pooled: Pool, ways: list[bool], most: int
) -> None:
    chosen = random.Random(most)
    pool.may_send_alone = False  # so all goes the long way there
    runs: dict[Pool, list[UUID]] = {}
    logs: dict[Pool, list[Log]] = {}
    for each in (pool, pooled):
        runs[each] = [await new_run(each) for _ in range(3)]
        logs[each] = [await opened(each, run_id) for run_id in (*runs[each], runs[each][0])]
    for number in range(12):
        if number == 6:
            await settle(pool, -1_000_000)
        series = {
            writer: {
                key: points_by_chance(chosen, chosen.randint(1, most), chosen.choice((TIMES[:4], TIMES)))
                for key in chosen.sample("abc", 2)
            }
            for writer in chosen.sample(range(4), chosen.randint(1, 4))
        }
        batches = {each: [logs[each][writer].batch(of) for writer, of in series.items()] for each in logs}
        outcomes = [await commit_group(each, batches[each]) for each in (pool, pooled)]
        assert outcomes[0] == outcomes[1]
    assert ways == [True] * 12
    for one, other in zip(runs[pool], runs[pooled], strict=True):
        assert await stored(pool, one) == await stored(pool, other)


async def test_it_leaves_to_others_what_is_not_as_it_mostly_is(pooled: Pool, ways: list[bool]) -> None:
    here, there = [await opened(pooled, await new_run(pooled)) for _ in range(2)]

    async def both(size: int = 1) -> list[Any]:
        points = [(step, 0, 1.0) for step in range(size)]
        return await commit_group(pooled, [log.batch({"a": points}) for log in (here, there)])

    assert await both() == [Committed(1, 1, 0), Committed(1, 1, 0)]
    here.position = 0  # a repeat
    assert await both() == [NotJoined(1), Committed(2, 1, 0)]
    there.position += 1  # a gap, of much
    assert await both(2_000) == [Committed(2_001, 2_000, 0), NotJoined(2)]
    there.position = 2
    await PostgresRewindStore(pooled).rewind(here.run_id, 0)
    assert await both() == [Committed(2_002, 1, 0), Committed(3, 1, 0)]
    assert await rows(pooled, "SELECT count FROM metric_latest WHERE run_id = $1", here.run_id) == []
    other = await opened(pooled, await new_run(pooled, stage="deleted"))
    (outcome,) = await commit_group(pooled, [other.batch({"a": [(0, 0, 1.0)]})])
    assert (outcome.points, outcome.rejections[0].error_code) == (0, "INVALID_STATE")
    assert ways == [True, False, False, False, False]


@pytest.mark.parametrize("change", ["moved", "settled"])
async def test_what_changes_while_it_waits_for_a_writer_is_seen(
    pool: Pool, pooled: Pool, change: str, ways: list[bool]
) -> None:
    log = await opened(pool, await new_run(pool))
    changes = {
        "moved": "UPDATE writer SET position = 1 WHERE run_id = $1",
        "settled": "UPDATE run SET unsettled_time_ms = NULL WHERE run_id = $1",
    }
    async with GroupCommitWriter(PointStore(pooled, MetricIds(pooled))) as writer:
        async with pool.transaction() as connection, asyncio.timeout(20):
            await connection.execute("SELECT FROM writer WHERE run_id = $1 FOR NO KEY UPDATE", log.run_id)
            await connection.execute(changes[change], log.run_id)
            settled = await writer.submit(log.batch({"a": [(0, 0, 1.0)]}))
            while await rows(pool, WAITING) == [(0,)]:
                assert not settled.done()
        assert await settled == (NotJoined(1) if change == "moved" else Committed(1, 1, 0))
    assert await rows(pool, "SELECT unsettled_time_ms IS NULL FROM run WHERE run_id = $1", log.run_id) == [
        (False,)
    ]
    # The database undoes it for whoever was first; the second try looks before it begins.
    assert ways == ([False] if change == "moved" else [True])


async def test_it_is_on_disk_whatever_the_database_says(pool: Pool, pooled: Pool) -> None:
    """What the call sets for its transaction is in force when the transaction is committed."""
    await set_asynchronous(pool)
    async with pooled.connection() as connection:
        nothing = [*([[]] * 31), "{}", "{}", "{}", []]
        call = f"{load('ingest')['commit_points']}, current_setting('synchronous_commit')"
        assert await connection.fetchval_alone(call, *nothing, column=1) == "on"
        assert await connection.fetchval_alone("SHOW synchronous_commit") == "off"


async def test_a_lone_call_is_one_statement_too(database_url: str, pool: Pool) -> None:
    await set_asynchronous(pool)
    seen: list[str] = []
    async with open_pool(Database(database_url, is_pooled=True), Deadline(5), size=1) as pooled:
        caller = await Caller(pooled, await new_run(pooled)).open(pooled)
        await caller.commit({"a": [(0, 0, 1.0)]}, Call(uuid4()))
        async with pooled.connection() as connection:
            connection.add_query_logger(lambda query: seen.append(query.query.split()[-1]))
            # What the statement has set, seen by what comes behind it in the same transaction.
            await connection.execute(
                "CREATE FUNCTION refuse_asynchronous() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF current_setting('synchronous_commit') <> 'on' THEN RAISE 'it may be lost'; END IF;"
                " RETURN NULL; END $$"
            )
            await connection.execute(
                "CREATE CONSTRAINT TRIGGER last AFTER INSERT ON logged_call DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION refuse_asynchronous()"
            )
        seen.clear()
        assert await caller.commit({"a": [(1, 1, 1.0)]}, Call(uuid4())) == Committed(2, 1, 0)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("is_pooled", "points", "expected"),
    [
        (True, 20, 1),
        (True, 2_000, 3),
        (False, DIRECT_POINTS_MAX, 1),
        (False, DIRECT_POINTS_MAX + 1, 4),
    ],
)
async def test_it_goes_few_ways(database_url: str, is_pooled: bool, points: int, expected: int) -> None:
    """Beside what is seen here there is the COPY, one way to the database and back, of many points."""
    seen: list[str] = []
    async with open_pool(Database(database_url, is_pooled=is_pooled), Deadline(5), size=1) as pool:
        log = await opened(pool, await new_run(pool))
        store = PointStore(pool, MetricIds(pool))
        await store.commit(await store.prepare([log.batch({"a": [(0, 0, 1.0)]})]))
        async with pool.connection() as connection:
            connection.add_query_logger(lambda query: seen.append(query.query))
        await store.commit(
            await store.prepare([log.batch({"a": [(step, 0, 1.0) for step in range(points)]})])
        )
    assert len(seen) == expected, seen
