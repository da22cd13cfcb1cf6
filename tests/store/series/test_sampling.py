"""Samples equal those of a plain Python reference over the raw points, whatever the chunks are."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.series import SampledSeries, SampleRequest, XAxis
from stepwell_server.services.series import SeriesService
from stepwell_server.store.chunks import blocks
from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import edges, samples, summaries
from stepwell_server.store.series import histories as series_module
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.upkeep.compactor import compact_now
from tests.harness.store.stored_logs import Point, StoredLog, new_run

START_MS = 1_000
STEPS = st.one_of(st.integers(-3, 20), st.integers(-(2**63), 2**63 - 1))
TIMES = st.one_of(st.integers(0, 10), st.integers(0, 2**60))
VALUES = st.one_of(
    st.sampled_from([0.0, 1.5, -2.0, math.nan, math.inf, -math.inf, 0.1]),
    st.floats(-1e300, 1e300),
)
EVEN = st.builds(
    lambda first, stride, count, time: [
        (first + index * stride, time + index, float(index)) for index in range(count)
    ],
    st.integers(-50, 50),
    st.integers(1, 7),
    st.integers(1, 60),
    st.integers(0, 50),
)
POINTS = st.one_of(EVEN, st.lists(st.tuples(STEPS, TIMES, VALUES), min_size=1, max_size=30))
Batch = tuple[int, str, list[Point]]
MIXED = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["a", "b"]), POINTS), min_size=1, max_size=8)
# Each step once: such series are cut without looking at times.
CONSECUTIVE = st.builds(
    lambda points, size: [
        (number % 2, "a", points[start : start + size])
        for number, start in enumerate(range(0, len(points), size))
    ],
    EVEN,
    st.integers(8, 60),
)
INT64 = st.integers(-(2**63), 2**63 - 1)
LINE = [(step, step, step / 4) for step in range(20)]


def x_of(axis: XAxis, point: Point) -> int:
    step, time, _ = point
    return {XAxis.STEP: step, XAxis.TIME: time, XAxis.TIME_SINCE_START: time - START_MS}[axis]


def extremes(axis: XAxis, points: list[Point]) -> tuple[int, int]:
    x = [x_of(axis, point) for point in points]
    return min(x), max(x)


def value_order(value: float) -> tuple[bool, float]:
    return (math.isnan(value), value)


def reference(points: list[Point], request: SampleRequest) -> list[tuple[Any, ...]]:
    """The definition in `store/sampling.py`, point by point."""

    def x(point: Point) -> int:
        return x_of(request.axis, point)

    def order(point: Point) -> Any:
        step, time, value = point
        both = (step, time) if request.axis is XAxis.STEP else (time, step)
        return (*both, *value_order(value))

    low = -math.inf if request.x_from is None else request.x_from
    high = math.inf if request.x_to is None else request.x_to
    inside = sorted((point for point in points if low <= x(point) <= high), key=order)
    if not inside:
        return []
    lowest, highest = x(inside[0]), x(inside[-1])
    span = highest - lowest + 1
    number = min(request.buckets, span)
    borders = [lowest + index * span // number for index in range(number)]
    ends = [bisect_left(inside, border, key=x) for border in [*borders, highest + 1]]
    return [summary(inside[start:end], x) for start, end in pairwise(ends) if start < end]


def summary(bucket: list[Point], x: Any) -> tuple[Any, ...]:
    finite = [value for *_, value in bucket if math.isfinite(value)]
    first, last = bucket[0], bucket[-1]
    return (
        x(first),
        first[2],
        x(last),
        last[2],
        min(finite, default=math.nan),
        max(finite, default=math.nan),
        math.fsum(finite) / len(finite) if finite else math.nan,
        len(bucket),
        len(bucket) - len(finite),
    )


async def sample(
    pool: Pool, run_id: Any, keys: list[str], request: SampleRequest
) -> dict[int, SampledSeries]:
    service = SeriesService(PostgresSeriesStore(pool))
    return {number: found async for number, found in service.sample([run_id], keys, request)}


def assert_equal(found: SampledSeries | None, expected: list[tuple[Any, ...]], scale: float) -> None:
    columns = () if found is None else (
        found.first_x, found.first_value, found.last_x, found.last_value, found.minimum, found.maximum,
        found.mean, found.count, found.non_finite_count,
    )  # fmt: skip
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        exact = [index for index in range(len(row)) if index != 6]
        assert [repr(row[index] + 0) for index in exact] == [repr(wanted[index] + 0) for index in exact]
        assert row[6] == pytest.approx(wanted[6], rel=1e-9, abs=scale * 1e-12, nan_ok=True)


@dataclass(frozen=True)
class Case:
    """What two writers commit, with compactions and perhaps a rewind before some of the batches, and what is asked."""

    batches: list[Batch]
    request: SampleRequest
    compact_at: Sequence[int] = ()
    rewind_at: int = -1
    rewind_to: int = 0
    of_writers: Sequence[int] | None = None  # by writer id
    of_ranks: Sequence[int] | None = None  # by rank, which is the number of the writer


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batches = draw(st.one_of(MIXED, CONSECUTIVE))
    axis = draw(st.sampled_from([XAxis.STEP, XAxis.TIME, XAxis.TIME_SINCE_START]))
    points = [point for *_, points in batches for point in points]
    # Errors hide at the ends: many ranges end at a point, or where a batch does.
    ends_of_batches = [x for *_, batch in batches for x in extremes(axis, batch)]
    bound = st.one_of(
        st.none(),
        st.sampled_from(points).map(lambda point: x_of(axis, point)),
        st.sampled_from(ends_of_batches),
        st.integers(-5, 30),
        INT64,
    )
    one, other = draw(bound), draw(bound)
    ends = (one, other) if one is None or other is None or one <= other else (other, one)
    writers = st.sampled_from([None, None, [0], [1], [0, 1]])
    moments = st.integers(0, len(batches))
    return Case(
        batches,
        SampleRequest(axis, draw(st.integers(1, 12)), *ends),
        draw(st.lists(moments, max_size=2)),
        draw(st.one_of(st.just(-1), moments)),
        draw(st.sampled_from(points))[0],
        draw(writers),
        draw(writers),
    )


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, and blocks so small that also short chunks have several."""
    monkeypatch.setattr(summaries, "OPENED_CHUNKS", 2)
    monkeypatch.setattr(series_module, "SAMPLED_SERIES", 2)
    monkeypatch.setattr(samples, "CUT_CHUNKS", 2)
    monkeypatch.setattr(blocks, "BLOCKED_POINTS_MIN", 8)
    for module in (blocks, edges, samples):
        monkeypatch.setattr(module, "BLOCK_POINTS", 3)


