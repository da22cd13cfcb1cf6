"""The files of a spool's points: their names, which of them there are, and opening one for reading."""

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.spool import safe_files
from stepwell.spool.records import ONCE, TWICE, Form

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a file's name begins with says how its records are laid out.
_FORMS = {"points": ONCE, "points2": TWICE}
# No version made longer segments than these 2 to 4 MiB.
SEGMENT_RECORDS_READ_MAX = 65_536
# Half a year of a million points a second, from one process to one run.
POSITION_MAX = 2**44


class UnreadableSpoolError(Exception):
    """The files of a spool do not fit together: no process leaves them like this."""


class SegmentFile(NamedTuple):
    """What the name of a segment's file says."""

    first_position: int
    records: int
    form: Form
    name: str

    @property
    def end_position(self) -> int:
        """One past the last position that it has room for."""
        return self.first_position + self.records


@dataclass(frozen=True, slots=True)
class MappedSegment:
    """One segment, open for reading; `records` has fewer than the file's name says when it was cut off."""

    file: SegmentFile
    records: "NDArray[Any]"


def segment_name(first_position: int, records: int) -> str:
    """File name of a new segment: where it begins and how many records it has room for."""
    return f"points2-{first_position:016x}-{records:x}"


def parse_segment_name(name: str) -> SegmentFile | None:
    """What a file's name says; None for other files.

    Raises:
        UnreadableSpoolError: it is a segment's, but there are no such segments.
    """
    kind, *numbers = name.split("-")
    if kind not in _FORMS:
        return None
    try:
        first, records = (int(number, 16) for number in numbers)
    except ValueError:
        return None
    if not (0 <= first <= POSITION_MAX and 1 <= records <= SEGMENT_RECORDS_READ_MAX):
        raise UnreadableSpoolError(
            f"{name} would have {records} records from position {first} on; segments have at most "
            f"{SEGMENT_RECORDS_READ_MAX}, and positions end at {POSITION_MAX}"
        )
    return SegmentFile(first, records, _FORMS[kind], name)


def in_order(names: Iterable[str]) -> list[SegmentFile]:
    """The segments among these files, by position.

    Raises:
        UnreadableSpoolError: two of them claim the same positions, or see `parse_segment_name`.
    """
    found = (file for name in names if (file := parse_segment_name(name)) is not None)
    files = sorted(found, key=lambda file: file.first_position)
    for one, next_one in itertools.pairwise(files):
        if next_one.first_position < one.end_position:
            raise UnreadableSpoolError(f"{one.name} and {next_one.name} claim the same positions")
    return files


def map_segment(folder: Path, file: SegmentFile) -> MappedSegment:
    """Open a segment for reading; one that is shorter than its name says ends where its file ends.

    Raises:
        OSError: it cannot be opened, or is not safe to open (safe_files.py).
    """
    import mmap

    descriptor = safe_files.open_in(folder, file.name)
    try:
        size = min(os.fstat(descriptor).st_size, file.records * file.form.record_bytes)
        buffer = mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b""
    finally:
        os.close(descriptor)
    return MappedSegment(file, file.form.records(buffer))
