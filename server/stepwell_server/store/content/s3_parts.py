"""The pieces of a file on its way through the server to a bucket, gathered into parts and checked."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.artifacts import FileSpec, Piece
from stepwell_server.store.content.folder import wrong_hash


class InParts:
    """The bytes of a file from an offset on; the first `skipped` of them are there already.

    The size is checked, and from offset 0 on the SHA-256 too, before the last part is given out.
    """

    def __init__(self, file: FileSpec, pieces: AsyncIterator[Piece], offset: int, skipped: int = 0) -> None:
        self._file = file
        self._pieces = pieces
        self._hash = None if offset else hashlib.sha256()
        self._count = offset
        self._skipped = skipped

    async def of(self, part_bytes: int) -> AsyncIterator[bytes]:
        """Yield parts of this size, the last one maybe smaller.

        Raises:
            InvalidArgumentError: the bytes are not those that were announced.
        """
        gathered = bytearray()
        async for piece in self._pieces:
            await self._take(piece)
            gathered += memoryview(piece)[self._skip(len(piece)) :]
            # The last part waits for the checks.
            if len(gathered) >= part_bytes and self._count < self._file.size_bytes:
                yield _cut(gathered, part_bytes)
        self._check()
        while gathered:
            yield _cut(gathered, part_bytes)

    async def _take(self, piece: Piece) -> None:
        if self._hash is not None:
            await asyncio.to_thread(self._hash.update, piece)
        self._count += len(piece)
        if self._count > self._file.size_bytes:
            raise self._wrong_size()

    def _skip(self, count: int) -> int:
        """Return how many of the next bytes are there already."""
        skipped = min(self._skipped, count)
        self._skipped -= skipped
        return skipped

    def _check(self) -> None:
        if self._count < self._file.size_bytes:
            raise self._wrong_size()
        if self._hash is not None and self._hash.digest() != self._file.sha256:
            raise InvalidArgumentError(wrong_hash(self._file, self._hash.hexdigest()))

    def _wrong_size(self) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"{self._file.path!r} was announced with {self._file.size_bytes} bytes, {self._count} were sent"
        )


def _cut(gathered: bytearray, count: int) -> bytes:
    part = bytes(memoryview(gathered)[:count])
    del gathered[:count]
    return part
