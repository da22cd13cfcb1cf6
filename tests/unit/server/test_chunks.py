"""Chunks say exactly what the points say, whatever the points are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell_server.store.chunks import alike, building, rows
from stepwell_server.store.chunks.blocks import BLOCKED_POINTS_MIN, BlockColumn
from stepwell_server.store.chunks.building import SeriesPoints, build_chunks, join_series
from stepwell_server.store.chunks.points import chunk_points, joined_points
from stepwell_server.store.chunks.rows import SIGNATURE, ArrayColumn, ChunkRows

INT64 = st.integers(-(2**63), 2**63 - 1)
STEPS = st.one_of(st.integers(-3, 3), INT64)
VALUES = st.one_of(st.floats(), st.floats(width=32), st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf]))
POINT = st.tuples(STEPS, st.integers(0, 2**63 - 1), VALUES)
SERIES = st.lists(st.lists(POINT, min_size=1, max_size=12), min_size=1, max_size=5)


def columns(series: list[list[tuple[int, int, float]]]) -> SeriesPoints:
    flat = [point for points in series for point in points]
    return SeriesPoints(
        np.array([len(points) for points in series]),
        np.array([step for step, _, _ in flat], np.int64),
        np.array([time for _, time, _ in flat], np.int64),
        np.array([value for _, _, value in flat], np.float64),
    )


def in_order(points: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    return sorted(points, key=lambda point: (point[0], point[1], np.isnan(point[2]), point[2]))


def bits(values: list[float]) -> list[bytes]:
    # NaN is equal to NaN here, and the order of 0.0 and -0.0 is not defined.
    return [np.float64(np.nan if np.isnan(value) else value + 0.0).tobytes() for value in values]


def decode(built: building.Chunks, chunk: int) -> list[tuple[int, int, float]]:
    """Read a chunk as the stored form says."""
    start, count = int(built.starts[chunk]), int(built.summaries.counts[chunk])
    span = slice(start, start + count)
    steps = built.points.steps[span].tolist()
    if built.strides[chunk] >= 0:
        first, stride = int(built.summaries.step_min[chunk]), int(built.strides[chunk])
        steps = [first + stride * index for index in range(count)]
    times = built.points.timestamps_ms[span].tolist()
    if built.offsets_fit[chunk]:
        offsets = built.time_offsets_ms[span].astype(np.int32).tolist()
        times = [int(built.summaries.time_first_ms[chunk]) + offset for offset in offsets]
    values = built.values_float32 if built.float32_exact[chunk] else built.points.values
    return list(zip(steps, times, values[span].tolist(), strict=True))


@given(SERIES)
def test_a_chunk_says_what_its_points_say(series: list[list[tuple[int, int, float]]]) -> None:
    built = build_chunks(columns(series))
    for chunk, number in enumerate(built.series.tolist()):
        expected, found = in_order(series[number]), decode(built, chunk)
        assert [point[:2] for point in found] == [point[:2] for point in expected]
        assert bits([value for *_, value in found]) == bits([value for *_, value in expected])


def row_of(built: building.Chunks, chunk: int) -> dict[str, object]:
    """What the database gives of a chunk, arrays in their wire form."""
    start, count = int(built.starts[chunk]), int(built.summaries.counts[chunk])
    is_even, fits, is_narrow = built.strides[chunk] >= 0, built.offsets_fit[chunk], built.float32_exact[chunk]

    def wire(column: np.ndarray, element: str) -> bytes:
        head, elements = ArrayColumn(column[start : start + count], element, np.array([count])).field(
            0, 0, count
        )
        return bytes(head)[4:] + bytes(elements)

    return {
        "count": count,
        "step_min": int(built.summaries.step_min[chunk]),
        "step_stride": int(built.strides[chunk]) if is_even else None,
        "time_first_ms": int(built.summaries.time_first_ms[chunk]),
        "steps": None if is_even else wire(built.points.steps, "i8"),
        "time_offsets_ms": wire(built.time_offsets_ms, "i4") if fits else None,
        "times_ms": None if fits else wire(built.points.timestamps_ms, "i8"),
        "values_float32": wire(built.values_float32, "f4") if is_narrow else None,
        "values_float64": None if is_narrow else wire(built.points.values, "f8"),
    }


@given(SERIES)
def test_rows_read_together_say_what_each_says(series: list[list[tuple[int, int, float]]]) -> None:
    built = build_chunks(columns(series))
    rows = [row_of(built, chunk) for chunk in range(len(built.starts))]
    together, alone = joined_points(rows), [chunk_points(row) for row in rows]
    for column in ("steps", "timestamps_ms", "values"):
        expected = np.concatenate([getattr(points, column) for points in alone])
        assert getattr(together, column).dtype == expected.dtype
        assert getattr(together, column).tobytes() == expected.tobytes()


@given(SERIES)
def test_summaries_are_those_of_the_points(series: list[list[tuple[int, int, float]]]) -> None:
    built = build_chunks(columns(series))
    summaries = built.summaries
    for chunk, number in enumerate(built.series.tolist()):
        points = in_order(series[number])
        finite = [value for *_, value in points if np.isfinite(value)]
        assert summaries.step_min[chunk] == points[0][0]
        assert summaries.step_max[chunk] == points[-1][0]
        assert summaries.time_last_ms[chunk] == points[-1][1]
        assert summaries.time_min_ms[chunk] == min(time for _, time, _ in points)
        assert summaries.time_max_ms[chunk] == max(time for _, time, _ in points)
        assert summaries.non_finite_counts[chunk] == len(points) - len(finite)
        if finite:
            assert summaries.value_min[chunk] == min(finite)
            assert summaries.value_max[chunk] == max(finite)


def test_evenly_spaced_steps_need_no_array() -> None:
    built = build_chunks(columns([[(step, step, 0.5) for step in range(-10, 20, 3)], [(7, 0, 1.0)]]))
    assert built.strides.tolist() == [3, 0]
    assert built.float32_exact.all()
    assert built.offsets_fit.all()


def test_steps_whose_distance_leaves_64_bits_are_kept_as_they_are() -> None:
    built = build_chunks(columns([[(-(2**63), 0, 0.0), (2**63 - 1, 1, 0.0)]]))
    assert built.strides.tolist() == [-1]


def test_a_long_series_is_cut() -> None:
    count = 2 * building.CHUNK_POINTS_MAX + 1
    built = build_chunks(columns([[(0, 0, 0.1)], [(step, 0, 0.1) for step in range(count)], [(0, 0, 0.1)]]))
    assert built.series.tolist() == [0, 1, 1, 1, 2]
    assert built.parts.tolist() == [0, 0, 1, 2, 0]
    assert built.summaries.counts.tolist() == [1, building.CHUNK_POINTS_MAX, building.CHUNK_POINTS_MAX, 1, 1]
    assert not built.float32_exact.any()


@pytest.mark.parametrize("value", [0.1, 1e300, 5e-324])
def test_values_beyond_float32_stay_float64(value: float) -> None:
    assert not build_chunks(columns([[(0, 0, value)]])).float32_exact[0]


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -np.inf, 1e-45, 16_777_216.0])
def test_values_that_are_float32_are_narrowed(value: float) -> None:
    exact = float(np.float32(value))
    assert build_chunks(columns([[(0, 0, exact)]])).float32_exact[0]


def test_points_of_one_metric_come_together_across_batches() -> None:
    first, second = (
        columns([[(1, 1, 1.0)], [(5, 5, 5.0)]]),
        columns([[(6, 6, 6.0), (7, 7, 7.0)], [(2, 2, 2.0)]]),
    )
    joined, owners = join_series([first, second], [np.array([3, 9]), np.array([9, 3])])
    assert owners.tolist() == [3, 9]
    assert joined.counts.tolist() == [2, 3]
    assert joined.steps.tolist() == [1, 2, 5, 6, 7]


def test_series_that_go_on_are_joined_where_they_lie() -> None:
    first, second = columns([[(1, 1, 1.0)], [(5, 5, 5.0)]]), columns([[(6, 6, 6.0), (7, 7, 7.0)]])
    joined, owners = join_series([first, second], [np.array([3, 9]), np.array([9])])
    assert owners.tolist() == [3, 9]
    assert joined.counts.tolist() == [1, 3]
    assert joined.steps.tolist() == [1, 5, 6, 7]


def test_huge_and_infinite_values_are_summed_up_without_a_warning() -> None:
    huge = [(step, step, 1.7e308 if step % 2 else -1.7e308) for step in range(BLOCKED_POINTS_MIN)]
    infinite = [(step, step, np.inf if step % 2 else -np.inf) for step in range(9)]
    built = build_chunks(columns([huge, infinite]))
    blocks = BlockColumn(built)
    assert blocks.field(0) is not None
    assert blocks.field(1) is None
    assert built.summaries.value_min.tolist() == [-1.7e308, np.inf]
    assert built.summaries.value_sum[1] == 0
    assert built.summaries.non_finite_counts.tolist() == [0, 9]


def rows_of(data: bytes) -> list[bytes]:
    """Cut COPY data into its rows."""
    found, at = [], len(SIGNATURE)
    while (fields := int.from_bytes(data[at : at + 2], "big", signed=True)) >= 0:
        start, at = at, at + 2
        for _ in range(fields):
            at += 4 + max(0, int.from_bytes(data[at : at + 4], "big", signed=True))
        found.append(data[start:at])
    return found


def test_rows_that_are_alike_are_those_that_are_built_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    values = [0.5, 1 / 3, np.nan, np.inf, -0.0]
    series = [
        [
            (
                int(random.choice([0, 1, 5, 2**60])),
                int(random.choice([0, 7, 2**50])),
                float(random.choice(values)),
            )
            for _ in range(random.integers(1, 4) if number % 50 else 1_200)
        ]
        for number in range(500)
    ]
    chunks = build_chunks(columns(series))
    keys = [(bytes(16), number, bytes(16), 0, 0) for number in range(len(chunks.starts))]
    both = []
    for fewest, most in ((3, 10), (10**9, 1)):
        monkeypatch.setattr(alike, "ALIKE_ROWS_MIN", fewest)
        monkeypatch.setattr(rows, "MATRIX_ROWS_MAX", most)
        both.append(rows_of(b"".join(ChunkRows(chunks, keys).pieces())))
    assert len(both[0]) == 500
    assert both[0] != both[1]  # in another order
    assert sorted(both[0]) == sorted(both[1])
