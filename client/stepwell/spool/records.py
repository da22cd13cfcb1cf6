"""The form of a record in a segment: how it is written, and how a reader tells what became of it. README.md draws it.

record    step i64 | time i64 | step | time | value f64 | value | number u32 | mark u32      56 bytes, little-endian

Everything is written twice, `mark` being the second writing of `number`: a flipped bit, a torn write or a page that
never came to the disk leaves the two unequal, and such a record is not believed. A second writing costs the log call
40 ns, a checksum that Python asks for 110 ns. `time` is in nanoseconds, as the clock gives it: dividing it is left to
the reader, which does it for thousands at once, and pays for the second writing.

`mark` is written last and is never zero in a finished record: the number of the metric's name for a point, or one of
the marks below. The pages belong to the kernel, so a record that is finished survives the process.
"""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stepwell.spool.arrays import ARRAY_POINTS_MAX

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECORD = struct.Struct("<qqqqddII")
_RECORD_AFTER_HEAD = struct.Struct("<32sddII")
_HEAD = struct.Struct("<qqqq")
_DTYPE = [
    ("step", "<i8"),
    ("time", "<i8"),
    ("step_again", "<i8"),
    ("time_again", "<i8"),
    ("value", "<f8"),
    ("value_again", "<f8"),
    ("number", "<u4"),
    ("mark", "<u4"),
]
# The first form wrote everything once, and the time in milliseconds.
_DTYPE_ONCE = [("step", "<i8"), ("time", "<i8"), ("value", "<f8"), ("unused", "<u4"), ("mark", "<u4")]

# pack_into(buffer, offset, step, time, step, time, value, value, number, number); struct.error where something does
# not fit, or the buffer has ended.
pack_into = _RECORD.pack_into
# The same for points that share step and time: pack_head(step, time, step, time), and
# pack_after_head_into(buffer, offset, head, value, value, number, number).
pack_head = _HEAD.pack
pack_after_head_into = _RECORD_AFTER_HEAD.pack_into

# The slot stands for an entry or an array: `time` is the number of the log file, `step` the offset in it, `value` how
# many points an array has.
ENTRY_MARK = 2**32 - 1
ARRAY_MARK = 2**32 - 2
# The slot was taken, but there is nothing in it.
VOID_MARK = 2**32 - 3
# Marks below are numbers of metric names.
NUMBER_END = VOID_MARK

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Form:
    """How the records of a segment are laid out; `written_twice` tells whether they can be checked."""

    dtype: list[tuple[str, str]]
    record_bytes: int
    times_per_ms: int
    written_twice: bool

    def records(self, buffer: Any) -> "NDArray[Any]":
        """The records in a buffer; a piece at its end that is no whole record is left out."""
        import numpy as np

        return np.frombuffer(buffer, self.dtype, count=len(buffer) // self.record_bytes)

    def taken(self, records: "NDArray[Any]") -> "NDArray[Any]":
        """Tell of each record, shape (n,), whether it was finished, even if it is damaged; copies what may change.

        A slot in which one field alone is set was never used: what is set there is the damage. (Of a point at step 0
        and time 0 with value 0.0 no more may be left, where its number has but one bit; it takes all of that.)
        """
        marks = records["mark"].copy()
        taken: NDArray[Any] = marks != 0
        if self.written_twice:
            unequal = (marks != records["number"]).nonzero()[0]
            for index in unequal.tolist():
                taken[index] = _is_taken(records[index].tolist())
        return taken

    def is_sound(self, records: "NDArray[Any]") -> "NDArray[Any]":
        """Tell of each finished record, shape (n,), whether it says what was written."""
        import numpy as np

        if not self.written_twice:
            return np.ones(len(records), bool)
        sound: NDArray[Any] = records["mark"] == records["number"]
        for first, second in (("step", "step_again"), ("time", "time_again"), ("value", "value_again")):
            # Bits, because NaN is not equal to itself.
            sound &= records[first].view("<i8") == records[second].view("<i8")
        return sound

    def points_of(self, record: "NDArray[Any]") -> int:
        """How many points or entries a damaged record stood for, as far as it still says so."""
        fields = dict(zip(record.dtype.names or (), record.tolist(), strict=True))
        if ARRAY_MARK not in (fields["number"], fields["mark"]):
            return 1
        counts = (fields["value"], fields["value_again"])
        return max((int(count) for count in counts if 1 <= count <= ARRAY_POINTS_MAX), default=1)

    def times_ms(self, times: "NDArray[Any]") -> "NDArray[Any]":
        """Times of points in milliseconds since the epoch."""
        return times // self.times_per_ms if self.times_per_ms > 1 else times


def _is_taken(fields: tuple[float, ...]) -> bool:
    return any(fields[-2:]) and sum(map(bool, fields)) > 1


TWICE = Form(_DTYPE, _RECORD.size, NS_PER_MS, written_twice=True)
ONCE = Form(_DTYPE_ONCE, 32, 1, written_twice=False)
RECORD_BYTES = TWICE.record_bytes


def taken_in_a_row(form: Form, records: "NDArray[Any]", at_once: int = 1_024) -> int:
    """How many records are taken before the first that is not; looks no further, to leave the cache to others."""
    for first in range(0, len(records), at_once):
        free = (~form.taken(records[first : first + at_once])).nonzero()[0]
        if len(free):
            return first + int(free[0])
    return len(records)


assert ARRAY_MARK > VOID_MARK
