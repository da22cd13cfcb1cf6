"""What is new comes once: every commit, whoever looks when, while chunks are merged."""

import asyncio
import math
from uuid import UUID, uuid4

import pytest

from stepwell_server.model.series import Changes
from stepwell_server.store.ingest.commit_news import (
    ADVISORY_LOCK_KEY,
    CHANNELS,
    TOLD_RUNS_MAX,
    CommitNews,
    channel_of,
)
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import watching
from stepwell_server.store.series.watching import PostgresWatchStore
from stepwell_server.store.sql import load
from stepwell_server.store.upkeep.compactor import compact, compact_now
from tests.harness.store.stored_logs import Everything, Point, StoredLog, let_time_pass, new_run

TELL = load("watching")["tell"]


class Watcher:
    """Looks, and keeps what it was told."""

    def __init__(self, pool: Pool, run_id: UUID, keys: list[str] | None = None) -> None:
        self._store = PostgresWatchStore(pool)
        self._run_id = run_id
        self._keys = keys
        self.known: dict[tuple[UUID, UUID], int] = {}
        self.points: dict[str, list[Point]] = {}
        self.restarts = 0

    async def look(self) -> Changes:
        changes = await self._store.changes([self._run_id], self._keys, self.known)
        for news in changes.series:
            if news.restarted:
                self.restarts += 1
                self.points[news.key] = []
            columns = news.points
            if columns is not None:
                self.points.setdefault(news.key, []).extend(
                    zip(
                        columns.steps.tolist(),
                        columns.timestamps_ms.tolist(),
                        columns.values.tolist(),
                        strict=True,
                    )
                )
        self.known |= {(at.run_id, at.writer_id): at.position for at in changes.positions}
        return changes


async def test_each_look_gives_what_came_since_the_last_one(pool: Pool) -> None:
    run_id = await new_run(pool)
    logs = [StoredLog(pool, run_id), StoredLog(pool, run_id)]
    watcher = Watcher(pool, run_id, ["loss"])
    assert await watcher.look() == Changes((), ())
    for round_ in range(3):
        for number, log in enumerate(logs):
            await log.commit({"loss": [(round_, number, 0.5)], "other": [(0, 0, 1.0)]})
        changes = await watcher.look()
        (news,) = changes.series
        assert (news.key, len(news.points or ()), len(changes.positions)) == ("loss", 2, 2)
        assert await watcher.look() == Changes((), ())
    assert sorted(watcher.points["loss"]) == [(step, time, 0.5) for step in range(3) for time in range(2)]
    everything = Watcher(pool, run_id)
    await everything.look()
    assert {key: len(points) for key, points in everything.points.items()} == {"loss": 6, "other": 6}


async def test_merges_leave_alone_what_watchers_have_not_read(pool: Pool) -> None:
    run_id = await new_run(pool)
    log, watcher = StoredLog(pool, run_id), Watcher(pool, run_id)
    step = 0
    async with pool.connection() as connection:
        for _ in range(4):
            for _ in range(70):
                await log.commit({"loss": [(step, step, 0.5)]})
                step += 1
            await compact(connection, Everything(connection), rest_ratio=0, settle_s=30)
            await watcher.look()
            await let_time_pass(pool, 31)
            await compact(connection, Everything(connection), rest_ratio=0, settle_s=30)
        chunks = await connection.fetchval("SELECT count(*) FROM metric_chunk")
    assert watcher.restarts == 0
    assert watcher.points["loss"] == [(index, index, 0.5) for index in range(step)]
    assert chunks < 20


async def test_who_was_away_while_points_were_merged_starts_anew(pool: Pool) -> None:
    run_id = await new_run(pool)
    log, watcher, other = StoredLog(pool, run_id), Watcher(pool, run_id), Watcher(pool, run_id)
    await StoredLog(pool, run_id).commit({"loss": [(9, 0, 3.0)]})  # who starts anew needs this one, too
    await log.commit({"loss": [(5, 0, 1.0)]})
    await watcher.look()
    await log.commit({"loss": [(3, 0, 2.0)]})
    await other.look()
    async with pool.connection() as connection:
        await compact_now(connection)
    await log.commit({"loss": [(4, 0, math.inf)]})
    await watcher.look()
    await other.look()
    assert (watcher.restarts, other.restarts) == (1, 0)
    for each in (watcher, other):
        assert sorted(each.points["loss"]) == [(3, 0, 2.0), (4, 0, math.inf), (5, 0, 1.0), (9, 0, 3.0)]


