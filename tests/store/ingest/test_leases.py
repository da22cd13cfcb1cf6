"""Runs whose writers are all gone without a word are FAILED, and only those; they come back with a writer."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from stepwell_server.errors import UnavailableError
from stepwell_server.model.ingest import AwaitedWriter, LostRun, StatusEntry, WriterIdentity
from stepwell_server.model.runs import LOST_TAG, RunSpec, RunStatus
from stepwell_server.services.leases import LeaseService
from stepwell_server.store.ingest.entries.writing import write_entries
from stepwell_server.store.ingest.leases import ADVISORY_LOCK_KEY, PostgresLeaseStore
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.runs import PostgresRunStore
from stepwell_server.store.tracking.writer_states import PostgresWriterStateStore
from tests.store.ingest.test_commit import Log

AN_HOUR_MS = 3_600_000
START_MS = 1_000


@pytest.fixture
def leases(pool: Pool) -> PostgresLeaseStore:
    return PostgresLeaseStore(pool)


async def new_run(pool: Pool) -> UUID:
    spec = RunSpec(uuid4(), experiment_id=0, name="a run", start_time_ms=START_MS)
    await PostgresRunStore(pool).create_run(spec)
    return spec.run_id


async def new_writer(pool: Pool, run_id: UUID, rank: int | None = None) -> tuple[UUID, UUID]:
    identity = WriterIdentity(run_id, uuid4(), rank, "node7", 123)
    await PostgresWriterStore(pool).open_writer(identity)
    return run_id, identity.writer_id


async def gone(
    pool: Pool, leases: PostgresLeaseStore, run_id: UUID, *, seen: bool = True
) -> tuple[UUID, UUID]:
    """A writer whose lease ran out."""
    writer = await new_writer(pool, run_id)
    await leases.hold({writer: seen}, -1)
    return writer


async def state(pool: Pool, run_id: UUID) -> tuple[RunStatus, bool]:
    run = await PostgresRunStore(pool).get_run(run_id)
    return run.info.status, LOST_TAG in run.tags


def explain(run: LostRun) -> str:
    return f"{run.host} {run.process_id} {run.rank}"


RUNNING = (RunStatus.RUNNING, False)
LOST = (RunStatus.FAILED, True)


async def test_a_run_whose_writers_are_all_gone_is_failed_and_says_why(
    pool: Pool, leases: PostgresLeaseStore
) -> None:
    run_id = await new_run(pool)
    await gone(pool, leases, run_id)
    writer = await new_writer(pool, run_id, rank=3)
    await leases.hold({writer: True}, -1)
    (lost,) = await leases.fail_lost_runs(explain)
    run = await PostgresRunStore(pool).get_run(run_id)
    assert run.info.status is RunStatus.FAILED
    assert run.info.end_time_ms == lost.heard_time_ms > START_MS
    assert run.tags[LOST_TAG].startswith("node7 123")
    assert await leases.fail_lost_runs(explain) == []


async def test_one_writer_that_lives_is_enough(pool: Pool, leases: PostgresLeaseStore) -> None:
    run_id = await new_run(pool)
    await gone(pool, leases, run_id)
    living = await new_writer(pool, run_id)
    await leases.hold({living: True}, AN_HOUR_MS)
    assert await leases.fail_lost_runs(explain) == []
    # It leaves in order, but the other one had vanished: nobody is left who could end the run.
    await leases.release(*living)
    assert [lost.run_id for lost in await leases.fail_lost_runs(explain)] == [run_id]


async def test_a_writer_that_gave_no_sign_of_life_for_a_while_is_silent(
    pool: Pool, leases: PostgresLeaseStore
) -> None:
    async def stand(run_id: UUID, silent_ms: int) -> tuple[bool, bool]:
        (writer,) = (await states.writers(run_id, 10, silent_ms)).first
        return writer.is_alive, writer.is_silent

    states = PostgresWriterStateStore(pool)
    run_id = await new_run(pool)
    writer = await new_writer(pool, run_id)
    await leases.hold({writer: True}, AN_HOUR_MS)
    assert await stand(run_id, AN_HOUR_MS) == (True, False)
    assert await stand(run_id, -1) == (True, True)
    await leases.hold({writer: False}, AN_HOUR_MS)  # another process delivers what it left
    assert await stand(run_id, AN_HOUR_MS) == (True, False)
    await leases.release(*writer)
    assert await stand(run_id, -1) == (False, False)


async def test_who_said_a_moment_ago_that_it_will_come_is_awaited(
    pool: Pool, leases: PostgresLeaseStore
) -> None:
    states = PostgresWriterStateStore(pool)
    run_id, awaited = await new_run(pool), AwaitedWriter("node7", 123, None)
    assert (await states.writers(run_id, 10, AN_HOUR_MS)).awaited is None
    await leases.await_writer(run_id, awaited, AN_HOUR_MS)
    assert (await states.writers(run_id, 10, AN_HOUR_MS)).awaited == awaited
    assert (await states.writers(run_id, 10, -1)).awaited is None
    await leases.hold({await new_writer(pool, run_id): True}, AN_HOUR_MS)
    assert (await states.writers(run_id, 10, AN_HOUR_MS)).awaited is None


async def test_who_left_in_order_and_who_never_wrote_is_not_lost(
    pool: Pool, leases: PostgresLeaseStore
) -> None:
    left, never = await new_run(pool), await new_run(pool)
    await leases.release(*await gone(pool, leases, left))
    assert await leases.fail_lost_runs(explain) == []
    assert [await state(pool, run_id) for run_id in (left, never)] == [RUNNING, RUNNING]


@pytest.mark.parametrize("change", ["status = 3", "status = 2", "lifecycle_stage = 'deleted'"])
async def test_only_active_runs_that_run_can_be_lost(
    pool: Pool, leases: PostgresLeaseStore, change: str
) -> None:
    run_id = await new_run(pool)
    await gone(pool, leases, run_id)
    async with pool.connection() as connection:
        await connection.execute(f"UPDATE run SET {change}")
        assert await leases.fail_lost_runs(explain) == []
        assert await connection.fetchval("SELECT count(*) FROM writer_lease") == 0


async def test_a_writer_that_returns_takes_its_run_back(pool: Pool, leases: PostgresLeaseStore) -> None:
    run_id = await new_run(pool)
    writer = await gone(pool, leases, run_id)
    await leases.fail_lost_runs(explain)
    assert await leases.hold({writer: False}, AN_HOUR_MS) == []  # only what it left behind is delivered
    assert await state(pool, run_id) == LOST
    assert await leases.hold({writer: True}, AN_HOUR_MS) == [run_id]
    assert await state(pool, run_id) == RUNNING
    assert (await PostgresRunStore(pool).get_run(run_id)).info.end_time_ms is None
    assert await leases.hold({writer: True}, AN_HOUR_MS) == []


async def test_a_run_that_failed_by_itself_is_not_taken_back(pool: Pool, leases: PostgresLeaseStore) -> None:
    run_id = await new_run(pool)
    writer = await new_writer(pool, run_id)
    await PostgresRunStore(pool).update_run(run_id, RunStatus.FAILED, 5, None)
    assert await leases.hold({writer: True}, AN_HOUR_MS) == []
    assert await state(pool, run_id) == (RunStatus.FAILED, False)


@pytest.mark.parametrize("through_the_log", [True, False])
async def test_who_says_how_a_run_stands_overrules_that_it_was_lost(
    pool: Pool, leases: PostgresLeaseStore, through_the_log: bool
) -> None:
    run_id = await new_run(pool)
    writer = await gone(pool, leases, run_id)
    await leases.fail_lost_runs(explain)
    if through_the_log:
        async with pool.transaction() as connection:
            batch = Log(run_id).batch({}, [StatusEntry(0, RunStatus.FINISHED, 9)])
            await write_entries(connection, {0: batch})
    else:
        await PostgresRunStore(pool).update_run(run_id, None, None, "another name")
        assert await state(pool, run_id) == LOST
        await PostgresRunStore(pool).update_run(run_id, RunStatus.FINISHED, None, None)
    assert await state(pool, run_id) == (RunStatus.FINISHED, False)
    assert await leases.hold({writer: True}, AN_HOUR_MS) == []


async def test_a_run_that_only_others_delivered_ended_with_its_last_point(
    pool: Pool, leases: PostgresLeaseStore
) -> None:
    run_id = await new_run(pool)
    await gone(pool, leases, run_id, seen=False)
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO metric (name) VALUES ('loss')")
        await connection.execute(
            "INSERT INTO metric_latest SELECT $1, metric_id, 1, 7777, 1.0, 1, 0, 1, 1, 1 FROM metric", run_id
        )
    (lost,) = await leases.fail_lost_runs(explain)
    assert lost.heard_time_ms == 7777


async def test_one_server_at_a_time_looks(pool: Pool, leases: PostgresLeaseStore) -> None:
    run_id = await new_run(pool)
    await gone(pool, leases, run_id)
    async with pool.transaction() as other:
        await other.execute("SELECT pg_advisory_xact_lock($1)", ADVISORY_LOCK_KEY)
        assert await leases.fail_lost_runs(explain) == []
    assert len(await leases.fail_lost_runs(explain)) == 1


async def test_extending_gives_everybody_a_new_period(pool: Pool, leases: PostgresLeaseStore) -> None:
    run_id = await new_run(pool)
    await gone(pool, leases, run_id)
    await leases.extend_all(AN_HOUR_MS)
    assert await leases.fail_lost_runs(explain) == []


async def test_a_writer_that_was_removed_is_passed_over(pool: Pool, leases: PostgresLeaseStore) -> None:
    assert await leases.hold({(uuid4(), uuid4()): True}, AN_HOUR_MS) == []


class FlickeringStore:
    """A database that is away every now and then; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def hold(self, writers: Mapping[tuple[UUID, UUID], bool], period_ms: int) -> Sequence[UUID]:
        self.asked.append("hold")
        return ()

    async def release(self, run_id: UUID, writer_id: UUID) -> None:
        self.asked.append("release")

    async def extend_all(self, period_ms: int) -> None:
        self.asked.append("extend")

    async def fail_lost_runs(self, explain: Any) -> Sequence[LostRun]:
        if self.away:
            raise UnavailableError("away")
        self.asked.append("fail")
        return ()