@pytest.mark.usefixtures("small_limits")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
@example(Case([(0, "a", [(-(2**63), 0, 0.0), (2**63 - 1, 1, 1.0)])], SampleRequest(XAxis.STEP, 12)))
@example(Case([(0, "a", [(0, 5, 0.0), (1, 3, 1.0), (2, 4, math.nan)])], SampleRequest(XAxis.TIME, 2)))
@example(
    Case(
        [(0, "a", [(0, 9, 1.0), (1, 9, 2.0)]), (1, "a", [(0, 8, 3.0), (1, 10, 0.0)])],
        SampleRequest(XAxis.STEP, 1),
    )
)
@example(
    Case(
        [(0, "a", LINE), (1, "a", [(20 + step, 0, -1.0) for step in range(20)])], SampleRequest(XAxis.STEP, 3)
    )
)
@example(Case([(0, "a", [(3 * step, 0, step / 4) for step in range(20)])], SampleRequest(XAxis.STEP, 4)))
@example(
    Case(
        [(0, "a", [(0, 9, 1.0), (1, 9, 2.0)]), (1, "a", [(0, 8, 3.0), (1, 10, 0.0)])],
        SampleRequest(XAxis.STEP, 2),
    )
)
@example(
    Case(
        [(0, "a", [(0, 5, 2.0)]), (1, "a", [(0, 5, 1.0)]), (0, "b", [(0, 5, 1.0)]), (1, "b", [(0, 5, 2.0)])],
        SampleRequest(XAxis.STEP, 1),
    )
)
@example(Case([(0, "a", LINE), (1, "a", [(20, 0, 1.0)])], SampleRequest(XAxis.STEP, 3, 5, 20)))
@example(Case([(0, "a", LINE), (1, "a", [(-9, 0, 1.0)])], SampleRequest(XAxis.TIME, 3, 0, 19)))
@example(Case([(0, "a", LINE)], SampleRequest(XAxis.STEP, 2, 3, 9), rewind_at=1, rewind_to=8))
async def test_samples_are_those_of_the_reference(pool: Pool, case: Case) -> None:
    run_id = await new_run(pool, START_MS)
    logs = [StoredLog(pool, run_id, rank=0), StoredLog(pool, run_id, rank=1)]
    hidden_from = [math.inf, math.inf]
    for number, (writer, key, points) in enumerate([*case.batches, (0, "c", [])]):
        if number in case.compact_at:  # before, between and after
            async with pool.connection() as connection:
                await compact_now(connection)
        if number == case.rewind_at:
            await PostgresRewindStore(pool).rewind(run_id, case.rewind_to)
            hidden_from = [case.rewind_to if log.position else math.inf for log in logs]
        await logs[writer].commit({key: points} if points else {})
    wanted = {0, 1} & set(case.of_writers or (0, 1)) & set(case.of_ranks or (0, 1))
    writer_ids = None if case.of_writers is None else [logs[writer].writer_id for writer in case.of_writers]
    request = replace(case.request, writer_ids=writer_ids, ranks=case.of_ranks)
    found = await sample(pool, run_id, ["b", "nothing", "a"], request)
    for place, name in enumerate(["b", "nothing", "a"]):
        points = [
            point
            for writer, key, points in case.batches
            if key == name and writer in wanted
            for point in points
            if point[0] < hidden_from[writer]
        ]
        scale = sum(abs(value) for *_, value in points if math.isfinite(value))
        assert_equal(found.get(place), reference(points, case.request), scale)


