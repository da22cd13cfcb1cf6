"""Checksummed frames in append-only files: everything in a spool that is not a point. README.md draws them.

frame    payload length u32 | crc32 of kind and payload u32 | kind u8 | 3 zero bytes | payload      little-endian
"""

import os
import struct
import zlib
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

from stepwell.spool import safe_files
from stepwell.spool.safe_files import FILE_MODE

_HEAD = struct.Struct("<IIB3x")
HEAD_BYTES = _HEAD.size
# A frame that says it is longer than this is damaged: 16 MiB, twice what any writer makes.
FRAME_BYTES_MAX = 16 * 2**20
# One write takes at most 1,024 pieces (IOV_MAX of Linux and macOS), and a frame is two.
FRAMES_AT_ONCE_MAX = 512
# Params and tags take some 50 bytes each: a thousand of them with one read.
READ_AHEAD_BYTES = 64 * 1024


class Kind(IntEnum):
    """What a payload is."""

    ENTRY = 1  # an `Entry` message of the contract
    ARRAY = 2  # an array of points, see arrays.py
    NAME = 3  # the first form of a metric's name, in UTF-8, numbered from 1 in the order of the frames
    NUMBERED_NAME = 4  # a metric's name with its number, see names.py


class DamagedFrameError(Exception):
    """The file does not hold what was written there."""


class FrameFile:
    """An append-only file of frames, as its one writer sees it. It is there from the first frame on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._descriptor: int | None = None

    def append(self, kind: Kind, payloads: Sequence[bytes]) -> list[int]:
        """Append frames with one write and return their offsets; the bytes belong to the kernel when it returns.

        Raises:
            OSError: there is no room; nothing of the frames stays. Or there are more than FRAMES_AT_ONCE_MAX.
        """
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, FILE_MODE)
        # Where the file ends, and not where it ended after the last call: that one may have been interrupted (Ctrl-C)
        # when its frames were written, which nobody refers to.
        start = end = os.lseek(self._descriptor, 0, os.SEEK_END)
        offsets, parts = [], []
        for payload in payloads:
            offsets.append(end)
            parts += [_HEAD.pack(len(payload), _checksum(kind, payload), kind), payload]
            end += _HEAD.size + len(payload)
        try:
            written = os.writev(self._descriptor, parts)
            if written < end - start:
                raise OSError(28, os.strerror(28), str(self.path))
        except OSError:
            os.ftruncate(self._descriptor, start)
            raise
        self.size = end
        return offsets

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FrameReader:
    """Reads frames at given places: of short frames that follow each other, many with one read of their file."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._start = 0
        self._data = b""

    def payload_at(self, path: Path, offset: int, kind: Kind) -> bytes:
        """Return the payload of the frame at an offset of a file.

        Raises:
            DamagedFrameError: there is no whole frame of this kind.
            OSError: the file cannot be read.
        """
        ahead = offset - self._start
        same = path is self._path or path == self._path  # the first is quicker by 2 us, for each param
        found = frame_at(self._data, ahead) if same and ahead >= 0 else None
        if found is None:  # not there, or not whole when it was read
            found = self._read(path, offset)
        if found is None or found[0] != kind:
            raise DamagedFrameError(f"no whole {kind.name.lower()} at byte {offset}")
        return found[1]

    def _read(self, path: Path, offset: int) -> tuple[int, bytes] | None:
        descriptor = safe_files.open_in(path.parent, path.name)
        try:
            self._data = os.pread(descriptor, READ_AHEAD_BYTES, offset)
            self._path, self._start = path, offset
            if len(self._data) < READ_AHEAD_BYTES:
                return frame_at(self._data, 0)
            length, checksum, kind = _HEAD.unpack_from(self._data)
            if _HEAD.size + length <= READ_AHEAD_BYTES:
                return frame_at(self._data, 0)
            # A long one by itself: no copy of it is made.
            payload = os.pread(descriptor, min(length, FRAME_BYTES_MAX), offset + _HEAD.size)
        finally:
            os.close(descriptor)
        whole = len(payload) == length and _checksum(kind, payload) == checksum
        return (kind, payload) if whole else None


def frame_at(data: bytes, offset: int) -> tuple[int, bytes] | None:
    """The kind and payload of the frame at an offset; None if there is no whole one."""
    if offset + _HEAD.size > len(data):
        return None
    length, checksum, kind = _HEAD.unpack_from(data, offset)
    if not kind:  # zeros, whose checksum is right
        return None
    start = offset + _HEAD.size
    payload = data[start : start + length] if length <= FRAME_BYTES_MAX else b""
    if len(payload) != length or _checksum(kind, payload) != checksum:
        return None
    return kind, payload


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, kind)
