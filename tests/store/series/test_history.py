"""Histories: every point once, in order, however they are cut, resumed and filtered."""

import math
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepwell_server.model.series import EVERYTHING, HistoryCursor, Selection, SeriesName
from stepwell_server.services.paging.histories import make_cursor, read_cursor
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import histories as series_module
from stepwell_server.store.series import sweep
from stepwell_server.store.series.histories import PostgresSeriesStore
from tests.harness.store.stored_logs import Point, StoredLog, new_run

STEPS = st.one_of(st.integers(-3, 5), st.integers(-(2**63), 2**63 - 1))
TIMES = st.one_of(st.integers(0, 3), st.integers(0, 2**60))
VALUES = st.sampled_from([0.0, 1.5, -2.0, math.nan, math.inf, -math.inf, 0.1])
POINTS = st.lists(st.tuples(STEPS, TIMES, VALUES), min_size=1, max_size=20)
KEYS = st.sampled_from(["a", "b"])
BATCHES = st.lists(st.tuples(st.integers(0, 1), KEYS, POINTS), min_size=1, max_size=8)


def in_order(points: list[Point]) -> list[tuple[int, int, str]]:
    ordered = sorted(points, key=lambda point: (*point[:2], math.isnan(point[2]), point[2]))
    return [(step, time, repr(value)) for step, time, value in ordered]


async def read(
    pool: Pool,
    series: list[SeriesName],
    selection: Selection = EVERYTHING,
    after: HistoryCursor | None = None,
    pieces_max: int | None = None,
) -> tuple[list[list[Point]], HistoryCursor | None]:
    """The points of each series, and where it stopped: at the end, or after so many pieces."""
    found: list[list[Point]] = [[] for _ in series]
    async for piece in PostgresSeriesStore(pool).history(series, selection, after):
        columns = piece.points
        found[piece.number] += zip(
            columns.steps.tolist(), columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True
        )
        after = piece.end
        if pieces_max is not None and (pieces_max := pieces_max - 1) == 0:
            break
    return found, after


@pytest.fixture(params=["pages of a few points", "sorted by the database"])
def small_limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "PIECE_POINTS_MAX", 3)
    monkeypatch.setattr(series_module, "PAGE_POINTS", 7)
    monkeypatch.setattr(sweep, "LOOK_POINTS_MIN", 4)
    if request.param == "sorted by the database":
        monkeypatch.setattr(sweep, "SWEEP_POINTS_MAX", 5)


@pytest.mark.usefixtures("small_limits")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES, st.integers(1, 12))
async def test_every_point_comes_once_also_when_the_reading_is_broken_off(
    pool: Pool, batches: list[tuple[int, str, list[Point]]], pieces_max: int
) -> None:
    run_id = await new_run(pool)
    logs = [StoredLog(pool, run_id), StoredLog(pool, run_id)]
    for writer, key, points in batches:
        await logs[writer].commit({key: points})
    names = [SeriesName(run_id, key) for key in ("b", "nothing", "a")]
    begun, cursor = await read(pool, names, pieces_max=pieces_max)
    assert cursor is not None
    rest, _ = await read(pool, names, after=read_cursor(make_cursor(cursor), len(names)))
    for number, name in enumerate(names):
        expected = in_order([point for _, key, points in batches if key == name.key for point in points])
        found = [(step, time, repr(value)) for step, time, value in begun[number] + rest[number]]
        assert found == expected


