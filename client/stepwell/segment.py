"""One piece of a spool: fixed-size records in a zero-filled buffer.

    record    step i64 | timestamp ms i64 | value f64 | unused u32 | mark u32      32 bytes, little-endian

`mark` is written last and is never zero in a finished record: the number of the metric's name for a point, or one of
the two marks below.
"""

import itertools
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECORD = struct.Struct("<qqd4xI")
_MARK = struct.Struct("<I")
_FIELDS = [("step", "<i8"), ("timestamp_ms", "<i8"), ("value", "<f8"), ("unused", "<u4"), ("mark", "<u4")]
RECORD_BYTES = _RECORD.size
_MARK_OFFSET = RECORD_BYTES - _MARK.size

# pack_into(buffer, offset, step, timestamp_ms, value, mark); struct.error where something does not fit.
pack_into = _RECORD.pack_into

# The slot stands for an entry, which is kept elsewhere.
ENTRY_MARK = 2**32 - 1
# The slot was taken, but there is nothing in it.
VOID_MARK = 2**32 - 2


class Segment:
    """Zero-filled room for records; `offsets` hands out each slot's offset in bytes once, atomically."""

    __slots__ = ("buffer", "end_position", "first_position", "offsets")

    def __init__(self, first_position: int, records: int) -> None:
        self.first_position = first_position
        self.end_position = first_position + records
        self.buffer = bytearray(records * RECORD_BYTES)
        self.offsets = itertools.count(0, RECORD_BYTES)

    def mark_at(self, position: int) -> int:
        """Return the mark at a position, 0 while its record is not finished."""
        offset = (position - self.first_position) * RECORD_BYTES + _MARK_OFFSET
        mark: int = _MARK.unpack_from(self.buffer, offset)[0]
        return mark

    def void(self, offset: int) -> None:
        """Finish a slot without a record."""
        pack_into(self.buffer, offset, 0, 0, 0.0, VOID_MARK)

    def records(self, position: int) -> "NDArray[Any]":
        """Return the records from a position on, finished or not."""
        import numpy as np

        return np.frombuffer(self.buffer, _FIELDS, offset=(position - self.first_position) * RECORD_BYTES)
