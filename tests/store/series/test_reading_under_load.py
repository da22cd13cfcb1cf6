"""Readers beside writers and compaction: what was committed before a read is in it, once, and nothing is made up."""

import asyncio
import random
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from itertools import accumulate
from uuid import UUID

import numpy as np
import pytest

from stepwell_server.model.series import EVERYTHING, SampleRequest, SeriesName, XAxis
from stepwell_server.services.series import SeriesService
from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import histories as series_module
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.series.watching import PostgresWatchStore
from stepwell_server.store.upkeep.compactor import compact, compact_now
from stepwell_server.store.upkeep.looking import SETTLE_S
from tests.harness.store.stored_logs import Everything, Point, StoredLog, new_run

WRITERS = 3
COMMITS = 60


class CountedLog:
    """A writer that commits points of its own steps, and knows which commits began and which returned."""

    def __init__(self, pool: Pool, run_id: UUID, number: int) -> None:
        self.log = StoredLog(pool, run_id, rank=number)
        seeded = random.Random(number)
        sizes = [seeded.choice([1, 5, 40, 300]) for _ in range(COMMITS - 2)] + [CHUNK_POINTS_MAX + 9, 2_000]
        seeded.shuffle(sizes)
        steps = [WRITERS * index + number for index in range(sum(sizes))]
        # Mostly in order, now and then late: as loops and their evaluations log.
        for _ in range(len(steps) // 10):
            one, other = seeded.randrange(len(steps)), seeded.randrange(len(steps))
            steps[one], steps[other] = steps[other], steps[one]
        self.points: list[Point] = [(step, step // 7, float(step % 1_000)) for step in steps]
        self.ends = [0, *accumulate(sizes)]
        self.begun = self.returned = 0

    async def work(self) -> None:
        """Commit everything."""
        for start, end in zip(self.ends, self.ends[1:], strict=False):
            self.begun = end
            await self.log.commit({"loss": self.points[start:end], "other": self.points[start : start + 1]})
            self.returned = end


class Load:
    """Writers of one run, and a compactor that merges whatever there is, as long as the context lasts."""

    def __init__(self, pool: Pool, run_id: UUID, settle_s: float = 0.0) -> None:
        self.pool, self.run_id, self.settle_s = pool, run_id, settle_s
        self.logs = [CountedLog(pool, run_id, number) for number in range(WRITERS)]
        self.rounds = 0

    @property
    def under_way(self) -> bool:
        return any(log.returned < len(log.points) for log in self.logs)

    async def compacting(self) -> None:
        """Merge, all that is small or, when there are watchers to spare, what has settled."""
        async with self.pool.connection() as connection:
            while self.under_way:
                if self.settle_s:
                    await compact(connection, Everything(connection), rest_ratio=0, settle_s=self.settle_s)
                else:
                    await compact_now(connection)
                self.rounds += 1

    async def read_meanwhile(self, *readers: Callable[[], Awaitable[None]]) -> None:
        """Let readers read again and again until all is committed, and once more."""

        async def again(reader: Callable[[], Awaitable[None]]) -> None:
            while self.under_way:
                await reader()
            await reader()

        async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
            for log in self.logs:
                tasks.create_task(log.work())
            tasks.create_task(self.compacting())
            for reader in readers:
                tasks.create_task(again(reader))
        assert self.rounds > 1

    def returned(self) -> set[Point]:
        return {point for log in self.logs for point in log.points[: log.returned]}

    def begun(self) -> set[Point]:
        return {point for log in self.logs for point in log.points[: log.begun]}


async def test_histories_have_each_point_once(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "PAGE_POINTS", 700)  # many pages, each a snapshot of its own
    load = Load(pool, await new_run(pool))
    store = PostgresSeriesStore(pool)

    async def read() -> None:
        before, found = load.returned(), []
        async for piece in store.history([SeriesName(load.run_id, "loss")], EVERYTHING, None):
            columns = piece.points
            found += zip(
                columns.steps.tolist(), columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True
            )
        assert found == sorted(found)
        assert len(set(found)) == len(found)
        assert before <= set(found) <= load.begun()

    await load.read_meanwhile(read, read)


async def test_last_points_have_no_gap(pool: Pool) -> None:
    load = Load(pool, await new_run(pool))
    store = PostgresSeriesStore(pool)

    async def read() -> None:
        before = sorted(load.returned())
        last = await store.last_points(SeriesName(load.run_id, "loss"), EVERYTHING, 100)
        steps = [] if last is None else last.steps.tolist()
        assert len(set(steps)) == len(steps)
        if steps:
            first = bisect_left(before, (steps[0], 0, 0.0))
            assert {step for step, _, _ in before[first:]} <= set(steps)
        assert len(steps) >= min(100, len(before))

    await load.read_meanwhile(read)


async def test_samples_are_of_what_one_moment_has(pool: Pool) -> None:
    load = Load(pool, await new_run(pool))
    service = SeriesService(PostgresSeriesStore(pool))

    async def read() -> None:
        for log in load.logs:
            low = log.returned
            request = SampleRequest(XAxis.STEP, 50, writer_ids=[log.log.writer_id])
            samples = [sample async for _, sample in service.sample([load.run_id], ["loss"], request)]
            count = sum(int(sample.count.sum()) for sample in samples)
            assert low <= count <= log.begun
            assert count in log.ends  # whole commits, from the first one on
            total = sum(float(np.dot(sample.mean, sample.count)) for sample in samples)
            assert round(total) == sum(value for _, _, value in log.points[:count])

    await load.read_meanwhile(read, read)


@pytest.mark.parametrize("settle_s", [SETTLE_S, 0.0])
async def test_watchers_are_told_everything_once(pool: Pool, settle_s: float) -> None:
    """What has settled is not merged under an awake watcher; of what has not, it starts anew and still ends exact."""
    load = Load(pool, await new_run(pool), settle_s)
    watcher = PostgresWatchStore(pool)
    known: dict[tuple[UUID, UUID], int] = {}
    points: list[Point] = []
    restarts = 0

    async def look() -> None:
        nonlocal points, restarts
        await asyncio.sleep(0.2)  # so that merges that spare nobody get ahead of it
        before = load.returned()
        changes = await watcher.changes([load.run_id], ["loss"], known)
        for news in changes.series:
            if news.restarted:
                points, restarts = [], restarts + 1
            assert news.points is not None
            columns = news.points
            points += zip(
                columns.steps.tolist(), columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True
            )
        known.update({(at.run_id, at.writer_id): at.position for at in changes.positions})
        assert len(set(points)) == len(points)
        assert before <= set(points) <= load.begun()

    await load.read_meanwhile(look)
    assert (restarts == 0) == (settle_s > 0)
    assert sorted(points) == sorted(load.returned())
