"""Lines of groups equal those of a plain Python reference over the raw points; and what is read for them."""

import json
import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.group_lines import GroupLine, GroupsWanted
from stepwell_server.model.runs import ViewType
from stepwell_server.model.series import EVERYTHING, SampleRequest, SeriesName, ValueRange, XAxis
from stepwell_server.services import group_lines
from stepwell_server.services.group_lines import GroupLineService
from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import samples
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.sql import load
from stepwell_server.store.tracking.searches import PostgresSearchStore
from tests.harness.store.stored_logs import Point, StoredLog, new_run

EVERY_RUN = GroupsWanted([0], ViewType.ACTIVE_ONLY, [""])
VALUES = st.one_of(st.sampled_from([0.0, 1.5, -2.0, math.nan, math.inf]), st.floats(-1e6, 1e6))
RUNS = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), VALUES), min_size=1, max_size=12),
    min_size=1,
    max_size=5,
)


async def lines(
    pool: Pool, request: SampleRequest, keys: Sequence[str] = ("a",), groups: GroupsWanted = EVERY_RUN
) -> dict[tuple[int, int], GroupLine]:
    service = GroupLineService(PostgresSeriesStore(pool), PostgresSearchStore(pool))
    return {(group, key): line async for group, key, line in service.lines(groups, keys, request)}


async def logged(pool: Pool, points: Sequence[Point], start_time_ms: int = 0, key: str = "a") -> UUID:
    run_id = await new_run(pool, start_time_ms)
    await StoredLog(pool, run_id).commit({key: points})
    return run_id


def run_values(points: Sequence[tuple[int, float]], borders: Sequence[int], high: int) -> list[float]:
    """What a run is in each bucket, as `GroupLine` says; NaN where it does not count."""
    own: dict[int, tuple[float, float]] = {}
    for bucket in {bisect_right(borders, x) - 1 for x, _ in points}:
        inside = [(x, value) for x, value in points if bisect_right(borders, x) - 1 == bucket]
        finite = [value for _, value in inside if math.isfinite(value)]
        middle = (min(inside)[0] + max(x for x, _ in inside)) / 2
        own[bucket] = middle, (math.fsum(finite) / len(finite) if finite else math.nan)
    places = sorted(own)
    found = []
    for bucket, begin in enumerate(borders):
        at = bisect_left(places, bucket)
        if bucket in own:
            found.append(own[bucket][1])
        elif not 0 < at < len(places):
            found.append(math.nan)
        else:
            end = borders[bucket + 1] - 1 if bucket + 1 < len(borders) else high
            (before, low), (behind, up) = own[places[at - 1]], own[places[at]]
            found.append(low + (up - low) * ((begin + end) / 2 - before) / (behind - before))
    return found


