"""Where compaction is behind, commits are slowed until it keeps up again, and nothing is lost or doubled by it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from stepwell_server.model.ingest import Committed, TagEntry
from stepwell_server.process.telemetry import COMMIT_PACE
from stepwell_server.store.ingest import lane as lane_module
from stepwell_server.store.ingest import pressure as pressure_module
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.pressure import BEHIND_TOLD_S, PACE_MAX_S, PACE_S, Pressure
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX
from tests.harness.store.logs import Log, commit, history, new_run, opened, rows

FAR_BEHIND_S = 1e9
CHUNKS = "SELECT count FROM metric_chunk ORDER BY first_position"


@pytest.fixture
def pressure(monkeypatch: pytest.MonkeyPatch) -> Pressure:
    """Return one that holds what it may hold for ever, once it is on."""
    monkeypatch.setattr(pressure_module, "PACES_S", (PACE_S, 1.0, 3_600.0))
    return Pressure()


@pytest.fixture
async def writer(pool: Pool, pressure: Pressure) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool)), lanes=1, pressure=pressure) as writer:
        yield writer


@pytest.fixture
async def log(pool: Pool, writer: GroupCommitWriter) -> Log:
    """Return one of which something is committed: what comes next is counted from there."""
    log = await opened(pool, await new_run(pool))
    await commit(writer, log.batch({"loss": [(0, 0, 0.0)]}))
    return log


def test_commits_are_slowed_by_how_far_compaction_is_behind(caplog: pytest.LogCaptureFixture) -> None:
    pressure, paces = Pressure(), []
    with caplog.at_level(logging.INFO, "stepwell_server.store.ingest.pressure"):
        for behind_s in (0.0, 20.0, 25.0, 30.0, 40.0, 60.0, 200.0, 400.0, 1e9, 30.0, 60.0, 20.0, 30.0, 20.0):
            pressure.note(behind_s)
            paces.append(pressure.pace_s)
            assert COMMIT_PACE.collect()[0].samples[0].value == pressure.pace_s
    assert paces[:3] == [PACE_S, PACE_S, pytest.approx(0.4)]
    assert paces[3:9] == [pytest.approx(0.6), 1.0, 1.5, 5.0, PACE_MAX_S, PACE_MAX_S]
    # It is told once how far that went, and once that it is over: not what comes and goes in between.
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "compaction is behind" in said[0]
    assert "keeps up again" in said[1]


def test_the_pace_rises_without_a_jump_and_is_in_proportion_where_rounds_are_long() -> None:
    pressure = Pressure()
    paces = []
    for tenths in range(5_000):
        pressure.note(tenths / 10)
        paces.append(pressure.pace_s)
    assert max(after - before for before, after in pairwise(paces)) < 0.005
    # Whatever a round of that length merges, it has as many chunks of a metric that is logged each second.
    assert {round(behind_s / paces[10 * behind_s]) for behind_s in range(int(BEHIND_TOLD_S), 400)} == {40}
    assert FRESH_CHUNKS_MAX < 40


async def test_pieces_that_are_held_become_one_chunk_when_they_are_released(
    pool: Pool, writer: GroupCommitWriter, log: Log, pressure: Pressure
) -> None:
    pressure.note(FAR_BEHIND_S)
    held = [await writer.submit(log.batch({"loss": [(step, step, step / 3)]})) for step in range(1, 20)]
    # An entry is no way around it, nor is it that nobody else comes.
    held.append(
        await writer.submit(log.batch({"loss": [(20, 20, 20 / 3)]}, [TagEntry(log.position, "t", "v")]))
    )
    await asyncio.sleep(3 * lane_module.SILENCE_S)
    assert not any(outcome.done() for outcome in held)
    assert await rows(pool, CHUNKS) == [(1,)]
    pressure.note(0.0)
    positions = [
        outcome.position for outcome in await asyncio.gather(*held) if isinstance(outcome, Committed)
    ]
    assert len(positions) == 20
    assert positions[-1] == log.position
    assert await rows(pool, CHUNKS) == [(1,), (20,)]
    assert await history(pool, log.run_id, "loss") == [(step, step, step / 3) for step in range(21)]


async def test_many_points_are_not_held(
    writer: GroupCommitWriter, log: Log, pressure: Pressure, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressure.note(FAR_BEHIND_S)
    await commit(
        writer, log.batch({"loss": [(step, 0, 0.5) for step in range(lane_module.PACED_POINTS_MAX)]})
    )
    # Nor is more held than a lane may hold, nor by a server that stops.
    monkeypatch.setattr(lane_module, "HELD_BYTES_MAX", 1)
    await commit(writer, log.batch({"loss": [(99, 0, 0.5)]}))
    monkeypatch.undo()
    last = await writer.submit(log.batch({"loss": [(100, 0, 0.5)]}))
    await writer.__aexit__(None, None, None)
    assert last.done()
