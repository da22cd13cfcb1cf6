"""An array of points of one metric as bytes, for the spool.

payload    metric number u32 | count u32 | flags u32 | 4 zero bytes | steps | timestamps ms | values     little-endian

Steps are i64, or with flag 1 just the first and the distance (i64 each). Timestamps are i64, or with flag 2 just one
for all. Values are f64.
"""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Points of one array; longer ones become several.
ARRAY_POINTS_MAX = 65_536

_HEAD = struct.Struct("<III4x")
_EVEN_STEPS = 1
_ONE_TIME = 2
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ArrayPoints:
    """Points of one metric: its number in the spool, and three columns of shape (n,)."""

    number: int
    steps: "NDArray[Any]"
    timestamps_ms: "NDArray[Any]"
    values: "NDArray[Any]"

    def __len__(self) -> int:
        return len(self.values)


def encode(points: ArrayPoints) -> bytes:
    """Return the payload."""
    steps, times = points.steps, points.timestamps_ms
    even = _is_even(steps)
    one_time = bool((times == times[0]).all())
    flags = _EVEN_STEPS * even + _ONE_TIME * one_time
    stored_steps = struct.pack("<qq", int(steps[0]), _distance(steps)) if even else _memory(steps, "<i8")
    stored_times = struct.pack("<q", int(times[0])) if one_time else _memory(times, "<i8")
    head = _HEAD.pack(points.number, len(points), flags)
    return b"".join((head, stored_steps, stored_times, _memory(points.values, "<f8")))


def decode(payload: bytes) -> ArrayPoints:
    """Return the points of a payload.

    Raises:
        ValueError: no writer made it.
    """
    import numpy as np

    if len(payload) < _HEAD.size:
        raise ValueError("it ends before its points")
    number, count, flags = _HEAD.unpack_from(payload)
    if not 1 <= count <= ARRAY_POINTS_MAX:
        raise ValueError(f"it says that it has {count} points")
    if len(payload) != _size(count, flags):
        raise ValueError(f"{count} points do not take {len(payload)} bytes")
    offset = _HEAD.size
    if flags & _EVEN_STEPS:
        first, distance = struct.unpack_from("<qq", payload, offset)
        steps = first + distance * np.arange(count, dtype=np.int64)
        offset += 16
    else:
        steps = np.frombuffer(payload, "<i8", count, offset)
        offset += 8 * count
    if flags & _ONE_TIME:
        times = np.full(count, struct.unpack_from("<q", payload, offset)[0], np.int64)
        offset += 8
    else:
        times = np.frombuffer(payload, "<i8", count, offset)
        offset += 8 * count
    return ArrayPoints(number, steps, times, np.frombuffer(payload, "<f8", count, offset))


def _size(count: int, flags: int) -> int:
    steps = 16 if flags & _EVEN_STEPS else 8 * count
    times = 8 if flags & _ONE_TIME else 8 * count
    return _HEAD.size + steps + times + 8 * count


def _memory(column: "NDArray[Any]", kind: str) -> memoryview:
    """The bytes of a column, without a copy where they are as they should be."""
    import numpy as np

    return np.ascontiguousarray(column, kind).data


def _distance(steps: "NDArray[Any]") -> int:
    return int(steps[1]) - int(steps[0]) if len(steps) > 1 else 0


def _is_even(steps: "NDArray[Any]") -> bool:
    distance = _distance(steps)
    in_range = -_INT64_MAX <= distance <= _INT64_MAX
    ends_there = int(steps[0]) + distance * (len(steps) - 1) == int(steps[-1])
    # Differences may wrap around, but then the ends would not fit.
    return in_range and ends_there and bool((steps[1:] - steps[:-1] == distance).all())
