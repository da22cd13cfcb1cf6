"""Committed means: all of it, once, and what was refused is named."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell_server.errors import NotFoundError, UnavailableError
from stepwell_server.model.ingest import (
    Batch,
    Committed,
    InputEntry,
    NotJoined,
    ParamEntry,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
)
from stepwell_server.model.runs import Dataset, DatasetInput, RunStatus
from stepwell_server.store.ingest import lane as lane_module
from stepwell_server.store.ingest import pressure as pressure_module
from stepwell_server.store.ingest.fair_queue import FairQueue
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.places import ShardPlaces
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.value_index import settle
from stepwell_server.store.ingest.waiting import Waiting
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import sweep
from tests.harness.store.logs import WAITING, Log, Point, commit, history, new_run, opened, rows


@pytest.fixture
async def writer(pool: Pool) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        yield writer


@pytest.fixture
async def log(pool: Pool) -> Log:
    return await opened(pool, await new_run(pool))


def comparable(points: Sequence[Point]) -> list[tuple[int, int, str]]:
    return sorted((step, time, repr(value + 0.0)) for step, time, value in points)


STEPS = st.one_of(st.integers(-3, 5), st.integers(-(2**63), 2**63 - 1))
POINTS = st.lists(st.tuples(STEPS, st.integers(0, 2**60), st.floats()), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), POINTS, min_size=1), min_size=1, max_size=4)
)
async def test_what_was_committed_is_read_back_point_for_point(
    pool: Pool, writer: GroupCommitWriter, batches: list[dict[str, list[Point]]]
) -> None:
    log = await opened(pool, await new_run(pool))
    await commit(writer, *[log.batch(series) for series in batches])
    for key in {key for series in batches for key in series}:
        expected = [point for series in batches for point in series.get(key, [])]
        assert comparable(await history(pool, log.run_id, key)) == comparable(expected)
        query = "SELECT step, timestamp_ms, value FROM metric_points WHERE run_id = $1 AND key = $2"
        assert comparable(await rows(pool, query, log.run_id, key)) == comparable(expected)  # type: ignore[arg-type]
        greatest = max(expected, key=lambda point: (*point[:2], math.isnan(point[2]), point[2]))
        query = (
            "SELECT step, timestamp_ms, value, count FROM metric_latest JOIN metric USING (metric_id) "
            "WHERE run_id = $1 AND name = $2"
        )
        ((step, time, value, count),) = await rows(pool, query, log.run_id, key)
        assert comparable([(step, time, value)]) == comparable([greatest])
        assert count == len(expected)


async def test_a_batch_sent_twice_is_stored_once(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    batch = log.batch({"loss": [(1, 1, 0.5), (2, 2, 0.25)]}, [ParamEntry(2, "lr", "1")])
    assert await commit(writer, batch, batch) == [Committed(3, 2, 1), NotJoined(3)]
    assert await commit(writer, batch) == [NotJoined(3)]
    assert len(await history(pool, log.run_id, "loss")) == 2


async def test_a_gap_is_not_stored_and_the_answer_says_where_to_go_on(
    writer: GroupCommitWriter, log: Log
) -> None:
    first, _, third = (log.batch({"loss": [(step, 0, 0.0)]}) for step in range(3))
    assert await commit(writer, first, third) == [Committed(1, 1, 0), NotJoined(1)]


async def test_batches_may_be_cut_differently_when_they_are_sent_again(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await commit(writer, log.batch({"loss": [(0, 0, 0.0)]}))
    rest = Log(log.run_id)
    rest.writer_id, rest.position = log.writer_id, 1
    await commit(writer, rest.batch({"loss": [(1, 1, 1.0), (2, 2, 2.0)]}))
    assert [step for step, *_ in await history(pool, log.run_id, "loss")] == [0, 1, 2]


async def test_skipped_positions_are_nothing(writer: GroupCommitWriter, log: Log) -> None:
    assert await commit(writer, log.batch({}, skip=100)) == [Committed(100, 0, 0)]


async def test_latest_is_the_greatest_point_also_from_several_writers(
    pool: Pool, writer: GroupCommitWriter
) -> None:
    run_id = await new_run(pool)
    first, second = await opened(pool, run_id), await opened(pool, run_id)
    await commit(
        writer, first.batch({"loss": [(100, 5, 1.0)]}), second.batch({"loss": [(100, 6, 0.5), (3, 9, 7.0)]})
    )
    await commit(writer, first.batch({"loss": [(99, 99, 9.0)]}))
    query = "SELECT step, timestamp_ms, value, count, value_min, value_max, value_sum FROM metric_latest"
    assert await rows(pool, query) == [(100, 6, 0.5, 4, 0.5, 9.0, 17.5)]
    # The value decides where step and time are the same, whoever comes first.
    await commit(
        writer,
        first.batch({"falls": [(7, 7, 2.0)], "rises": [(7, 7, 1.0)]}),
        second.batch({"falls": [(7, 7, 1.0)], "rises": [(7, 7, 2.0)]}),
    )
    query = "SELECT name, value FROM metric_latest JOIN metric USING (metric_id) WHERE step = 7 ORDER BY name"
    assert await rows(pool, query) == [("falls", 2.0), ("rises", 2.0)]


async def test_sums_beyond_the_largest_double_become_infinite(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    for sign in (1.0, 1.0, -1.0):
        await commit(writer, log.batch({"loss": [(0, 0, sign * 1.5e308)]}))
    assert await rows(pool, "SELECT value_sum, value_min FROM metric_latest") == [(math.inf, -1.5e308)]


async def test_tags_are_set_and_removed_in_the_order_of_the_log(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    await commit(writer, log.batch({}, [TagEntry(0, "old", "1"), TagEntry(1, "stays", "1")]))
    entries = [
        TagRemovalEntry(2, "old"),
        TagEntry(3, "short", "1"),
        TagRemovalEntry(4, "short"),
        TagRemovalEntry(5, "short"),
        TagRemovalEntry(6, "stays"),
        TagEntry(7, "stays", "2"),
        TagRemovalEntry(8, "never"),
    ]
    (outcome,) = await commit(writer, log.batch({}, entries))
    assert isinstance(outcome, Committed)
    assert [(refused.position, refused.key, refused.error_code) for refused in outcome.rejections] == [
        (5, "short", "RESOURCE_DOES_NOT_EXIST"),
        (8, "never", "RESOURCE_DOES_NOT_EXIST"),
    ]
    assert await rows(pool, "SELECT key, value FROM tag") == [("stays", "2")]


async def test_data_sets_are_noted_with_the_tags_of_all_entries(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    dataset = Dataset("iris", "abc", "local", "{}", "", "")
    batch = log.batch(
        {},
        [
            InputEntry(0, DatasetInput(dataset, {"a": "1", "b": "1"})),
            InputEntry(1, DatasetInput(dataset, {"b": "2"})),
        ],
    )
    assert await commit(writer, batch, batch) == [Committed(2, 0, 2), NotJoined(2)]
    query = "SELECT name, tags::text FROM run_input JOIN dataset USING (dataset_id) WHERE run_id = $1"
    assert await rows(pool, query, log.run_id) == [("iris", '{"a": "1", "b": "2"}')]


async def test_a_changed_param_is_rejected_alone(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    entries = [
        ParamEntry(0, "lr", "1"),
        ParamEntry(1, "lr", "1"),
        ParamEntry(2, "lr", "2"),
        ParamEntry(3, "b", "x"),
    ]
    (outcome,) = await commit(writer, log.batch({}, entries))
    assert isinstance(outcome, Committed)
    assert (outcome.position, outcome.entries) == (4, 3)
    (rejection,) = outcome.rejections
    assert (rejection.position, rejection.key) == (2, "lr")
    assert rejection.error_code == "INVALID_PARAMETER_VALUE"
    assert "'1'" in rejection.reason
    assert await rows(pool, "SELECT key, value FROM param ORDER BY key") == [("b", "x"), ("lr", "1")]


async def test_tags_take_the_last_value_and_the_name_tag_renames(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    name = "mlflow.runName"
    await commit(
        writer, log.batch({}, [TagEntry(0, "t", "1"), TagEntry(1, "t", "2"), TagEntry(2, name, "new")])
    )
    assert await rows(pool, "SELECT key, value FROM tag ORDER BY key") == [(name, "new"), ("t", "2")]
    assert await rows(pool, "SELECT name FROM run") == [("new",)]


async def test_status_travels_in_the_log(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    await commit(writer, log.batch({}, [StatusEntry(0, RunStatus.FINISHED, 77)]))
    await commit(writer, log.batch({}, [StatusEntry(1, RunStatus.RUNNING, None)]))
    assert await rows(pool, "SELECT status, end_time_ms FROM run") == [(1, 77)]


async def test_a_deleted_run_takes_nothing_and_says_so(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    gone = await opened(pool, await new_run(pool, stage="deleted"))
    batch = gone.batch({"loss": [(1, 1, 1.0)]}, [TagEntry(1, "t", "v")])
    refused, stored = await commit(writer, batch, log.batch({"loss": [(1, 1, 1.0)]}))
    assert isinstance(refused, Committed)
    assert (refused.position, refused.points, refused.entries, refused.rejections[0].count) == (2, 0, 0, 2)
    assert "deleted" in refused.rejections[0].reason
    assert isinstance(stored, Committed)
    assert not stored.rejections


async def test_a_batch_that_the_database_refuses_does_not_fail_its_neighbours(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    other = await opened(pool, log.run_id)
    bad = other.batch({}, [TagEntry(0, "nul", "a\0b")])
    neighbour, refused = await commit(writer, log.batch({"loss": [(1, 1, 1.0)]}), bad)
    assert neighbour == Committed(1, 1, 0)
    assert isinstance(refused, Committed)
    assert (refused.position, refused.entries, refused.rejections[0].count) == (1, 0, 1)


async def test_a_writer_that_was_never_opened_is_an_error(pool: Pool, writer: GroupCommitWriter) -> None:
    with pytest.raises(NotFoundError, match="never opened"):
        await commit(writer, Log(await new_run(pool)).batch({"loss": [(1, 1, 1.0)]}))


async def test_concurrent_commits_to_one_run_neither_deadlock_nor_lose(pool: Pool) -> None:
    run_id = await new_run(pool)
    logs = [await opened(pool, run_id) for _ in range(4)]
    keys = [f"metric {number}" for number in range(30)]

    async def hammer(log: Log, number: int) -> None:
        async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
            for step in range(10):
                order = keys if number % 2 else list(reversed(keys))
                await commit(writer, log.batch({key: [(step, number, float(number))] for key in order}))

    await asyncio.gather(*[hammer(log, number) for number, log in enumerate(logs)])
    assert await rows(pool, "SELECT DISTINCT count, step, value FROM metric_latest") == [(40, 9, 3.0)]


ROWS_OF_A_RUN = {
    "latest": "SELECT FROM metric_latest WHERE run_id = $1",
    "tag": "SELECT FROM tag WHERE run_id = $1",
    "run": "SELECT FROM run WHERE run_id = $1",
}


@pytest.mark.usefixtures("both_forms")
@pytest.mark.parametrize("table", ROWS_OF_A_RUN)
async def test_a_commit_that_waits_for_a_row_holds_none_that_comes_after_it(pool: Pool, table: str) -> None:
    """So nobody deadlocks: everybody takes rows in the order of their runs, however the batches come.

    The runs are stored and logged to in the opposite order, so that no plan of the database is right by luck.
    """
    first, last = sorted([uuid4(), uuid4()])
    logs = [await opened(pool, await new_run(pool, run_id=run_id)) for run_id in (last, first)]
    store = PointStore(pool, MetricIds(pool))

    async def commit_both(name: str) -> list[Any]:
        return await store.commit(
            await store.prepare(
                [
                    log.batch({"loss": [(0, 0, 0.0)]}, [TagEntry(log.position + 1, "mlflow.runName", name)])
                    for log in logs
                ]
            )
        )

    await commit_both("old")
    await settle(pool, 0)
    async with pool.transaction() as connection:
        await connection.execute(f"{ROWS_OF_A_RUN[table]} FOR NO KEY UPDATE", first)
        committing = asyncio.create_task(commit_both("new"))
        async with asyncio.timeout(60):
            while await rows(pool, WAITING) == [(0,)]:
                assert not committing.done()
        await connection.execute(f"{ROWS_OF_A_RUN[table]} FOR NO KEY UPDATE NOWAIT", last)
    assert [outcome.position for outcome in await committing] == [4, 4]
    assert await rows(pool, "SELECT DISTINCT name, value FROM run JOIN tag USING (run_id)") == [
        ("new", "new")
    ]


async def test_lanes_by_place_store_every_point_once(pool: Pool) -> None:
    logs = [await opened(pool, await new_run(pool)) for _ in range(12)]
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool)), places=ThreePlaces()) as writer:
        for step in range(5):
            settled = [await writer.submit(log.batch({"loss": [(step, 7, 0.5)]})) for log in logs]
            assert {(await outcome).position for outcome in settled} == {step + 1}
    for log in logs:
        assert await history(pool, log.run_id, "loss") == [(step, 7, 0.5) for step in range(5)]


async def test_a_distributed_database_is_asked_where_a_run_lies(pool: Pool, log: Log) -> None:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool)), places=ShardPlaces(pool)) as writer:
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await writer.submit(log.batch({"loss": [(1, 7, 0.5)]}))
        async with pool.connection() as connection:
            await connection.execute(
                "CREATE FUNCTION get_shard_id_for_distribution_column(regclass, uuid) RETURNS bigint"
                " LANGUAGE sql AS 'SELECT 102000 + abs(uuid_hash($2)) % 4'"
            )
        await commit(writer, log.batch({"loss": [(1, 7, 0.5)]}))
        places = ShardPlaces(pool)
        ids = [uuid4() for _ in range(50)]
        found = [await places.of(it) for it in ids]
        assert sorted(set(found)) == [0, 1, 2, 3]
        assert [await places.of(it) for it in ids] == found


async def test_overlapping_chunks_beyond_the_sweep_are_sorted_by_the_database(
    pool: Pool, writer: GroupCommitWriter, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "SWEEP_POINTS_MAX", 50)
    points = [(step, 7, step / 3) for step in np.random.default_rng(1).permutation(5_000).tolist()]
    for start in range(0, len(points), 100):
        await commit(writer, log.batch({"loss": points[start : start + 100]}))
    assert await history(pool, log.run_id, "loss") == sorted(points)


class Database:
    """A store whose groups are plain batches, and whose commit is what the test says."""

    def __init__(self, commit: Callable[[Sequence[Batch]], Awaitable[list[Any]]]) -> None:
        self.commit = commit
        self.prepared: list[int] = []

    async def prepare(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        self.prepared.append(len(batches))
        return batches


class ThreePlaces:
    """Places of runs, as on three nodes."""

    async def of(self, run_id: UUID) -> int:
        await asyncio.sleep(0)
        return run_id.int % 3


class TestGroupCommitWriter:
    """What the queue promises, with a database that is slow or broken on purpose."""

    async def test_a_full_queue_makes_the_next_one_wait(self) -> None:
        go_on = asyncio.Event()

        async def slow(batches: Sequence[Batch]) -> list[Any]:
            await go_on.wait()
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        async with GroupCommitWriter(Database(slow), queue_bytes_max=3_000) as writer:
            log = Log(uuid4())
            submitted = [
                asyncio.create_task(writer.submit(log.batch({"a": [(1, 1, 1.0)]}))) for _ in range(20)
            ]
            await asyncio.sleep(0.05)
            assert 1 <= sum(task.done() for task in submitted) < 20
            go_on.set()
            assert [(await (await task)).position for task in submitted] == list(range(1, 21))

    async def test_batches_gather_while_a_commit_runs(self) -> None:
        sizes: list[int] = []
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def count(batches: Sequence[Batch]) -> list[Any]:
            sizes.append(len(batches))
            begun.set()
            await go_on.wait()
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        async with GroupCommitWriter(Database(count)) as writer:
            log = Log(uuid4())
            settled = [await writer.submit(log.batch({"a": [(1, 1, 1.0)]}))]
            await begun.wait()
            settled += [await writer.submit(log.batch({"a": [(1, 1, 1.0)]})) for _ in range(9)]
            go_on.set()
            await asyncio.gather(*settled)
        assert sizes == [1, 9]

    async def test_a_database_that_is_away_settles_every_waiter(self) -> None:
        async def away(batches: Sequence[Batch]) -> list[Any]:
            raise UnavailableError("the database is on holiday")

        async with GroupCommitWriter(Database(away)) as writer:
            log = Log(uuid4())
            settled = [await writer.submit(log.batch({"a": [(1, 1, 1.0)]})) for _ in range(3)]
            for outcome in settled:
                with pytest.raises(UnavailableError, match="holiday"):
                    await outcome

    async def test_closing_commits_what_is_queued(self) -> None:
        async def commit_slowly(batches: Sequence[Batch]) -> list[Any]:
            await asyncio.sleep(0.01)
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        log = Log(uuid4())
        async with GroupCommitWriter(Database(commit_slowly)) as writer:
            settled = [await writer.submit(log.batch({"a": [(1, 1, 1.0)]})) for _ in range(3)]
        assert [outcome.result().position for outcome in settled] == [1, 2, 3]
        with pytest.raises(UnavailableError, match="stopping"):
            await writer.submit(replace(log.batch({})))

    async def test_a_cancelled_writer_settles_what_was_under_way(self) -> None:
        async def for_ever(batches: Sequence[Batch]) -> list[Any]:
            await asyncio.sleep(3_600)
            return []

        writer = await GroupCommitWriter(Database(for_ever)).__aenter__()
        outcome = await writer.submit(Log(uuid4()).batch({"a": [(1, 1, 1.0)]}))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await writer.__aexit__(None, None, None)
        with pytest.raises(UnavailableError, match="stopped"):
            await outcome

    async def test_the_next_group_is_prepared_while_the_last_one_commits(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lane_module, "PREPARE_EARLY_BYTES_MIN", 1)
        go_on = asyncio.Event()
        committed: list[int] = []

        async def wait(batches: Sequence[Batch]) -> list[Any]:
            await go_on.wait()
            committed.append(len(batches))
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        database = Database(wait)
        async with GroupCommitWriter(database) as writer:
            log = Log(uuid4())
            settled = []
            for prepared in (1, 2, 2):
                settled.append(await writer.submit(log.batch({"a": [(1, 1, 1.0)]})))
                async with asyncio.timeout(20):
                    while len(database.prepared) < prepared:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            assert (database.prepared, committed) == ([1, 1], [])
            go_on.set()
            await asyncio.gather(*settled)
        assert committed == [1, 1, 1]

    async def test_a_greedy_run_waits_for_itself_and_not_the_others(self) -> None:
        go_on = asyncio.Event()

        async def wait(batches: Sequence[Batch]) -> list[Any]:
            await go_on.wait()
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        async with GroupCommitWriter(Database(wait), run_bytes_max=3_000, lanes=1) as writer:
            greedy = Log(uuid4())
            wanted = [
                asyncio.create_task(writer.submit(greedy.batch({"a": [(1, 1, 1.0)]}))) for _ in range(20)
            ]
            await asyncio.sleep(0.01)
            assert sum(task.done() for task in wanted) < 10
            async with asyncio.timeout(60):
                modest = await writer.submit(Log(uuid4()).batch({"a": [(1, 1, 1.0)]}))
            go_on.set()
            await asyncio.gather(modest, *[await task for task in wanted])

    async def test_a_transaction_has_runs_of_one_place(self) -> None:
        groups: list[set[int]] = []

        async def note(batches: Sequence[Batch]) -> list[Any]:
            groups.append({batch.run_id.int % 3 for batch in batches})
            await asyncio.sleep(0.005)
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        logs = [Log(uuid4()) for _ in range(30)]
        async with GroupCommitWriter(Database(note), places=ThreePlaces()) as writer:
            for _ in range(5):
                await asyncio.gather(*[await writer.submit(log.batch({"a": [(1, 1, 1.0)]})) for log in logs])
        assert {len(places) for places in groups} == {1}
        assert len(groups) < 5 * 30

    async def test_many_small_pieces_meet_in_one_transaction(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes: list[int] = []

        async def count(batches: Sequence[Batch]) -> list[Any]:
            sizes.append(len(batches))
            return [Committed(batch.end_position, 0, 0) for batch in batches]

        monkeypatch.setattr(pressure_module, "PACE_S", 5.0)
        monkeypatch.setattr(lane_module, "SILENCE_S", 5.0)
        logs = [Log(uuid4()) for _ in range(lane_module.PACED_WRITERS_MIN)]
        async with GroupCommitWriter(Database(count), lanes=1) as writer:
            await asyncio.gather(*[await writer.submit(log.batch({"a": [(1, 1, 1.0)]})) for log in logs])
            rest = []
            for log in logs:
                rest.append(await writer.submit(log.batch({"a": [(1, 1, 1.0)]})))
                await asyncio.sleep(0.001)
            # Who logs a param, a tag or an end is in a hurry: then nothing waits any more.
            rest.append(await writer.submit(log.batch({}, [TagEntry(log.position, "t", "v")])))
            await asyncio.gather(*rest)
        assert sizes == [4, 5]


def test_runs_take_turns_and_keep_their_order() -> None:
    queue = FairQueue()
    greedy, modest = Log(uuid4()), Log(uuid4())
    sent = [greedy.batch({"a": [(1, 1, 1.0)]}) for _ in range(5)] + [modest.batch({"a": [(1, 1, 1.0)]})]

    async def fill() -> None:
        for batch in sent:
            queue.put(Waiting(batch, 10))

    asyncio.run(fill())
    first, second = ([waiting.batch for waiting in queue.take(30)] for _ in range(2))
    assert [batch.run_id for batch in first] == [greedy.run_id, modest.run_id, greedy.run_id]
    assert [batch.first_position for batch in first + second] == [0, 0, 1, 2, 3, 4]
    assert (queue.batches, queue.size, queue.points, queue.series) == (0, 0, 0, 0)
    assert queue.take(30) == []


async def test_chunks_of_a_commit_lie_in_order_of_the_runs_by_which_compaction_goes(pool: Pool) -> None:
    store = PointStore(pool, MetricIds(pool))
    logs = [await opened(pool, await new_run(pool)) for _ in range(40)]
    batches = [log.batch({"loss": [(0, 0, 0.5)], "lr": [(0, 0, 1.0)]}) for log in logs]
    outcomes = await store.commit(await store.prepare(batches))
    assert [each.position for each in outcomes if isinstance(each, Committed)] == [
        log.position for log in logs
    ]
    stored = await rows(pool, "SELECT run_id FROM metric_chunk ORDER BY ctid")
    assert stored == sorted(stored)
