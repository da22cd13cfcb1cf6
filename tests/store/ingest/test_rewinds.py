"""A rewind hides, reversibly, what earlier attempts logged from a step on; everything that reads agrees on it."""

import math
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell_server.errors import NotFoundError
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.runs import PostgresRunStore
from tests.harness.store.logs import Log, Point, commit, history, new_run, opened, rows


@pytest.fixture
async def writer(pool: Pool) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        yield writer


@pytest.fixture
def rewinds(pool: Pool) -> PostgresRewindStore:
    return PostgresRewindStore(pool)


def line(first: int, end: int, value: float) -> list[Point]:
    return [(step, 1_000 + step, value) for step in range(first, end)]


async def latest(pool: Pool, run_id: UUID) -> dict[str, tuple[int, float]]:
    run = await PostgresRunStore(pool).get_run(run_id)
    return {metric.key: (metric.step, metric.value) for metric in run.metrics}


async def test_a_new_attempt_goes_on_from_its_checkpoint(
    pool: Pool, writer: GroupCommitWriter, rewinds: PostgresRewindStore
) -> None:
    first = await opened(pool, await new_run(pool))
    run_id = first.run_id
    await commit(writer, first.batch({"loss": line(0, 10, 1.0), "late": line(8, 9, 5.0)}))
    assert await rewinds.rewind(run_id, 6) == 1
    assert await history(pool, run_id, "loss") == line(0, 6, 1.0)
    assert await latest(pool, run_id) == {"loss": (5, 1.0)}
    second = await opened(pool, run_id)
    await commit(writer, second.batch({"loss": line(6, 8, 2.0)}))
    assert await history(pool, run_id, "loss") == line(0, 6, 1.0) + line(6, 8, 2.0)
    assert await latest(pool, run_id) == {"loss": (7, 2.0)}
    assert await rewinds.undo_rewind(run_id, 0) == 1
    assert len(await history(pool, run_id, "loss")) == 12
    assert await latest(pool, run_id) == {"loss": (9, 1.0), "late": (8, 5.0)}


async def test_what_an_earlier_attempt_delivers_late_stays_hidden(
    pool: Pool, writer: GroupCommitWriter, rewinds: PostgresRewindStore
) -> None:
    log = await opened(pool, await new_run(pool))
    await commit(writer, log.batch({"loss": line(0, 3, 1.0)}))
    await rewinds.rewind(log.run_id, 2)
    await commit(writer, log.batch({"loss": line(3, 6, 1.0)}))
    assert await history(pool, log.run_id, "loss") == line(0, 2, 1.0)
    assert await latest(pool, log.run_id) == {"loss": (1, 1.0)}


async def test_rewinds_add_up_and_are_taken_back_one_by_one(
    pool: Pool, writer: GroupCommitWriter, rewinds: PostgresRewindStore
) -> None:
    first = await opened(pool, await new_run(pool))
    run_id = first.run_id
    await commit(writer, first.batch({"m": line(0, 10, 1.0)}))
    assert await rewinds.rewind(run_id, 4) == 1
    second = await opened(pool, run_id)
    await commit(writer, second.batch({"m": line(4, 10, 2.0)}))
    assert await rewinds.rewind(run_id, 7) == 2
    assert await history(pool, run_id, "m") == line(0, 4, 1.0) + line(4, 7, 2.0)
    assert await rewinds.undo_rewind(run_id, 1) == 1
    assert len(await history(pool, run_id, "m")) == 7 + 3
    with pytest.raises(NotFoundError, match="no rewind 1"):
        await rewinds.undo_rewind(run_id, 1)
    assert await rewinds.undo_rewind(run_id, 0) == 2
    with pytest.raises(NotFoundError, match="no rewind to take back"):
        await rewinds.undo_rewind(run_id, 0)
    assert len(await history(pool, run_id, "m")) == 16


async def test_a_run_without_writers_has_nothing_to_hide(pool: Pool, rewinds: PostgresRewindStore) -> None:
    assert await rewinds.rewind(await new_run(pool), 0) == 0


VALUES = st.one_of(st.floats(width=32), st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308]))
POINTS = st.lists(st.tuples(st.integers(-5, 20), st.integers(0, 3), VALUES), max_size=12)


def shown_as(value: float | None) -> str | None:
    return None if value is None else repr(value + 0.0)


def summary(points: list[Point]) -> tuple[object, ...] | None:
    """What metric_latest has to hold of points."""
    if not points:
        return None
    step, time, value = max(points, key=lambda p: (p[0], p[1], math.isnan(p[2]), p[2]))
    finite = [value for _, _, value in points if math.isfinite(value)]
    bounds = (min(finite), max(finite)) if finite else (None, None)
    non_finite = len(points) - len(finite)
    return (step, time, shown_as(value), len(points), non_finite, shown_as(bounds[0]), shown_as(bounds[1]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attempts=st.lists(st.tuples(POINTS, st.integers(-6, 21)), min_size=1, max_size=3))
async def test_the_latest_point_is_that_of_what_shows(
    pool: Pool, writer: GroupCommitWriter, attempts: list[tuple[list[Point], int]]
) -> None:
    rewinds, run_id, shown = PostgresRewindStore(pool), await new_run(pool), list[Point]()
    for points, from_step in attempts:
        log: Log = await opened(pool, run_id)
        await commit(writer, log.batch({"m": points}))
        await rewinds.rewind(run_id, from_step)
        shown = [point for point in [*shown, *points] if point[0] < from_step]
    stored = await rows(
        pool,
        "SELECT step, timestamp_ms, value, count, non_finite_count, value_min, value_max"
        " FROM metric_latest WHERE run_id = $1",
        run_id,
    )
    found = [(a, b, shown_as(c), d, e, shown_as(f), shown_as(g)) for a, b, c, d, e, f, g in stored]
    expected = summary(shown)
    assert found == ([expected] if expected else [])
    assert len(await history(pool, run_id, "m")) == len(shown)
    assert len(await rows(pool, "SELECT FROM metric_points WHERE run_id = $1", run_id)) == len(shown)