def reference(runs: Sequence[Sequence[Point]], request: SampleRequest) -> list[tuple[Any, ...]]:
    every = [x for points in runs for x, _, _ in points]
    low = min(every) if request.x_from is None else max(request.x_from, min(every))
    high = max(every) if request.x_to is None else min(request.x_to, max(every))
    inside = [[(x, value) for x, _, value in points if low <= x <= high] for points in runs]
    if low > high or not any(inside):
        return []
    span = high - low + 1
    number = min(request.buckets, span)
    borders = [low + index * span // number for index in range(number)]
    values = [run_values(points, borders, high) for points in inside if points]
    rows = []
    for bucket in range(number):
        points = [it for run in inside for it in run if bisect_right(borders, it[0]) - 1 == bucket]
        if not points:
            continue
        count = [run[bucket] for run in values if not math.isnan(run[bucket])]
        spread = (
            (
                statistics.fmean(count),
                statistics.stdev(count) if len(count) > 1 else 0.0,
                min(count),
                max(count),
            )
            if count
            else (math.nan,) * 4
        )
        odd = sum(not math.isfinite(value) for _, value in points)
        rows.append((min(points)[0], max(x for x, _ in points), *spread, len(count), len(points), odd))
    return rows


def assert_equal(line: GroupLine | None, expected: list[tuple[Any, ...]]) -> None:
    columns = () if line is None else (
        line.first_x, line.last_x, line.mean, line.deviation, line.minimum, line.maximum, line.runs, line.count,
        line.non_finite_count,
    )  # fmt: skip
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert [(*row[:2], *row[6:]) for row in rows] == [(*row[:2], *row[6:]) for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[2:6] == pytest.approx(wanted[2:6], rel=1e-6, abs=1e-3, nan_ok=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    RUNS,
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(0, 20)),
    st.one_of(st.none(), st.integers(20, 40)),
)
@example([[(0, 0, 0.0), (10, 0, 10.0)], [(step, 0, 1.0) for step in range(11)]], 11, None, None)
@example([[(-(2**63), 0, 1.0), (2**63 - 1, 0, 2.0)], [(0, 0, 5.0)]], 12, None, None)
async def test_lines_are_those_of_the_reference(
    pool: Pool, runs: list[list[Point]], buckets: int, x_from: int | None, x_to: int | None
) -> None:
    async with pool.connection() as connection:
        await connection.execute("TRUNCATE run CASCADE")
    for points in runs:
        await logged(pool, points)
    request = SampleRequest(XAxis.STEP, buckets, x_from, x_to)
    assert_equal((await lines(pool, request)).get((0, 0)), reference(runs, request))


async def test_times_are_those_since_the_start_of_each_run(pool: Pool) -> None:
    for start in (0, 5_000):
        await logged(pool, [(step, start + 10 * step, float(step + start)) for step in range(100)], start)
    request = SampleRequest(XAxis.TIME_SINCE_START, 10)
    line = (await lines(pool, request))[0, 0]
    assert line.first_x.tolist() == [100 * bucket for bucket in range(10)]
    assert line.mean.tolist() == [10 * bucket + 4.5 + 2_500 for bucket in range(10)]
    assert set(line.runs.tolist()) == {2}
    in_all = (await lines(pool, SampleRequest(XAxis.TIME, 10)))[0, 0]
    assert (in_all.first_x[0], in_all.last_x[-1]) == (0, 5_990)


async def test_x_is_another_metric(pool: Pool) -> None:
    for slope in (1.0, 3.0):
        log = StoredLog(pool, await new_run(pool))
        await log.commit({"a": [(step, 0, slope * step) for step in range(11)]})
        await log.commit({"x": [(step, 0, float(step)) for step in range(11)]})
    over = SampleRequest(XAxis.METRIC, 2, values=ValueRange("x"))
    line = (await lines(pool, over))[0, 0]
    assert (line.first_x.tolist(), line.last_x.tolist()) == ([0.0, 5.0], [4.0, 10.0])
    assert (line.mean.tolist(), line.minimum.tolist(), line.maximum.tolist()) == (
        [4.0, 15.0],
        [2.0, 7.5],
        [6.0, 22.5],
    )
    assert await lines(pool, SampleRequest(XAxis.METRIC, 2, values=ValueRange("nothing"))) == {}


async def test_what_a_rewind_hides_does_not_count_unless_it_is_asked_for(pool: Pool) -> None:
    run_id = await logged(pool, [(step, step, 1.0) for step in range(10)])
    await logged(pool, [(step, step, 3.0) for step in range(10)])
    await PostgresRewindStore(pool).rewind(run_id, 5)
    line = (await lines(pool, SampleRequest(XAxis.STEP, 2)))[0, 0]
    assert (line.mean.tolist(), line.runs.tolist()) == ([2.0, 3.0], [2, 1])
    whole = (await lines(pool, SampleRequest(XAxis.STEP, 2, with_hidden=True)))[0, 0]
    assert whole.mean.tolist() == [2.0, 2.0]


async def test_more_runs_than_are_read_are_told(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        await logged(pool, [(0, 0, float(number))] * (number > 0), start_time_ms=number)
    line = (await lines(pool, SampleRequest(XAxis.STEP, 5)))[0, 0]
    assert (line.found_runs, line.read_runs, line.runs_with_points) == (6, 6, 5)
    assert line.mean.tolist() == [3.0]
    monkeypatch.setattr(group_lines, "GROUP_RUNS_MAX", 2)
    line = (await lines(pool, SampleRequest(XAxis.STEP, 5)))[0, 0]
    assert (line.found_runs, line.read_runs, line.mean.tolist()) == (6, 2, [4.5])
    monkeypatch.setattr(group_lines, "GROUP_RUNS_MAX", 100)
    monkeypatch.setattr(group_lines, "CHUNKS_OVER_STEPS_MAX", 3)
    line = (await lines(pool, SampleRequest(XAxis.STEP, 5)))[0, 0]
    assert (line.found_runs, line.read_runs, line.mean.tolist()) == (6, 3, [4.0])
    monkeypatch.setattr(group_lines, "GROUPED_SERIES_MAX", 8)
    two = GroupsWanted([0], ViewType.ACTIVE_ONLY, ["", "attributes.start_time < 3"])
    found = await lines(pool, SampleRequest(XAxis.TIME, 5), ["nothing", "a"], two)
    assert {place: line.read_runs for place, line in found.items()} == {(0, 1): 2, (1, 1): 2}


REFUSED = (
    (SampleRequest(XAxis.STEP, 2_001), EVERY_RUN, "2001 buckets"),
    (SampleRequest(XAxis.STEP, 5, 3, 2), EVERY_RUN, "x_from 3 is above x_to 2"),
    (SampleRequest(XAxis.METRIC, 5), EVERY_RUN, "name it in x_key"),
    (SampleRequest(XAxis.STEP, 5), GroupsWanted([0], ViewType.ALL, [""] * 21), "21 groups"),
    (SampleRequest(XAxis.STEP, 5), GroupsWanted([0], ViewType.ALL, ["params."]), "params"),
)


async def test_what_cannot_be_asked_is_refused(pool: Pool) -> None:
    for request, groups, complaint in REFUSED:
        with pytest.raises(InvalidArgumentError, match=complaint):
            await lines(pool, request, groups=groups)


async def test_points_stay_closed_where_summaries_tell(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [[(step, step, math.sin(step + run)) for step in range(2 * CHUNK_POINTS_MAX)] for run in range(5)]
    for points in runs:
        await logged(pool, points)
    opened: list[int] = []
    real = samples.open_chunks

    def counted(connection: Any, chunks: Any, places: Any, *rest: Any) -> AsyncIterator[Any]:
        opened.append(len(places))
        return real(connection, chunks, places, *rest)

    monkeypatch.setattr(samples, "open_chunks", counted)
    request = SampleRequest(XAxis.STEP, 20)
    assert_equal((await lines(pool, request))[0, 0], reference(runs, request))
    assert sum(opened) == 0
    # Over times there is no other way.
    await lines(pool, SampleRequest(XAxis.TIME, 20))
    assert sum(opened) == 10


async def test_how_far_series_reach_is_asked_of_their_chunks_alone(pool: Pool) -> None:
    names = []
    for number in range(60):
        log = StoredLog(pool, await new_run(pool))
        points = [(step, step, float(np.float32(step))) for step in range(600)]
        await log.commit(dict.fromkeys("abcdef", points))
        names.append(SeriesName(log.run_id, "ab"[number % 2]))
    bounds = [
        [getattr(EVERYTHING, name)] * 60 for name in ("step_from", "step_to", "time_from_ms", "time_to_ms")
    ]
    async with pool.connection() as connection:
        await connection.execute("ANALYZE")
        plan = await connection.fetchval(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS, FORMAT JSON) {load('sampling')['extents']}",
            [name.run_id for name in names],
            [name.key for name in names],
            *bounds,
            False,
        )
    scans = [
        node for node in nodes(json.loads(plan)[0]["Plan"]) if node.get("Relation Name") == "metric_chunk"
    ]
    assert [node["Node Type"] for node in scans] == ["Index Scan"]
    assert scans[0]["Actual Rows"] * scans[0]["Actual Loops"] <= 70
    # An array of 600 values fills a page or more of its own; a row without its arrays is a part of one.
    assert scans[0]["Shared Hit Blocks"] + scans[0]["Shared Read Blocks"] <= 60 * 5


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]
