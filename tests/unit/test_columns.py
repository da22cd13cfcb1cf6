"""What numpy makes of columns is what protobuf makes of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.columns import packed_sint64, request_bytes
from stepwell_api.v1 import ingest_pb2, runs_pb2

INT64 = st.one_of(
    st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1])
)


@given(st.lists(st.tuples(INT64, INT64, st.floats(allow_nan=False)), max_size=50))
def test_a_request_is_what_protobuf_would_send(points: list[tuple[int, int, float]]) -> None:
    batch = ingest_pb2.Batch(first_position=7, end_position=2**40, new_keys=["a", "b" * 200])
    batch.points.key.append(1)
    batch.points.count.append(len(points))
    batch.entries.add(position=8, tag=runs_pb2.Tag(key="k", value="v"))
    columns = [np.array(column) for column in zip(*points, strict=True)] or [np.array([])] * 3
    steps, times = (column.astype(np.int64) for column in columns[:2])
    wire = request_bytes(batch, steps, times, columns[2].astype(np.float64))
    expected = ingest_pb2.StreamRequest(batch=batch)
    expected.batch.points.step.extend(steps.tolist())
    expected.batch.points.timestamp_ms.extend(times.tolist())
    expected.batch.points.value.extend(columns[2].tolist())
    assert ingest_pb2.StreamRequest.FromString(wire) == expected


@pytest.mark.parametrize("first", [0, 63, -(2**63), 1_700_000_000_000])
def test_varints_of_one_width_and_of_many(first: int) -> None:
    numbers = np.arange(first, first + 1_000)
    points = ingest_pb2.Points(step=numbers.tolist())
    assert points.SerializeToString().endswith(packed_sint64(numbers))


def test_nan_and_infinities_stay_what_they_are() -> None:
    values = np.array([np.nan, np.inf, -np.inf, -0.0])
    zeros = np.zeros(4, np.int64)
    wire = request_bytes(ingest_pb2.Batch(end_position=4), zeros, zeros, values)
    read = np.array(ingest_pb2.StreamRequest.FromString(wire).batch.points.value)
    assert read.tobytes() == values.tobytes()
