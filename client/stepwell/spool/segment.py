"""One file of a spool's points, as the process that appends has it: records of fixed size, memory-mapped.

records.py has the form of a record, README.md draws it. The pages belong to the kernel, so a record that is finished
survives the process.
"""

import itertools
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.spool.records import RECORD_BYTES, TWICE, VOID_MARK, pack_into
from stepwell.spool.safe_files import FILE_MODE
from stepwell.spool.segment_files import segment_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Short runs stay small, long ones change the segment seldom: 56 KiB, 224 KiB, then 448 KiB each. Making a larger one
# keeps the core for as long as a training loop may wait: 2 MiB took 5 ms, measured on a machine just started.
FIRST_SEGMENT_RECORDS = 1_024
SEGMENT_RECORDS_MAX = 8_192
# A thread has one record unfinished, so where so many follow each other, nothing finished comes after them.
UNFINISHED_RECORDS_MAX = 1_024
_ZEROS = bytes(256 * 1024)


def next_records(records: int) -> int:
    """How many records the segment after one of so many has."""
    return min(4 * records, SEGMENT_RECORDS_MAX)


class Segment:
    """Room for records, made by the process that appends; `offsets` hands out each slot's offset once, atomically."""

    __slots__ = ("_seen", "buffer", "end_position", "first_position", "offsets", "path")

    def __init__(self, folder: Path, first_position: int, records: int) -> None:
        """Make the file, with all its room on disk, so that a full disk shows here and never as a fault of memory.

        Raises:
            OSError: there is no room, or the folder is not writable.
        """
        self.first_position = first_position
        self.end_position = first_position + records
        self.path = folder / segment_name(first_position, records)
        size = records * RECORD_BYTES
        # It gets its name when it has all its room: a reader must never meet a file that is still growing.
        unfinished = self.path.with_name(f".{self.path.name}")
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            allocate(descriptor, size)
            self.buffer: mmap.mmap | bytearray = mmap.mmap(descriptor, size)
            unfinished.rename(self.path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        self.offsets = itertools.count(0, RECORD_BYTES)
        self._seen = 0

    def void(self, offset: int) -> None:
        """Finish a slot without a record."""
        pack_into(self.buffer, offset, 0, 0, 0, 0, 0.0, 0.0, VOID_MARK, VOID_MARK)

    def records(self) -> "NDArray[Any]":
        """The records, finished or not."""
        return TWICE.records(self.buffer)

    def finished_position(self) -> int:
        """Return one past the last finished record. One thread at a time; it looks at what is new since the last."""
        marks = self.records()["mark"]
        while len(found := finished_indexes(marks[self._seen : self._seen + UNFINISHED_RECORDS_MAX])):
            self._seen += int(found[-1]) + 1
        return self.first_position + self._seen

    def let_go(self) -> None:
        """Give the file back, and a descriptor with it; who appends goes elsewhere."""
        self.buffer = bytearray()

    def close_to_appends(self) -> int:
        """Take all slots that are left, so that who appends now goes elsewhere; returns how many were taken.

        Slots that were taken before may still be unfinished for a moment.
        """
        taken = next(self.offsets) // RECORD_BYTES
        room = self.end_position - self.first_position
        for _ in itertools.islice(self.offsets, max(room - taken, 0)):
            pass
        return min(taken, room)


def allocate(descriptor: int, size: int) -> None:
    """Give an empty file all its room on disk, filled with zeros.

    Zeros that are written are in memory at once, in large pages. Of room that is only reserved (`fallocate`), every log
    call that comes to another page would wait for it, and for the journal of the file system: up to 10 ms, measured.

    Raises:
        OSError: there is no room.
    """
    while size > 0:
        whole, rest = divmod(size, len(_ZEROS))
        size -= os.writev(descriptor, [_ZEROS] * whole + [_ZEROS[:rest]])


def finished_indexes(marks: "NDArray[Any]") -> "NDArray[Any]":
    """Indexes of the records that are finished; from a copy, because marks change while we look."""
    found: NDArray[Any] = marks.copy().nonzero()[0]
    return found
