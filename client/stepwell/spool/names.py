"""The names of a spool's metrics: a file of frames, each with the number that stands for the name in the records.

payload    number u32 | name in UTF-8      little-endian

Because each says its number, one that is damaged takes only its own points with it. In the first form a frame was just
a name and the numbers were counted, so there what follows a damaged one cannot be known.
"""

import contextlib
import os
import struct
from pathlib import Path

from stepwell.spool import safe_files
from stepwell.spool.frames import HEAD_BYTES, FrameFile, Kind, frame_at

NAMES_FILE = "names"
# Names of metrics that one process may use in one run; about 200 bytes each in memory.
METRICS_MAX = 100_000
# What is read of the file: 100,000 names of 250 characters, 4 bytes each, with what is around them.
NAMES_BYTES_MAX = METRICS_MAX * (250 * 4 + HEAD_BYTES + 4)

_NUMBER = struct.Struct("<I")
# How the kind of a frame is written, from byte 8 on: what to look for behind a damaged one.
_KIND_OFFSET = 8
_KIND = bytes([Kind.NUMBERED_NAME, 0, 0, 0])


class NamesFile:
    """The file as the writer sees it."""

    def __init__(self, folder: Path) -> None:
        self._file = FrameFile(folder / NAMES_FILE)

    def append(self, number: int, name: str) -> list[int]:
        """Append a name and return its offset; OSError when there is no room."""
        return self._file.append(Kind.NUMBERED_NAME, [_NUMBER.pack(number) + name.encode()])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class KnownNames:
    """The names as a reader finds them, while more may come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[int, str] = {}
        self._read_bytes = 0
        self._looked_at_bytes = -1
        # Numbers up to this one have names or are lost.
        self.highest = 0

    def __getitem__(self, number: int) -> str:
        return self._names[number]

    def __contains__(self, number: int) -> bool:
        return number in self._names

    @property
    def are_complete(self) -> bool:
        """Whether none up to the highest is lost."""
        return len(self._names) == self.highest

    def look_for(self, number: int) -> None:
        """See whether the file says more, unless the number is known already."""
        if number <= self.highest:
            return
        with contextlib.suppress(FileNotFoundError):
            descriptor = safe_files.open_in(self._folder, NAMES_FILE)
            try:
                size = os.fstat(descriptor).st_size
                if size != self._looked_at_bytes:
                    self._looked_at_bytes = size
                    self._add(os.pread(descriptor, NAMES_BYTES_MAX - self._read_bytes, self._read_bytes))
            finally:
                os.close(descriptor)

    def _add(self, data: bytes) -> None:
        whole, offset = 0, 0
        while offset >= 0:
            found = frame_at(data, offset)
            if found is None:
                # The last one may still be being written; where sound ones follow, it is damaged.
                offset = _next_frame(data, offset + 1)
                continue
            self._add_one(*found)
            whole = offset = offset + HEAD_BYTES + len(found[1])
        self._read_bytes += whole

    def _add_one(self, kind: int, payload: bytes) -> None:
        number = self.highest + 1
        if kind == Kind.NUMBERED_NAME and len(payload) > _NUMBER.size:
            (number,) = _NUMBER.unpack_from(payload)
            payload = payload[_NUMBER.size :]
        elif kind != Kind.NAME:
            return
        if self.highest < number <= METRICS_MAX:
            self.highest = number
            with contextlib.suppress(UnicodeDecodeError):
                self._names[number] = payload.decode()


def _next_frame(data: bytes, offset: int) -> int:
    """Where the next sound frame of a name begins; -1 if there is none."""
    while (kind_at := data.find(_KIND, offset + _KIND_OFFSET)) >= 0:
        offset = kind_at - _KIND_OFFSET
        if frame_at(data, offset) is not None:
            return offset
        offset += 1
    return -1