async def test_what_is_too_much_comes_summed_up(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "NEWS_POINTS_MAX", 10)
    monkeypatch.setattr(watching, "NEWS_PARTS_MAX", 2)
    log = StoredLog(pool, await new_run(pool))
    for step in range(6):
        await log.commit(
            {"loss": [(2 * step, 0, float(step)), (2 * step + 1, 0, math.nan)], "few": [(step, 0, 1.0)]}
        )
    few, loss = (await Watcher(pool, log.run_id).look()).series
    assert (few.key, len(few.points or ()), few.parts) == ("few", 6, None)
    assert (loss.key, loss.points) == ("loss", None)
    assert loss.parts is not None
    assert loss.parts.first_x.tolist() == [0, 6]
    assert loss.parts.last_x.tolist() == [5, 11]
    assert loss.parts.first_value.tolist() == [0.0, 3.0]
    assert loss.parts.minimum.tolist() == [0.0, 3.0]
    assert loss.parts.maximum.tolist() == [2.0, 5.0]
    assert loss.parts.mean.tolist() == [1.0, 4.0]
    assert loss.parts.count.tolist() == [6, 6]
    assert loss.parts.non_finite_count.tolist() == [3, 3]


def neighbours(run_id: UUID, count: int) -> list[UUID]:
    """Return ids of runs that are told of on the same channel."""
    return [UUID(int=run_id.int % CHANNELS + CHANNELS * number) for number in range(1, count + 1)]


async def test_nudges_reach_watchers_in_this_process_and_in_others(pool: Pool) -> None:
    run_id = uuid4()
    (other_run,) = neighbours(run_id, 1)
    async with CommitNews(pool, pool) as here, CommitNews(pool, pool) as there, asyncio.timeout(20):
        with (
            here.watching([run_id]) as own,
            there.watching([run_id]) as foreign,
            there.watching([other_run]) as no,
        ):
            await foreign.wait()  # it listens now
            foreign.clear()
            no.clear()
            here.committed([run_id])
            assert own.is_set()
            await foreign.wait()
            foreign.clear()
            assert not no.is_set()
            here.committed(neighbours(run_id, TOLD_RUNS_MAX + 2)[1:])  # too many to name: everybody looks
            await foreign.wait()
            await no.wait()
            foreign.clear()
            async with pool.connection() as connection:  # a connection that breaks is replaced
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query ILIKE 'LISTEN%'"
                )
            await foreign.wait()


class Listener(CommitNews):
    """Notes on which channels it was told something."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, pool)
        self.channels: list[str] = []

    def _hear(self, connection: object, process_id: int, channel: str, payload: str) -> None:
        self.channels.append(channel)
        super()._hear(connection, process_id, channel, payload)


async def test_a_server_hears_only_of_the_channels_of_what_is_watched(pool: Pool) -> None:
    first, second = UUID(int=1), UUID(int=2)
    async with CommitNews(pool, None) as here, Listener(pool) as there, asyncio.timeout(20):
        for watched, other in ((first, second), (second, first)):
            there.channels.clear()
            with there.watching([watched]) as nudged:
                await nudged.wait()  # it listens now
                nudged.clear()
                here.committed([other, watched])
                await nudged.wait()
            assert set(there.channels) == {channel_of(watched)}


async def test_without_a_place_to_listen_watchers_hear_of_this_process_alone(pool: Pool) -> None:
    run_id = uuid4()
    async with CommitNews(pool, None) as here, CommitNews(pool, None) as there, Listener(pool) as witness:
        with here.watching([run_id]) as own, there.watching([run_id]) as foreign:
            with witness.watching([run_id]) as told:
                async with asyncio.timeout(20):
                    await told.wait()
                    told.clear()
                    here.committed([run_id])
                    await told.wait()
            assert own.is_set()
            assert not foreign.is_set()


async def test_nobody_is_told_where_nobody_listens(pool: Pool) -> None:
    run_id = uuid4()
    channel, told = channel_of(run_id), asyncio.Queue[str]()

    async def tell(text: str) -> bool:
        async with pool.connection() as connection:
            return bool(await connection.fetchval(TELL, [channel], [text], ADVISORY_LOCK_KEY))

    async with pool.connection() as witness, CommitNews(pool, pool) as there, asyncio.timeout(20):
        await witness.add_listener(
            channel, lambda *heard: told.put_nowait(heard[3])
        )  # says not that it listens
        assert not await tell("before")
        with there.watching([run_id]) as nudged:
            await nudged.wait()  # it listens now
            assert await tell("meanwhile")
            assert await told.get() == "meanwhile"
        while await tell("until it listens no more"):  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(0.01)
        await witness.reset()
