"""Merges change how points are stored and nothing else, whatever happens on the way."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import AsyncIterator, Sequence
from multiprocessing.synchronize import Event
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from stepwell_server.process.deadline import Deadline
from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX, SMALL_POINTS_MAX
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.sql import load
from stepwell_server.store.upkeep import compactor as compactor_module
from stepwell_server.store.upkeep import looking, merging, ranges
from stepwell_server.store.upkeep.compactor import (
    BEHIND_S,
    REST_RATIO,
    REST_RATIO_BEHIND,
    Compactor,
    Round,
    compact,
    compact_now,
    set_paused,
)
from stepwell_server.store.upkeep.looking import SETTLE_S, Outlook
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX, OPEN_CHUNKS_MAX, Merge
from stepwell_server.store.upkeep.ranges import RANGES, Ranges, last_run
from tests.harness.servers.processes import stepwell_command
from tests.harness.store.stored_logs import Everything, let_time_pass
from tests.store.ingest.test_commit import Log, commit, history, new_run, opened, rows

EVERYTHING = "SELECT * FROM metric_points ORDER BY run_id, key, writer_id, step, timestamp_ms, value"
HELD = "SELECT range FROM compaction_range WHERE held_until_time_ms > 0"
SIZES = (
    "SELECT count, compacted FROM metric_chunk ORDER BY run_id, metric_id, writer_id, first_position, part"
)


@pytest.fixture
async def writer(pool: Pool) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        yield writer


@pytest.fixture
async def log(pool: Pool) -> Log:
    return await opened(pool, await new_run(pool))


async def fill(
    writer: GroupCommitWriter, log: Log, batches: int, size: int, keys: tuple[str, ...] = ("loss",)
) -> None:
    """Commit batches one by one, each with points out of order that overlap the neighbours' steps."""
    random = np.random.default_rng(batches)
    for number in range(batches):
        steps = random.integers(number * 10, number * 10 + 50, size).tolist()
        points = [(step, 1_000 + step, step / 3 if step % 5 else float("nan")) for step in steps]
        await commit(writer, log.batch(dict.fromkeys(keys, points)))


async def be_quiet(pool: Pool) -> None:
    """Let all writers' last commits be long ago."""
    await rows(pool, "UPDATE writer SET committed_time_ms = 0 RETURNING 1")


async def one_round(pool: Pool, *, at_once: bool = False) -> compactor_module.Round:
    async with pool.connection() as connection:
        return await compact(connection, Everything(connection), at_once=at_once, rest_ratio=0)


async def test_points_stay_the_same_and_keep_their_writer(pool: Pool, writer: GroupCommitWriter) -> None:
    run_id = await new_run(pool)
    for log in [await opened(pool, run_id), await opened(pool, run_id)]:
        await fill(writer, log, batches=12, size=700, keys=("loss", "accuracy"))
    before, read = await rows(pool, EVERYTHING), await history(pool, run_id, "loss")
    latest = await rows(pool, "SELECT * FROM metric_latest")
    done = await one_round(pool)
    assert (done.merged_chunks, done.merged_points, done.left_chunks) == (48, 4 * 8_400, 0)
    assert await rows(pool, SIZES) == [(3_987, True), (3_987, True), (426, True)] * 4
    assert repr(await rows(pool, EVERYTHING)) == repr(before)
    assert repr(await history(pool, run_id, "loss")) == repr(read)
    assert await rows(pool, "SELECT * FROM metric_latest") == latest