@pytest.mark.parametrize("axis", [XAxis.STEP, XAxis.TIME])
@pytest.mark.parametrize(
    ("buckets", "spike"), [(1, None), (3, None), (7, 5_000), (100, None), (1_000, 5_000)]
)
async def test_long_series(pool: Pool, axis: XAxis, buckets: int, spike: int | None) -> None:
    count = 3 * CHUNK_POINTS_MAX + 17
    points = [(2 * step, 10 * step, math.sin(step / 100)) for step in range(count)]
    points[:6_000] = [(step, time, float(np.float32(value))) for step, time, value in points[:6_000]]
    if spike is not None:
        points[spike] = (2 * spike, 10 * spike, 1e6)
        points[spike + 1] = (2 * spike + 2, 10 * spike + 10, math.nan)
    run_id = await new_run(pool, START_MS)
    log = StoredLog(pool, run_id)
    for start in range(0, count, 5_000):
        await log.commit({"a": points[start : start + 5_000]})
    for x_from, x_to in ((None, None), (4_001, 20_000), (None, 9_999)):
        request = SampleRequest(axis, buckets, x_from, x_to)
        found = await sample(pool, run_id, ["a"], request)
        assert_equal(found.get(0), reference(points, request), count)


async def test_chunks_that_a_border_cuts_anywhere(pool: Pool) -> None:
    count = 2 * CHUNK_POINTS_MAX
    points = [(3 * step - 9, step, math.sin(step) * step) for step in range(count)]
    points[64:192] = [(step, time, -1e9) for step, time, _ in points[64:192]]
    run_id = await new_run(pool, START_MS)
    await StoredLog(pool, run_id).commit({"a": points})
    for x_from in [*range(-9, 400, 31), 3 * CHUNK_POINTS_MAX - 12, 3 * CHUNK_POINTS_MAX - 9]:
        for buckets in (2, 5, 61):
            request = SampleRequest(XAxis.STEP, buckets, x_from - x_from % 3, None)
            found = await sample(pool, run_id, ["a"], request)
            assert_equal(found.get(0), reference(points, request), count * count)


async def test_blocks_of_another_form_are_passed_over(pool: Pool) -> None:
    points = [(step, step, math.sin(step)) for step in range(CHUNK_POINTS_MAX)]
    run_id = await new_run(pool)
    await StoredLog(pool, run_id).commit({"a": points})
    async with pool.connection() as connection:
        await connection.execute("UPDATE metric_chunk SET blocks = substr(blocks, 1, 240)")
    request = SampleRequest(XAxis.STEP, 3)
    found = await sample(pool, run_id, ["a"], request)
    assert_equal(found.get(0), reference(points, request), CHUNK_POINTS_MAX)


async def test_more_chunks_than_may_be_looked_at_are_refused(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(pool)
    log = StoredLog(pool, run_id)
    for step in range(3):
        await log.commit({"a": [(step, step, 1.0)]})
    request = SampleRequest(XAxis.STEP, 3)
    monkeypatch.setattr(summaries, "SUMMARIES_MAX", 3)
    assert await sample(pool, run_id, ["a"], request)
    monkeypatch.setattr(summaries, "SUMMARIES_MAX", 2)
    with pytest.raises(InvalidArgumentError, match="more than 2 chunks"):
        await sample(pool, run_id, ["a"], request)
