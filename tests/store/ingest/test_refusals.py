"""What was refused is noted with its run, in the commit: by kind, once, and within bounds."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from stepwell_server.model.ingest import NO_POINTS, ParamEntry, Rejection, TagEntry
from stepwell_server.store.ingest.entries.refusals import REFUSALS_MAX, REFUSED_KEY_CHARS_MAX
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.writer_states import PostgresWriterStateStore
from tests.harness.store.logs import Log, commit, new_run, opened, rows

BAD = "INVALID_PARAMETER_VALUE"


@pytest.fixture
async def writer(pool: Pool) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        yield writer


@pytest.fixture
async def log(pool: Pool) -> Log:
    return await opened(pool, await new_run(pool))


def bad(key: str, count: int = 1, reason: str = "too long") -> Rejection:
    return Rejection(0, count, key, BAD, reason)


async def noted(pool: Pool, log: Log) -> dict[tuple[str, str], tuple[int, str]]:
    found, count = await PostgresWriterStateStore(pool).refusals(log.run_id, 1_000)
    assert count == sum(each.count for each in found)
    assert all(each.first_time_ms <= each.last_time_ms for each in found)
    assert len({(each.writer_id, each.key, each.error_code) for each in found}) == len(found)
    return {(each.key, each.error_code): (each.count, each.reason) for each in found}


async def test_refusals_gather_by_kind_and_a_repeat_adds_nothing(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    first = replace(log.batch({"loss": [(1, 1, 1.0)]}), refused=[bad("x", 5), bad("y")])
    second = replace(log.batch({}, skip=2), refused=[bad("x", 2, "still too long")])
    await commit(writer, first, second)
    await commit(writer, first, second)
    assert await noted(pool, log) == {("x", BAD): (7, "still too long"), ("y", BAD): (1, "too long")}


async def test_what_the_store_refuses_is_noted_beside_it(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    gone = await opened(pool, await new_run(pool, stage="deleted"))
    changed = log.batch({}, [ParamEntry(0, "lr", "1"), ParamEntry(1, "lr", "2")])
    unstorable = log.batch({}, [TagEntry(2, "nul", "a\0b")])
    await commit(writer, replace(changed, refused=[bad("a\0" + "k" * 1_000)]))
    await commit(writer, unstorable, gone.batch({"loss": [(1, 1, 1.0)]}, [TagEntry(1, "t", "v")]))
    of_log = await noted(pool, log)
    assert set(of_log) == {
        ("lr", BAD),
        ("a\N{SYMBOL FOR NULL}" + "k" * (REFUSED_KEY_CHARS_MAX - 2), BAD),
        ("", BAD),
    }
    assert "cannot change to '2'" in of_log["lr", BAD][1]
    assert "the database cannot store" in of_log["", BAD][1]
    ((count, reason),) = (await noted(pool, gone)).values()
    assert (count, "deleted" in reason) == (2, True)


async def test_kinds_beyond_the_limit_are_counted_together(
    pool: Pool, writer: GroupCommitWriter, log: Log
) -> None:
    many = [bad(f"x{number}") for number in range(REFUSALS_MAX + 50)]
    await commit(writer, replace(log.batch({}), refused=many))
    await commit(writer, replace(log.batch({}), refused=[bad("x0"), bad("new", 3)]))
    found = await noted(pool, log)
    assert len(found) == REFUSALS_MAX + 1
    assert (found["x0", BAD][0], found["", ""][0]) == (2, 53)
    assert ("new", BAD) not in found


async def test_they_go_with_their_run(pool: Pool, writer: GroupCommitWriter, log: Log) -> None:
    await commit(writer, replace(log.batch({}), points=NO_POINTS, refused=[bad("x")]))
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM writer WHERE run_id = $1", log.run_id)
    assert await rows(pool, "SELECT * FROM refusal") == []