async def test_nobody_is_judged_by_a_time_in_which_nothing_could_be_seen() -> None:
    store = FlickeringStore()
    service = LeaseService(store, 600)
    await service.look_round()
    await service.look_round()
    assert store.asked == ["extend", "fail", "fail"]
    store.away = True
    with pytest.raises(UnavailableError):
        await service.look_round()
    store.away = False
    await service.look_round()
    assert store.asked[3:] == ["extend", "fail"]


@pytest.mark.parametrize(
    ("passed_s", "asked"), [(500, ["fail"]), (3_600, ["extend", "fail"]), (-3_600, ["extend", "fail"])]
)
async def test_nor_by_a_time_in_which_the_machine_slept_or_its_clock_was_set(
    monkeypatch: pytest.MonkeyPatch, passed_s: int, asked: list[str]
) -> None:
    store, now_s = FlickeringStore(), time.time()
    service = LeaseService(store, 600)
    await service.look_round()
    monkeypatch.setattr("stepwell_server.services.leases.time.time", lambda: now_s + passed_s)
    await service.look_round()
    assert store.asked[2:] == asked
    await service.look_round()
    assert store.asked[2:] == [*asked, "fail"]


async def test_a_lease_from_before_the_clock_was_set_back_runs_out_as_others_do(
    pool: Pool, leases: PostgresLeaseStore
) -> None:
    run_id, other = await new_run(pool), await new_run(pool)
    await leases.hold({await new_writer(pool, run_id): True}, 24 * AN_HOUR_MS)
    await leases.await_writer(other, AwaitedWriter("node7", 123, None), 24 * AN_HOUR_MS)
    await leases.extend_all(-1)
    assert {lost.run_id for lost in await leases.fail_lost_runs(explain)} == {run_id, other}


async def test_never_means_never() -> None:
    store = FlickeringStore()
    await LeaseService(store, 0).look_round()
    assert store.asked == ["extend"]


async def test_the_lease_goes_with_the_task_and_back_with_the_last_stream() -> None:
    store = FlickeringStore()
    service = LeaseService(store, 600)
    identity = WriterIdentity(uuid4(), uuid4())
    leave, stay = asyncio.Event(), asyncio.Event()

    async def serve(go_on: asyncio.Event) -> None:
        await service.hold(identity)
        await go_on.wait()
        await service.release(identity)

    first, second = asyncio.create_task(serve(leave)), asyncio.create_task(serve(stay))
    await asyncio.sleep(0)
    leave.set()
    await first
    assert store.asked == ["hold", "hold"]  # the other stream keeps the lease
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.sleep(0)
    await service.look_round()
    assert store.asked == ["hold", "hold", "extend", "fail"]  # nothing is left to renew
