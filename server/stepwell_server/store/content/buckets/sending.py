"""Bytes as the libraries of clouds send them: a few at a time, and never a copy of all."""

import os
from collections.abc import AsyncIterator

from stepwell_server.store.content.buckets.bucket import Part

SENT_BYTES = 256 * 1024


class InPieces:
    """A file of bytes for botocore, which signs it; for aiohttp pieces, from the beginning as often as it asks.

    Much would go in one piece that keeps the loop busy, and wait in the connection's memory once more.
    """

    def __init__(self, data: Part) -> None:
        self._view = memoryview(data)
        self._at = 0

    def __len__(self) -> int:
        return len(self._view)

    def read(self, size: int = -1) -> bytes:
        """Return what comes next, at most so much; all that is left without a size."""
        found = bytes(self._view[self._at : None if size < 0 else self._at + size])
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go on elsewhere; return where that is."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self)}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return where it goes on."""
        return self._at

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        for start in range(0, len(self), SENT_BYTES):
            yield self._view[start : start + SENT_BYTES]
