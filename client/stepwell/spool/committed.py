"""What a writer knew to be committed when it last deleted a file: a position, in hexadecimal, and its checksum."""

import contextlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path

from stepwell.spool import safe_files
from stepwell.spool.safe_files import FILE_MODE

COMMITTED_FILE = "committed"
# 16 digits, a space, 8 digits. The first form had no checksum.
_BYTES_MAX = 25
_DIGITS = 16


def note(folder: Path, position: int) -> None:
    """Write it down, over what was there: with one write, which no end of the process divides.

    Raises:
        OSError: there is no room.
    """
    digits = b"%016x" % position
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(folder / COMMITTED_FILE, flags, FILE_MODE)
    try:
        os.pwrite(descriptor, b"%s %08x" % (digits, zlib.crc32(digits)), 0)
    finally:
        os.close(descriptor)


def known_position(folder: Path, at_least: Callable[[], int]) -> int:
    """Return what was noted, 0 if nothing was.

    A note that is damaged says that there was one: then it is `at_least()`, or 1. (The server asks whether anything was
    committed to a run that it does not know any more.)
    """
    try:
        text = safe_files.read_in(folder, COMMITTED_FILE, _BYTES_MAX)
    except FileNotFoundError:
        return 0
    except OSError:
        text = b""
    digits, _, checksum = text.partition(b" ")
    with contextlib.suppress(ValueError):
        if len(digits) == _DIGITS and (not checksum or int(checksum, 16) == zlib.crc32(digits)):
            return int(digits, 16)
    return max(at_least(), 1)
