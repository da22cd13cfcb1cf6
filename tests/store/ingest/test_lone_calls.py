"""The commit of a lone call leaves what the commit of many would, and knows when it must not."""

import asyncio
import math
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from stepwell_server.model.ingest import Batch, Call, Committed, NotJoined, Points, WriterIdentity
from stepwell_server.store.ingest import points as commits
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.ingest.value_index import settle
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.pool import Pool
from tests.harness.store.logs import WAITING, rows
from tests.harness.store.stored_logs import new_run

VALUES = (0.5, -0.0, 0.1, 1e300, -1e300, 1e39, 5e-324, math.nan, math.inf, -math.inf)
STEPS = (0, 1, 2, -1, -(2**63), 2**63 - 1)
KEYS = ("a", "b", "c", "d")
TIMES = (0, 1, 2, 3, 2**33)

Point = tuple[int, int, float]


class Caller:
    """Commits points to a run, call by call."""

    def __init__(self, pool: Pool, run_id: UUID) -> None:
        self._store = PointStore(pool, MetricIds(pool))
        self.run_id = run_id
        self.writer_id = uuid4()
        self.position = 0

    async def open(self, pool: Pool) -> "Caller":
        await PostgresWriterStore(pool).open_writer(WriterIdentity(self.run_id, self.writer_id))
        return self

    async def commit(self, points: dict[str, list[Point]], call: Call | None) -> Any:
        steps, times, values = zip(*(point for of_key in points.values() for point in of_key), strict=True)
        columns = np.array(steps, np.int64), np.array(times, np.int64), np.array(values, np.float64)
        first, end = self.position, self.position + len(steps)
        series = Points(list(points), np.array([len(it) for it in points.values()]), *columns)
        batch = Batch(self.run_id, self.writer_id, first, end, series, (), call)
        (outcome,) = await self._store.commit(await self._store.prepare([batch]))
        if isinstance(outcome, Committed):
            self.position = end
        return outcome


async def stored(pool: Pool, run_id: UUID) -> list[Any]:
    """All that there is of a run, but for ids and clocks; NaN as a word, because it equals nothing."""
    async with pool.connection() as connection:
        chunks = await connection.fetch(
            "SELECT to_jsonb(metric_chunk) - 'run_id' - 'writer_id' - 'committed_time_ms' AS row,"
            " abs(committed_time_ms - extract(epoch FROM now()) * 1000) < 60000 AS is_timed"
            " FROM metric_chunk WHERE run_id = $1 ORDER BY metric_id, first_position, 1",
            run_id,
        )
        latest = await connection.fetch(
            "SELECT to_jsonb(metric_latest) - 'run_id' AS row FROM metric_latest WHERE run_id = $1 ORDER BY metric_id",
            run_id,
        )
        writers = await connection.fetch(
            "SELECT unsettled_time_ms IS NULL, position FROM run JOIN writer USING (run_id) WHERE run_id = $1"
            " ORDER BY position",
            run_id,
        )
    assert all(row["is_timed"] for row in chunks)
    return [*(row["row"] for row in (*chunks, *latest)), *map(tuple, writers)]


def points_by_chance(chosen: random.Random, count: int, times: Sequence[int]) -> list[Point]:
    """Points in any order, of which some are evenly spaced."""
    if chosen.random() < 0.5:
        first = chosen.randrange(100)
        return [(first + 3 * number, number, number / 7) for number in range(count)]
    return [(chosen.choice(STEPS), chosen.choice(times), chosen.choice(VALUES)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(4))
async def test_it_leaves_what_the_commit_of_many_leaves(pool: Pool, seed: int) -> None:
    chosen = random.Random(seed)
    lone = await Caller(pool, await new_run(pool)).open(pool)
    many = await Caller(pool, await new_run(pool)).open(pool)
    for number in range(40):
        keys = chosen.sample(KEYS, chosen.randrange(1, 4))
        most, times = chosen.choice((1, 1, 4)), chosen.choice((TIMES[:4], TIMES))
        points = {key: points_by_chance(chosen, chosen.randint(1, most), times) for key in keys}
        if number == 20:
            await settle(pool, -1_000_000)
        outcomes = [await lone.commit(points, Call(uuid4())), await many.commit(points, None)]
        assert outcomes[0] == outcomes[1] == Committed(lone.position, sum(map(len, points.values())), 0)
    assert await stored(pool, lone.run_id) == await stored(pool, many.run_id)


async def test_a_run_that_is_settled_while_it_waits_is_unsettled_again(pool: Pool) -> None:
    caller = await Caller(pool, await new_run(pool)).open(pool)
    await rows(pool, "UPDATE run SET unsettled_time_ms = 0 WHERE run_id = $1", caller.run_id)
    async with pool.transaction() as connection, asyncio.timeout(20):
        await connection.execute("SELECT FROM writer WHERE run_id = $1 FOR NO KEY UPDATE", caller.run_id)
        await connection.execute("UPDATE run SET unsettled_time_ms = NULL WHERE run_id = $1", caller.run_id)
        committing = asyncio.create_task(caller.commit({"a": [(1, 1, 1.0)]}, Call(uuid4())))
        while await rows(pool, WAITING) == [(0,)]:
            assert not committing.done()
    assert await committing == Committed(1, 1, 0)
    is_settled = "SELECT unsettled_time_ms IS NULL FROM run WHERE run_id = $1"
    assert await rows(pool, is_settled, caller.run_id) == [(False,)]


async def test_it_is_taken_for_lone_calls_alone(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Batch] = []
    real = commits.commit_lone

    async def counted(pool: Pool, batch: Batch, metric_ids: Any) -> Any:
        taken.append(batch)
        return await real(pool, batch, metric_ids)

    monkeypatch.setattr(commits, "commit_lone", counted)
    caller = await Caller(pool, await new_run(pool)).open(pool)
    await caller.commit({"a": [(1, 1, 1.0)]}, None)
    assert not taken
    await caller.commit({"a": [(2, 2, 1.0), (3, 3, 0.1)], "b": [(2, 2, 1.0)]}, Call(uuid4()))
    assert len(taken) == 1


async def test_repeats_store_nothing(pool: Pool) -> None:
    caller = await Caller(pool, await new_run(pool)).open(pool)
    call = Call(uuid4())
    assert await caller.commit({"a": [(1, 1, 1.0)]}, call) == Committed(1, 1, 0)
    before = await stored(pool, caller.run_id)
    assert await caller.commit({"a": [(1, 1, 1.0)]}, call) == Committed(2, 0, 0)
    assert (await stored(pool, caller.run_id))[:-1] == before[:-1]


async def test_it_leaves_to_others_what_is_not_as_it_mostly_is(pool: Pool) -> None:
    caller = await Caller(pool, await new_run(pool)).open(pool)
    point = {"a": [(5, 5, 1.0)]}
    caller.position = 3
    assert await caller.commit(point, Call(uuid4())) == NotJoined(0)
    caller.position = 0
    await caller.commit(point, Call(uuid4()))
    await PostgresRewindStore(pool).rewind(caller.run_id, 5)
    assert isinstance(await caller.commit(point, Call(uuid4())), NotJoined)
    other = await Caller(pool, await new_run(pool)).open(pool)
    async with pool.connection() as connection:
        await connection.execute("UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = $1", other.run_id)
    outcome = await other.commit(point, Call(uuid4()))
    assert (outcome.points, outcome.rejections[0].error_code) == (0, "INVALID_STATE")
