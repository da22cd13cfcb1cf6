"""From stored chunks back to points: arrays in their wire form become numpy columns, without work for a point."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import History, Selection

# array_send: dimensions, flags, element type, length, lower bound; then a 4-byte length before each element.
_ARRAY_HEAD_BYTES = 20


def array_elements(wire: bytes, element: str, head_bytes: int = _ARRAY_HEAD_BYTES) -> NDArray[Any]:
    """The elements of a PostgreSQL array in its wire form, big-endian, without a copy.

    `head_bytes` is 0 for elements that lie there without the head of an array.
    """
    if len(wire) <= head_bytes:
        return np.empty(0, ">" + element)
    records = np.frombuffer(wire, [("length", ">i4"), ("value", ">" + element)], offset=head_bytes)
    return records["value"]


def record_type(columns: Mapping[str, str]) -> np.dtype[Any]:
    """The form of an element of an array of rows: each column behind its type and length. None may be NULL."""
    fields: list[tuple[str, str]] = [("length", ">i4"), ("columns", ">i4")]
    for name, kind in columns.items():
        fields += [(f"type of {name}", ">u4"), (f"length of {name}", ">i4"), (name, kind)]
    return np.dtype(fields)


def array_records(wire: bytes | None, record: np.dtype[Any]) -> NDArray[Any]:
    """The elements of a PostgreSQL array of rows in its wire form, without a copy; none of NULL."""
    return np.frombuffer(wire or bytes(_ARRAY_HEAD_BYTES), record, offset=_ARRAY_HEAD_BYTES)


def chunk_points(row: Any) -> History:
    """The points of a chunk row."""
    return History(chunk_steps(row), chunk_times(row), chunk_values(row))


def chunk_steps(row: Any) -> Int64s:
    """The steps of a chunk row."""
    if row["steps"] is not None:
        return array_elements(row["steps"], "i8").astype(np.int64)
    steps: Int64s = row["step_min"] + row["step_stride"] * np.arange(row["count"], dtype=np.int64)
    return steps


def chunk_times(row: Any) -> Int64s:
    """The times of a chunk row, in milliseconds since the epoch."""
    if row["times_ms"] is not None:
        return array_elements(row["times_ms"], "i8").astype(np.int64)
    times: Int64s = row["time_first_ms"] + array_elements(row["time_offsets_ms"], "i4").astype(np.int64)
    return times


def chunk_values(row: Any) -> Float64s:
    """The values of a chunk row."""
    if row["values_float64"] is not None:
        return array_elements(row["values_float64"], "f8").astype(np.float64)
    return array_elements(row["values_float32"], "f4").astype(np.float64)


def joined_points(rows: Sequence[Any]) -> History:
    """The points of chunk rows, one row's behind the other's: as `chunk_points`, with much less work for each row."""
    counts = np.array([row["count"] for row in rows], np.int64)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    strides = np.array([row["step_stride"] or 0 for row in rows], np.int64)
    steps = np.repeat(_column(rows, "step_min"), counts) + np.repeat(strides, counts) * within
    times = np.repeat(_column(rows, "time_first_ms"), counts)
    values = np.empty(len(within), np.float64)
    for name, element, points in (
        ("steps", "i8", steps),
        ("times_ms", "i8", times),
        ("values_float32", "f4", values),
        ("values_float64", "f8", values),
    ):
        _put(rows, counts, name, element, points)
    offsets = np.zeros(len(within), np.int64)
    _put(rows, counts, "time_offsets_ms", "i4", offsets)
    return History(steps, times + offsets, values)


def _column(rows: Sequence[Any], name: str) -> Int64s:
    return np.array([row[name] for row in rows], np.int64)


def _put(rows: Sequence[Any], counts: Int64s, name: str, element: str, points: NDArray[Any]) -> None:
    """Put the elements of an array, of the rows that have it, where the points of these rows are."""
    wires = [row[name] for row in rows]
    there = [wire is not None for wire in wires]
    if not any(there):
        return
    elements = b"".join([wire[_ARRAY_HEAD_BYTES:] for wire in wires if wire is not None])
    found = array_elements(bytes(_ARRAY_HEAD_BYTES) + elements, element)
    if all(there):
        points[:] = found
    else:
        points[np.repeat(np.array(there), counts)] = found


def selected_points(row: Any, selection: Selection, step_from: int) -> History:
    """The points of a chunk row that the selection wants, from `step_from` on, without what a rewind hides."""
    step_to = selection.step_to
    if row["hidden_from_step"] is not None:
        step_to = min(step_to, row["hidden_from_step"] - 1)
    step_from = max(step_from, selection.step_from)
    return cut_points(chunk_points(row), step_from, step_to, selection.time_from_ms, selection.time_to_ms)


def cut_points(points: History, step_from: int, step_to: int, time_from_ms: int, time_to_ms: int) -> History:
    """The points inside of bounds, which are inclusive."""
    start = int(np.searchsorted(points.steps, step_from, side="left"))
    end = int(np.searchsorted(points.steps, step_to, side="right"))
    points = points.part(start, max(start, end))
    times = points.timestamps_ms
    inside = (times >= time_from_ms) & (times <= time_to_ms)
    return points if inside.all() else History(points.steps[inside], times[inside], points.values[inside])
