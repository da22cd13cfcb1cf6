"""Imports leave out what is here: as often as it is here, in whatever batches it comes."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stepwell.reading.columns import MetricSeries
from stepwell.transfer.known_points import KnownPoints
from stepwell.transfer.sources import PointColumns, columns

POINT = st.tuples(
    st.sampled_from(["a", "b"]),
    st.one_of(st.integers(-1, 1), st.sampled_from([-(2**63), 2**63 - 1])),
    st.integers(0, 1),
    st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf, -math.inf]),
)
POINTS = st.lists(POINT, max_size=25)
Row = tuple[str, int, int, float]


def rows(points: PointColumns) -> list[Row]:
    keys = [key for key, count in zip(points.keys, points.counts, strict=True) for _ in range(count)]
    return list(
        zip(keys, points.steps.tolist(), points.timestamps.tolist(), points.values.tolist(), strict=True)
    )


def named(row: Row) -> tuple[str, int, int, str]:
    key, step, time, value = row
    return key, step, time, repr(value + 0.0)


def series(key: str, points: list[Row]) -> MetricSeries:
    ordered = sorted((row for row in points if row[0] == key), key=lambda row: row[1])
    of_key = columns(ordered)
    return MetricSeries("run", key, of_key.steps, of_key.timestamps, of_key.values)


@given(POINTS, st.lists(POINTS, max_size=4))
def test_points_are_left_out_as_often_as_they_are_known(here: list[Row], batches: list[list[Row]]) -> None:
    known = KnownPoints(series(key, here) for key in ("a", "b") if any(row[0] == key for row in here))
    left = Counter(map(named, here))
    for batch in batches:
        expected = []
        for row in batch:
            if left[named(row)]:
                left[named(row)] -= 1
            else:
                expected.append(row)
        found = rows(known.without(columns(batch)))
        assert Counter(map(named, found)) == Counter(map(named, expected))
        order = iter(map(named, batch))
        assert all(row in order for row in map(named, found))  # in the order of the batch
