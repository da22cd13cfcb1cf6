"""Appending to a large file past the page cache.

What is written once and read much later, if ever, would only push out of the cache what PostgreSQL needs there, be
copied once more, and be waited for at the end. Where the file system does not know direct writes, they are usual ones.
"""

import errno
import fcntl
import mmap
import os

import numpy as np

from stepwell_server.model.artifacts import MIB, Piece

# What goes to the disk at once; more is no faster, and each file on its way needs it.
BUFFER_BYTES = MIB
# Offsets and lengths of direct writes are multiples of a block of the disk; none has larger ones than a page.
BLOCK_BYTES = 4_096
_DIRECT = getattr(os, "O_DIRECT", 0)  # Linux has it


class SequentialFile:
    """Appends to an open file from an offset on, for one thread at a time.

    Needs `BUFFER_BYTES` of memory, unless it gets whole blocks that begin at pages: those are written where they are.
    """

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._at = offset
        self._buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))  # begins at a page, as direct writes need it
        self._gathered = 0
        self._direct = offset % BLOCK_BYTES == 0 and _set_direct(descriptor, True)

    def write(self, piece: Piece) -> None:
        """Append bytes; the last of them may wait for more."""
        rest = memoryview(piece)
        if not self._gathered and self._direct and _begins_at_page(rest):
            whole, rest = _split(rest, len(rest) - len(rest) % BLOCK_BYTES)
            self._put(whole)
        while rest:
            part, rest = _split(rest, BUFFER_BYTES - self._gathered)
            self._buffer[self._gathered : self._gathered + len(part)] = part
            self._gathered += len(part)
            if self._gathered == BUFFER_BYTES:
                self._put(self._buffer)
                self._gathered = 0

    def flush(self) -> None:
        """Write the rest and wait until all of the file is on the disk; ends the writing."""
        self.write_rest()
        os.fsync(self._descriptor)

    def write_rest(self) -> None:
        """Write what was gathered, of whatever length; ends the writing."""
        blocks = self._gathered - self._gathered % BLOCK_BYTES
        self._put(self._buffer[:blocks])
        self._use_cache()
        self._put(self._buffer[blocks : self._gathered])
        self._gathered = 0

    def _put(self, data: memoryview) -> None:
        while data:
            try:
                written = os.pwrite(self._descriptor, data, self._at)
            except OSError as error:
                if not self._direct or error.errno != errno.EINVAL:
                    raise
                self._use_cache()  # a file system that says yes and means no
                continue
            self._at += written
            data = data[written:]
            if written % BLOCK_BYTES:
                self._use_cache()

    def _use_cache(self) -> None:
        if self._direct:
            _set_direct(self._descriptor, False)
            self._direct = False


def _begins_at_page(data: memoryview) -> bool:
    place: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return place % BLOCK_BYTES == 0


def _split(data: memoryview, count: int) -> tuple[memoryview, memoryview]:
    return data[:count], data[count:]


def _set_direct(descriptor: int, wished: bool) -> bool:
    """Switch direct writes on or off; tells whether they are on."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT if wished else flags & ~_DIRECT)
    except OSError:
        return False
    return wished and bool(_DIRECT)
