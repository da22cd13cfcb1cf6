"""Large bodies, received into blocks of memory: the kernel copies what came, and nobody else.

uvicorn hands a body on in pieces of some 100 KiB that were copied four times, which is most of the work of an upload.
While a route that asked for it (`receive_in_blocks`) waits for the body of a request whose length is known, the
connection's protocol is `BodyInBlocks`; before and after that it is the connection.
"""

import asyncio
import mmap
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from stepwell_server.web.protocol import Connection

# Smaller bodies come as they do.
LARGE_BYTES_MIN = 2 * 2**20
# What came is handed on after so long, also if the block is not full: who looks for silence has to see it.
HAND_ON_S = 1.0

_IN_BLOCKS = "stepwell.in_blocks"


def receive_in_blocks(scope: Scope, block_bytes: int) -> None:
    """Let the body of this request come in blocks, if it is large. Call it before reading.

    The bytes of a message are valid until the next but one is received: they are views of two blocks that take turns.
    """
    scope[_IN_BLOCKS] = block_bytes


class InBlocks:
    """An application around that of the door, for a request with a large body."""

    def __init__(
        self, app: ASGIApp, connection: "Connection", cycle: RequestResponseCycle, size: int
    ) -> None:
        self._app = app
        self._body = BodyInBlocks(connection, cycle, size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through."""

        async def send_after_body(message: Message) -> None:
            self._body.end()  # what has not come yet, nobody wants
            await send(message)

        try:
            await self._app(scope, self._body.receive, send_after_body)
        finally:
            self._body.end()


class BodyInBlocks(asyncio.BufferedProtocol):
    """The `receive` of one request, and the protocol of its connection while it waits for the body."""

    def __init__(self, connection: "Connection", cycle: RequestResponseCycle, size: int) -> None:
        self._connection = connection
        self._cycle = cycle
        self._left = size
        self._is_reading = False
        self._blocks: list[memoryview] = []
        self._filled = 0
        self._is_ready = asyncio.Event()

    async def receive(self) -> Any:
        """See ASGI."""
        if self._is_reading:
            return await self._next()
        message: Any = await self._cycle.receive()
        block_bytes: Any = self._cycle.scope.get(_IN_BLOCKS)
        if not block_bytes:
            return message
        size = len(message.get("body", b""))
        left = self._left - self._connection.body_bytes
        if (
            message["type"] == "http.disconnect"
            or left <= 0
            or size > block_bytes
            or self._cycle.response_complete
        ):
            return message
        self._begin(message["body"], left, block_bytes)
        return await self._next()

    def end(self) -> None:
        """Leave the rest of the body to the connection, which passes it over."""
        if self._is_reading:
            self._is_reading = False
            self._connection.transport.set_protocol(self._connection)
            self._connection.pass_over(self._left)

    def _begin(self, received: bytes, left: int, block_bytes: int) -> None:
        self._is_reading = True
        self._left = left
        # Of the kernel's own pages, where direct writes want to begin.
        self._blocks = [memoryview(mmap.mmap(-1, block_bytes)) for _ in range(2)]
        self._blocks[0][: len(received)] = received
        self._filled = len(received)
        self._connection.transport.set_protocol(self)

    async def _next(self) -> Message:
        """Wait for the next block, or for what comes of it within HAND_ON_S."""
        self._is_ready.clear()
        self._connection.flow.resume_reading()
        self._timer = self._connection.loop.call_later(HAND_ON_S, self._hand_on)
        try:
            await self._is_ready.wait()
        finally:
            self._timer.cancel()
            self._connection.flow.pause_reading()
        if self._cycle.disconnected:
            return {"type": "http.disconnect"}
        block = self._blocks[0][: self._filled]
        self._blocks.reverse()
        self._filled = 0
        more = self._left > 0
        if not more:
            self.end()
        return {"type": "http.request", "body": block, "more_body": more}

    def _hand_on(self) -> None:
        if self._filled:
            self._is_ready.set()
        else:
            self._timer = self._connection.loop.call_later(HAND_ON_S, self._hand_on)

    # What the transport calls.

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where the next bytes go."""
        return self._blocks[0][self._filled : self._filled + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        self._filled += nbytes
        self._left -= nbytes
        if not self._left or self._filled == len(self._blocks[0]):
            self._connection.flow.pause_reading()
            self._is_ready.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._connection.connection_lost(exc)
        self._is_ready.set()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._connection.resume_writing()