@pytest.mark.usefixtures("small_limits")
async def test_a_cursor_survives_inserts(pool: Pool) -> None:
    log = StoredLog(pool, await new_run(pool))
    names = [SeriesName(log.run_id, "loss")]
    await log.commit({"loss": [(step, 0, 1.0) for step in (0, 1, 2, 2, 2, 2, 3, 4)]})
    begun, cursor = await read(pool, names, pieces_max=1)
    assert [step for step, *_ in begun[0]] == [0, 1, 2]
    await log.commit({"loss": [(-5, 0, 1.0), (2, 0, 0.5), (2, 0, 1.0), (3, -1, 1.0)]})
    rest, _ = await read(pool, names, after=cursor)
    assert rest[0] == [(2, 0, 1.0)] * 4 + [(3, -1, 1.0), (3, 0, 1.0), (4, 0, 1.0)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES, STEPS, STEPS, TIMES, TIMES, st.sampled_from([None, [0], [1], [0, 1]]), st.integers(1, 9))
@example([(0, "a", [(5, 1, 0.0)]), (1, "a", [(5, 3, 0.0)])], -3, 5, 0, 9, None, 1)
@example([(0, "a", [(5, 3, 0.0)]), (1, "a", [(5, 1, 0.0)])], -3, 5, 0, 9, None, 1)
async def test_a_selection_cuts_points_and_not_chunks(
    pool: Pool,
    batches: list[tuple[int, str, list[Point]]],
    one_step: int,
    other_step: int,
    one_time: int,
    other_time: int,
    ranks: list[int] | None,
    last: int,
) -> None:
    run_id = await new_run(pool)
    logs = [StoredLog(pool, run_id, rank=0), StoredLog(pool, run_id, rank=1)]
    for writer, key, points in batches:
        await logs[writer].commit({key: points})
    selection = Selection(
        min(one_step, other_step),
        max(one_step, other_step),
        min(one_time, other_time),
        max(one_time, other_time),
    )
    expected = [
        (step, time, value)
        for writer, key, points in batches
        if key == "a" and (ranks is None or writer in ranks)
        for step, time, value in points
        if selection.step_from <= step <= selection.step_to
        and selection.time_from_ms <= time <= selection.time_to_ms
    ]
    name = SeriesName(run_id, "a")
    (found,), _ = await read(pool, [name], replace(selection, ranks=ranks))
    assert in_order(found) == in_order(expected)
    by_writer = None if ranks is None else [logs[rank].writer_id for rank in ranks]
    (found,), _ = await read(pool, [name], replace(selection, writer_ids=by_writer))
    assert in_order(found) == in_order(expected)
    ends = await PostgresSeriesStore(pool).last_points(name, replace(selection, ranks=ranks), last)
    found = [] if ends is None else list(zip(ends.steps, ends.timestamps_ms, ends.values, strict=True))
    assert [(step, time, repr(float(value))) for step, time, value in found] == in_order(expected)[-last:]


async def test_latest_points_come_by_run_and_name(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "LATEST_ROWS", 2)
    runs = [await new_run(pool) for _ in range(4)]
    for number, run_id in enumerate(runs[:3]):
        log = StoredLog(pool, run_id)
        await log.commit({f"m{index}": [(1, 2, 3.0), (2, 3, number + index)] for index in range(number + 1)})
    groups = [rows async for rows in PostgresSeriesStore(pool).latest([runs[3], *reversed(runs[:3])], None)]
    assert [len(rows) for rows in groups] == [3, 2, 1]
    rows = [row for rows in groups for row in rows]
    assert [(row.number, row.key) for row in rows] == [
        (1, "m0"), (1, "m1"), (1, "m2"), (2, "m0"), (2, "m1"), (3, "m0"),
    ]  # fmt: skip
    assert (rows[2].step, rows[2].timestamp_ms, rows[2].value, rows[2].count) == (2, 3, 4.0, 2)
    chosen = [rows async for rows in PostgresSeriesStore(pool).latest(runs, ["m2", "nothing"])]
    assert [(row.number, row.key) for rows in chosen for row in rows] == [(2, "m2")]


async def test_start_times_are_those_of_the_runs_that_exist(pool: Pool) -> None:
    run_id = await new_run(pool, start_time_ms=5)
    assert await PostgresSeriesStore(pool).start_times([run_id, uuid4()]) == {run_id: 5}
