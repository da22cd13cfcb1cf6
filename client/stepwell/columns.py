"""Columns of points as bytes of the wire, made by numpy: five times as fast as filling a message.

What comes out is what protobuf makes of the same `Batch` (https://protobuf.dev/programming-guides/encoding/): sint64
columns are packed zigzag varints, doubles are packed as they lie in memory.
"""

from typing import TYPE_CHECKING

from stepwell_api.v1 import ingest_pb2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Field number and wire type 2 (length-delimited) of what is put together here.
_BATCH_OF_REQUEST = bytes([2 << 3 | 2])
_POINTS_OF_BATCH = bytes([4 << 3 | 2])
_STEP, _TIMESTAMP_MS, _VALUE = (bytes([number << 3 | 2]) for number in (3, 4, 5))


def request_bytes(
    batch: ingest_pb2.Batch,
    steps: "NDArray[np.int64]",
    timestamps_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
) -> bytes:
    """Return a `StreamRequest` with the batch and these columns, each of shape (n,), as its points.

    The batch has everything but the columns: positions, new keys, entries, and the points' keys and counts.
    """
    columns = (
        _framed(_STEP, packed_sint64(steps)),
        _framed(_TIMESTAMP_MS, packed_sint64(timestamps_ms)),
        _framed(_VALUE, values.astype("<f8", copy=False).tobytes()),
    )
    # Parts of a message that occur twice are merged, so the columns may follow the rest of the points.
    points = _framed(_POINTS_OF_BATCH, b"".join(columns))
    return _framed(_BATCH_OF_REQUEST, batch.SerializeToString() + points)


def packed_sint64(numbers: "NDArray[np.int64]") -> bytes:
    """Return the elements as zigzag varints, one after the other."""
    import numpy as np

    if not len(numbers):
        return b""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    width = _varint_bytes(int(zigzag.max()))
    groups = np.empty((len(zigzag), width), np.uint8)
    for index in range(width):
        groups[:, index] = (zigzag >> np.uint64(7 * index)).astype(np.uint8) | 0x80
    if _varint_bytes(int(zigzag.min())) == width:
        groups[:, -1] &= 0x7F
        return groups.tobytes()
    return _shortened(groups, zigzag)


def _shortened(groups: "NDArray[np.uint8]", zigzag: "NDArray[np.uint64]") -> bytes:
    """Leave out the groups that the smaller numbers do not need, and mark the last one of each."""
    import numpy as np

    widths = np.ones(len(zigzag), np.intp)
    for index in range(1, groups.shape[1]):
        widths += zigzag >= np.uint64(1 << (7 * index))
    groups[np.arange(len(zigzag)), widths - 1] &= 0x7F
    return groups[np.arange(groups.shape[1]) < widths[:, None]].tobytes()


def _varint_bytes(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))


def _framed(tag: bytes, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    length, head = len(payload), bytearray(tag)
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + payload
