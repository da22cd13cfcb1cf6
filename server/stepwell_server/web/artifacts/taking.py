"""Bytes on their way in: gathered to pieces worth a step of the store, and no faster than it takes them."""

from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from stepwell_server.model.artifacts import MIB, Piece
from stepwell_server.web.blocks import receive_in_blocks

# Each piece is one hop to threads that write and hash; a small body, or one of unknown length, comes 64 KiB at a time.
PIECE_BYTES = MIB // 2
# Of an upload that was refused, so much is taken and forgotten: most clients read the answer when they have sent all.
REFUSED_BYTES_MAX = 4 * 1024 * MIB


class Incoming:
    """The body of a request."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._more = True
        self._block_bytes = MIB

    @property
    def announced_bytes(self) -> int | None:
        """How much the client says it sends; None when it does not."""
        found = self._request.headers.get("content-length", "")
        return int(found) if found.isdigit() else None

    def prefer(self, block_bytes: int) -> None:
        """Have the pieces of a large one as large as this; call it before the first one is asked for."""
        self._block_bytes = block_bytes

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Yield it in pieces, each of which is valid until the next but one is asked for.

        Raises:
            ClientDisconnect: the client hung up before its end.
        """
        receive_in_blocks(self._request.scope, self._block_bytes)
        waiting: list[bytes] = []
        size = 0
        while self._more:
            piece = await self._next()
            if not waiting and len(piece) >= PIECE_BYTES:
                yield piece
                continue
            waiting.append(bytes(piece))
            size += len(piece)
            if size >= PIECE_BYTES or (size and not self._more):
                yield b"".join(waiting)
                waiting, size = [], 0

    async def hear_out(self) -> None:
        """Let the client send what is left of what nobody wants, unless it waits for a word before it sends."""
        if "expect" in self._request.headers:
            return
        size = 0
        with suppress(ClientDisconnect):
            while self._more and size < REFUSED_BYTES_MAX:
                size += len(await self._next())

    async def _next(self) -> Piece:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            self._more = False
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        body: Piece = message.get("body", b"")
        return body
