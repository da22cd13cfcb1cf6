"""Bytes of one file on their way to an SFTP server and back: several pieces at once, as each waits for its answer."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

import asyncssh

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.artifacts import MIB, FileSpec, Piece
from stepwell_server.store.content.folder import wrong_hash

PIECE_BYTES = MIB // 2
PIECES_AT_ONCE = 4
# When a connection is cut, so much before the end of a file may be missing: servers may write pieces in any order.
WINDOW_BYTES = PIECE_BYTES * PIECES_AT_ONCE


async def read_pieces(file: "asyncssh.SFTPClientFile", offset: int, end: int) -> AsyncGenerator[bytes]:
    """Yield the bytes [offset, end) of an open file, fewer if it has fewer; the next pieces are asked for ahead."""
    under_way: deque[asyncio.Task[bytes]] = deque()
    try:
        while under_way or offset < end:
            while offset < end and len(under_way) < PIECES_AT_ONCE:
                count = min(PIECE_BYTES, end - offset)
                under_way.append(asyncio.create_task(_read(file, count, offset)))
                offset += count
            piece = await under_way[0]
            under_way.popleft()
            if piece:
                yield piece
    finally:
        await _ended(under_way, cancel=True)


async def _read(file: "asyncssh.SFTPClientFile", count: int, offset: int) -> bytes:
    data: bytes = await file.read(count, offset)
    return data


class Sending:
    """Bytes that go to an open file, from an offset on; the SHA-256 is that of all before and behind it.

    Without a `file`, nothing is checked. Call `end` at last, whatever happened.
    """

    def __init__(self, target: "asyncssh.SFTPClientFile", file: FileSpec | None) -> None:
        self._target = target
        self._file = file
        self._hash = hashlib.sha256()
        self._count = 0
        self._under_way: deque[asyncio.Task[int]] = deque()

    @property
    def sent(self) -> tuple[int, bytes]:
        """How many bytes there are, and their SHA-256."""
        return self._count, self._hash.digest()

    async def pass_over(self, pieces: AsyncIterator[Piece]) -> None:
        """Take note of bytes that are in the file already."""
        async for piece in pieces:
            self._counted(piece)
            await asyncio.to_thread(self._hash.update, piece)

    async def add_all(self, pieces: AsyncIterator[Piece]) -> None:
        """Send pieces.

        Raises:
            InvalidArgumentError: there are more bytes than were announced.
        """
        async for piece in pieces:
            for start in range(0, len(piece), PIECE_BYTES):
                # A copy: the piece is valid until the next one comes.
                await self._send(bytes(memoryview(piece)[start : start + PIECE_BYTES]))

    async def _send(self, data: bytes) -> None:
        place = self._counted(data)
        while len(self._under_way) >= PIECES_AT_ONCE:
            await self._under_way[0]
            self._under_way.popleft()
        self._under_way.append(asyncio.create_task(self._write(data, place)))
        await asyncio.to_thread(self._hash.update, data)

    async def _write(self, data: bytes, place: int) -> int:
        return await self._target.write(data, place)

    def _counted(self, piece: Piece) -> int:
        """Return where a piece goes."""
        place = self._count
        self._count += len(piece)
        if self._file is not None and self._count > self._file.size_bytes:
            raise InvalidArgumentError(
                f"{self._file.path!r} was announced with {self._file.size_bytes} bytes, but more were sent"
            )
        return place

    async def finish(self) -> None:
        """Wait until all has arrived, and check it.

        Raises:
            InvalidArgumentError: it is not what was announced.
        """
        while self._under_way:
            await self._under_way[0]
            self._under_way.popleft()
        if self._file is None:
            return
        if self._count < self._file.size_bytes:
            raise IncompleteError(
                f"{self._file.path!r} has {self._file.size_bytes} bytes, but the upload ended after {self._count}"
            )
        if self._hash.digest() != self._file.sha256:
            raise InvalidArgumentError(wrong_hash(self._file, self._hash.hexdigest()))

    async def end(self) -> None:
        """Wait until nothing is under way any more."""
        await _ended(self._under_way, cancel=False)


class IncompleteError(InvalidArgumentError):
    """Bytes are missing at the end; what came is kept."""


async def _ended(tasks: "deque[asyncio.Task[bytes]] | deque[asyncio.Task[int]]", *, cancel: bool) -> None:
    if cancel:
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()
