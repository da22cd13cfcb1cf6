"""The pieces of a file on its way through the server to a bucket, gathered into parts and checked."""

import asyncio
import hashlib
import mmap
from collections.abc import AsyncIterator
from typing import Any

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.artifacts import FileSpec, Piece
from stepwell_server.store.content.buckets.bucket import Part
from stepwell_server.store.content.folder import wrong_hash

INFINITELY_MANY = float("inf")


class InParts:
    """The bytes of a file from an offset on; the first `skipped` of them are there already.

    The size is checked, and from offset 0 on the SHA-256 too, before the last part is given out; without a `file`
    nothing is checked.
    """

    def __init__(
        self, file: FileSpec | None, pieces: AsyncIterator[Piece], offset: int, skipped: int = 0
    ) -> None:
        self._file = file
        self._size_bytes = INFINITELY_MANY if file is None else file.size_bytes
        self._pieces = pieces
        self._hash = None if offset else hashlib.sha256()
        self._count = offset
        self._skipped = skipped
        self._travelling: asyncio.Future[Any] | None = None

    async def of(self, part_bytes: int) -> AsyncIterator[Part]:
        """Yield parts of this size, the last one maybe smaller, all in the same memory; see `lend`.

        Raises:
            InvalidArgumentError: the bytes are not those that were announced.
        """
        part, filled = _room(part_bytes), 0
        async for piece in self._pieces:
            await self._take(piece)
            left = memoryview(piece)[self._skip(len(piece)) :]
            while left:
                await self._have_back()
                count = min(len(left), part_bytes - filled)
                part[filled : filled + count] = left[:count]
                filled, left = filled + count, left[count:]
                if filled == part_bytes and (left or self._count < self._size_bytes):
                    yield part
                    filled = 0
        # The last part waits for the checks.
        if self._file is not None:
            self._check(self._file)
        if filled:
            yield part[:filled]

    def lend(self, travelling: asyncio.Future[Any]) -> None:
        """Keep the part that was yielded last as it is until this is done. Meanwhile the next piece is taken."""
        self._travelling = travelling

    async def _have_back(self) -> None:
        if self._travelling is not None:
            await self._travelling
            self._travelling = None

    @property
    def taken(self) -> tuple[int, bytes]:
        """How many bytes came, and from offset 0 on their SHA-256."""
        return self._count, b"" if self._hash is None else self._hash.digest()

    async def _take(self, piece: Piece) -> None:
        if self._hash is not None:
            await asyncio.to_thread(self._hash.update, piece)
        self._count += len(piece)
        if self._file is not None and self._count > self._file.size_bytes:
            raise self._wrong_size(self._file)

    def _skip(self, count: int) -> int:
        """Return how many of the next bytes are there already."""
        skipped = min(self._skipped, count)
        self._skipped -= skipped
        return skipped

    def _check(self, file: FileSpec) -> None:
        if self._count < file.size_bytes:
            raise self._wrong_size(file)
        if self._hash is not None and self._hash.digest() != file.sha256:
            raise InvalidArgumentError(wrong_hash(file, self._hash.hexdigest()))

    def _wrong_size(self, file: FileSpec) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"{file.path!r} was announced with {file.size_bytes} bytes, {self._count} were sent"
        )


def _room(size: int) -> memoryview:
    """Return memory of its own, of which the kernel gives what is written to, and has all back at once."""
    return memoryview(mmap.mmap(-1, size))
