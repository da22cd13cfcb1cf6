"""Hashes of what is in files."""

import os
import sys
from typing import Protocol

# Stays in the processor's cache between being read and being hashed.
BUFFER_BYTES = 256 * 1024


class Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: memoryview, /) -> None:
        """Hash more bytes."""
        ...


def update(digest: Digest, descriptor: int, offset: int = 0, count: int = sys.maxsize) -> int:
    """Hash up to `count` bytes of an open file from an offset on; returns how many there were."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    done = 0
    while done < count:
        read = os.preadv(descriptor, [buffer[: min(BUFFER_BYTES, count - done)]], offset + done)
        if not read:
            break
        digest.update(buffer[:read])
        done += read
    return done