async def test_a_merged_remainder_grows_with_what_comes_later(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    for _ in range(3):
        await fill(writer, log, batches=64, size=16)
        await one_round(pool)
    # 1,024, 2,048 and 3,072 points, always in one chunk, until that is full.
    assert await rows(pool, SIZES) == [(3_072, True)]
    await fill(writer, log, batches=64, size=15)
    await one_round(pool)
    assert await rows(pool, SIZES) == [(3_987, True), (45, True)]
    assert len(await history(pool, log.run_id, "loss")) == 4_032


async def test_an_open_chunk_waits_while_little_comes_until_its_writer_is_quiet(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=64, size=16)
    await one_round(pool)
    for sizes in ([1_024, 64], [1_024, 128], [1_024, 192], [1_280], [1_280, 64]):
        await fill(writer, log, batches=64, size=1)
        await one_round(pool)
        assert await rows(pool, SIZES) == [(size, True) for size in sizes]
    await fill(writer, log, batches=1, size=1)
    await be_quiet(pool)
    before = await rows(pool, EVERYTHING)
    await one_round(pool)
    assert await rows(pool, SIZES) == [(1_345, True)]
    assert repr(await rows(pool, EVERYTHING)) == repr(before)


async def test_what_open_chunks_bring_fits_into_transactions_too(
    pool: Pool, writer: GroupCommitWriter, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tuple(f"metric_{number}" for number in range(12))
    await fill(writer, log, batches=2, size=1_400, keys=keys)
    await one_round(pool, at_once=True)
    await fill(writer, log, batches=1, size=1, keys=keys)
    sizes: list[int] = []

    async def merge(connection: Any, merges: Sequence[Merge]) -> None:
        sizes.append(sum(each.all_points for each in merges))
        await merging.merge(connection, merges)

    monkeypatch.setattr(compactor_module, "merge", merge)
    await be_quiet(pool)
    await one_round(pool)
    assert await rows(pool, SIZES) == [(2_801, True)] * 12
    assert sizes == [11 * 2_801, 2_801]


async def test_chunks_are_not_merged_over_larger_ones(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    logged = 0
    for size in (2, 3, SMALL_POINTS_MAX, 4, 5, 6, CHUNK_POINTS_MAX + 7):
        steps = range(logged, logged + size)
        await commit(writer, log.batch({"loss": [(step, step, 0.5) for step in steps]}))
        logged += size
    await rows(pool, "UPDATE metric_chunk SET compacted = true WHERE count = 5 RETURNING 1")
    before = await rows(pool, EVERYTHING)
    await one_round(pool, at_once=True)
    large = [(SMALL_POINTS_MAX, False), (CHUNK_POINTS_MAX, False)]
    assert await rows(pool, SIZES) == [(5, True), large[0], (4, True), (11, True), large[1], (7, True)]
    assert repr(await rows(pool, EVERYTHING)) == repr(before)


async def test_what_a_broken_round_left_between_chunks_is_not_taken_for_them(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=30, size=2)
    await rows(pool, "UPDATE metric_chunk SET compacted = true WHERE first_position = 20 RETURNING 1")
    before = await rows(pool, EVERYTHING)
    await one_round(pool, at_once=True)
    assert await rows(pool, SIZES) == [(2, True), (58, True)]
    assert repr(await rows(pool, EVERYTHING)) == repr(before)


async def test_a_writer_at_work_is_left_alone_until_it_is_quiet(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=5, size=3)
    assert (await one_round(pool)).left_chunks == 5
    await be_quiet(pool)
    assert (await one_round(pool)).left_chunks == 0
    assert await rows(pool, SIZES) == [(15, True)]
    assert (await one_round(pool)).merged_chunks == 0


async def test_large_chunks_are_left_as_they_are(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    await fill(writer, log, batches=2, size=SMALL_POINTS_MAX)
    await one_round(pool, at_once=True)
    assert await rows(pool, SIZES) == [(SMALL_POINTS_MAX, False)] * 2


async def test_a_long_backlog_of_one_series_is_merged_page_by_page(
    pool: Pool, writer: GroupCommitWriter, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compactor_module, "PAGE_CHUNKS", 64)
    await fill(writer, log, batches=150, size=2, keys=("a", "b"))
    done = await one_round(pool, at_once=True)
    assert (done.merged_chunks, done.left_chunks) == (300, 0)
    assert await rows(pool, SIZES) == [(300, True)] * 2


async def test_two_compactors_at_once_do_not_double_or_lose(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=100, size=20, keys=("a", "b", "c"))
    before = await rows(pool, EVERYTHING)
    await asyncio.gather(*[one_round(pool, at_once=True) for _ in range(3)])
    assert repr(await rows(pool, EVERYTHING)) == repr(before)


async def test_ingest_and_reading_go_on_during_merges(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=10, size=100)

    async def read() -> None:
        for _ in range(20):
            points = await history(pool, log.run_id, "loss")
            assert len(points) % 100 == 0

    async def merge() -> None:
        for _ in range(20):
            await one_round(pool, at_once=True)

    await asyncio.gather(fill(writer, log, batches=40, size=100), read(), merge())
    assert len(await history(pool, log.run_id, "loss")) == 5_000


async def test_what_another_process_holds_is_left_to_it_and_the_switch_pauses(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=70, size=2)
    async with pool.connection() as connection:
        others = Ranges(connection)
        assert await others.take_due(pause_s=0)
        assert others.held == list(range(RANGES))
        async with Compactor(pool, pause_s=0.01, settle_s=0):
            await asyncio.sleep(0.1)
            assert len(await rows(pool, SIZES)) == 70
            await set_paused(connection, paused=True)
            await others.leave()
            await asyncio.sleep(0.1)
            assert len(await rows(pool, SIZES)) == 70
            await set_paused(connection, paused=False)
            async with asyncio.timeout(20):
                while len(await rows(pool, SIZES)) > 1:  # noqa: ASYNC110 - another connection's work
                    await asyncio.sleep(0.01)
    assert len(await history(pool, log.run_id, "loss")) == 140


async def test_who_finds_more_to_do_than_it_thought_lets_the_other_ranges_go(
    pool: Pool, writer: GroupCommitWriter, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(writer, log, batches=70, size=2)
    monkeypatch.setattr(compactor_module, "TOGETHER_CHUNKS_MAX", 50)
    monkeypatch.setattr(compactor_module, "PAGE_CHUNKS", 64)
    busy = next(number for number in range(RANGES) if log.run_id <= last_run(number))
    async with pool.connection() as connection:
        ours = Ranges(connection)
        await ours.take_due(pause_s=0)
        assert ours.held == list(range(RANGES))
        done = await compact(connection, ours, rest_ratio=0)
    assert (done.merged_chunks, done.left_chunks, ours.held) == (64, 6, [])
    ended = await rows(
        pool, "SELECT range FROM compaction_range WHERE round_ended_time_ms > 0 ORDER BY range"
    )
    assert [number for (number,) in ended] == list(range(busy + 1))
    assert await rows(pool, HELD) == []


async def test_who_is_behind_rests_less(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def compact(_: object, ranges: Ranges, *, rest_ratio: float, **_named: object) -> Round:
        rests.append(rest_ratio)
        await ranges.end_round(dict.fromkeys(ranges.held, 0))
        return Round()

    monkeypatch.setattr(compactor_module, "compact", compact)
    told: list[float] = []
    for age_s in (BEHIND_S + 60, BEHIND_S - 8):
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE compaction_range SET round_ended_time_ms = extract(epoch FROM now()) * 1000 - $1",
                age_s * 1_000,
            )
        before = Compactor(pool, pause_s=1, tell=told.append)
        before._began_s -= 3_600  # it has been there for a while
        await before.round()
        # Once for what was due, once for what is left; a server that has just started is behind nobody.
        assert told.pop() < 10 < age_s <= told.pop() < age_s + 10
        await Compactor(pool, pause_s=3_600, tell=told.append).round()
        assert told.pop() < 10
    assert rests == [REST_RATIO_BEHIND, REST_RATIO]


async def test_what_is_merged_has_been_there_for_a_while(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=FRESH_CHUNKS_MAX, size=2)
    await let_time_pass(pool, SETTLE_S)
    await fill(writer, log, batches=3, size=2)
    await Compactor(pool, pause_s=1).round()
    assert await rows(pool, SIZES) == [(2 * FRESH_CHUNKS_MAX, True), *[(2, False)] * 3]


async def test_a_clock_that_is_set_back_keeps_nothing_from_being_merged(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=FRESH_CHUNKS_MAX, size=2)
    await let_time_pass(pool, SETTLE_S)
    await fill(writer, log, batches=2, size=2)
    await rows(pool, "UPDATE metric_chunk SET committed_time_ms = committed_time_ms + 3600000 RETURNING 1")
    await fill(writer, log, batches=1, size=2)
    # All have had their round, and somebody had begun another one and was killed.
    tomorrow = "(extract(epoch FROM now() + interval '1 day') * 1000)::bigint"
    await rows(
        pool,
        f"UPDATE compaction_range SET round_ended_time_ms = {tomorrow}, held_until_time_ms = {tomorrow}, "
        "holder = gen_random_uuid() RETURNING 1",
    )
    await Compactor(pool, pause_s=1).round()
    assert await rows(pool, SIZES) == [(2 * FRESH_CHUNKS_MAX + 4, True), (2, False)]


async def test_of_a_writer_that_was_quiet_before_the_clock_was_set_back_all_is_merged(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=3, size=2)
    await let_time_pass(pool, SETTLE_S)
    await rows(pool, "UPDATE writer SET committed_time_ms = committed_time_ms + 86400000 RETURNING 1")
    await Compactor(pool, pause_s=1).round()
    assert await rows(pool, SIZES) == [(6, True)]


async def test_what_is_left_is_told(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    await fill(writer, log, batches=FRESH_CHUNKS_MAX, size=2, keys=("loss", "accuracy"))
    await let_time_pass(pool, SETTLE_S)
    await fill(writer, log, batches=3, size=2)
    other = await opened(pool, log.run_id)
    await fill(writer, other, batches=2, size=2)
    await Compactor(pool, pause_s=1).round()
    async with pool.connection() as connection:
        assert (await compactor_module.compaction_state(connection)).fresh_chunks == 5


async def test_who_stops_leaves_its_ranges(pool: Pool) -> None:
    for tenths_ms in range(20):
        async with Compactor(pool, pause_s=0, settle_s=0):
            await asyncio.sleep(tenths_ms / 10_000)
        assert await rows(pool, HELD) == []


def merge_until_killed(url: str, half_done: Event) -> None:
    """Compact in a process of its own, and stop for ever after the small chunks were deleted."""

    def stuck(*_: object) -> None:
        half_done.set()
        time.sleep(3_600)

    merging.merged_rows = stuck  # type: ignore[assignment]
    ranges.HELD_S = 0.5

    async def work() -> None:
        async with open_pool(url, Deadline(1)) as pool, pool.connection() as connection:
            await compact_now(connection)

    asyncio.run(work())


async def test_a_killed_compactor_loses_nothing_and_blocks_nobody(
    database_url: str, pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=30, size=5)
    before = await rows(pool, EVERYTHING)
    context = multiprocessing.get_context("spawn")
    half_done = context.Event()
    process = context.Process(target=merge_until_killed, args=(database_url, half_done))
    process.start()
    assert await asyncio.to_thread(half_done.wait, 60)
    await fill(writer, log, batches=1, size=5, keys=("other",))
    process.kill()
    process.join()
    process.close()
    assert repr([row for row in await rows(pool, EVERYTHING) if row[1] == "loss"]) == repr(before)
    async with pool.connection() as connection:
        done = await compact_now(connection)
    assert (done.merged_chunks, done.left_chunks) == (31, 0)
    assert repr([row for row in await rows(pool, EVERYTHING) if row[1] == "loss"]) == repr(before)


async def test_chunks_are_found_by_their_indexes(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    await fill(writer, log, batches=3, size=3)
    zero, run, who = UUID(int=0), [log.run_id], [log.writer_id]
    statements: dict[str, tuple[Any, ...]] = {
        "fresh_writers": (zero, zero, last_run(0), 2_048),
        "fresh_chunks": (run, who, zero, zero, 0, 64, 0),
        "before": (run, who, [1], [9], [0], OPEN_CHUNKS_MAX),
        "between": (run, who, [1], [0], [0], [9], [0]),
        "take_chunks": (run, who, [1], [0], [0], [3], [0], [9], [0]),
    }
    async with pool.connection() as connection:
        # What a large table would choose by itself.
        await connection.execute(
            "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off"
        )
        plans = {
            name: "\n".join(
                line for (line,) in await connection.fetch("EXPLAIN " + load("compaction")[name], *arguments)
            )
            for name, arguments in statements.items()
        }
        await connection.execute("RESET ALL")
    assert "Index Only Scan using metric_chunk_fresh" in plans["fresh_writers"]
    assert "Index Scan using metric_chunk_fresh" in plans["fresh_chunks"]
    for name in ("before", "take_chunks"):
        assert (
            "Index Scan using metric_chunk_pkey" in plans[name]
            or "Index Scan Backward using metric_chunk_pkey" in plans[name]
        )
    # From one chunk to another by the index, too.
    assert "(ROW(first_position, part) >= ROW(given.first_position, given.part))" in plans["take_chunks"]


async def test_what_cannot_be_due_is_counted_and_not_read(
    pool: Pool, writer: GroupCommitWriter, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    outlooks = [Outlook() for _ in range(RANGES)]

    async def read_fresh(*arguments: Any) -> Any:
        reads.append(arguments)
        return await looking.read_fresh(*arguments)

    async def rounds(batches: int) -> tuple[int, int, int]:
        """Commit, and do a round when that has settled; returns what it did."""
        reads.clear()
        await fill(writer, log, batches=batches, size=2)
        await let_time_pass(pool, SETTLE_S)
        async with pool.connection() as connection:
            done = await compact(
                connection, Everything(connection), rest_ratio=0, settle_s=SETTLE_S, outlooks=outlooks
            )
        return len(reads), done.merged_chunks, done.left_chunks

    monkeypatch.setattr(compactor_module, "read_fresh", read_fresh)
    assert await rounds(10) == (1, 0, 10)  # nobody knew what they hold
    assert await rounds(FRESH_CHUNKS_MAX - 11) == (0, 0, FRESH_CHUNKS_MAX - 1)
    assert await rounds(1) == (1, FRESH_CHUNKS_MAX, 0)
    assert await rounds(FRESH_CHUNKS_MAX - 1) == (0, 0, FRESH_CHUNKS_MAX - 1)
    assert await rounds(1) == (1, FRESH_CHUNKS_MAX, 0)
    assert await rows(pool, SIZES) == [(4 * FRESH_CHUNKS_MAX, True)]


async def test_people_can_see_pause_and_run_it(
    database_url: str, pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await fill(writer, log, batches=9, size=3)

    def stepwell(*arguments: str) -> str:
        return stepwell_command("compaction", *arguments, "--store", database_url)

    assert "paused" in await asyncio.to_thread(stepwell, "pause")
    assert json.loads(await asyncio.to_thread(stepwell, "run", "--json"))["merged_chunks"] == 9
    state = json.loads(await asyncio.to_thread(stepwell, "status", "--json"))
    assert (state["paused"], state["fresh_chunks"]) == (True, 0)
    await asyncio.to_thread(stepwell, "resume")
    assert "paused: no" in await asyncio.to_thread(stepwell, "status")
