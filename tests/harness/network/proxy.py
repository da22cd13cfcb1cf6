"""A network that fails on purpose: a TCP proxy on the loopback address, for tests of any kind.

    client --up--> proxy --up--> server
    client <-down- proxy <-down- server

Use as a context manager; all methods may be called from any thread and have happened when they return.

    with Proxy(server.port) as proxy:
        stepwell.set_tracking_uri(f"grpc://127.0.0.1:{proxy.port}")
        proxy.pause()            # half-open: connections stay, nothing passes, nobody is told
        proxy.hold(Way.DOWN)     # what the client sends arrives, what the server answers does not
        proxy.slow(10_000)       # bytes a second in each direction of each connection
        proxy.heal()             # everything passes again
        proxy.abandon()          # half-open for ever: the connections that there are; new ones work
        proxy.delay(3)           # what the next three connections send arrives late: at heal()
        proxy.cut()              # all connections are reset; new ones are possible
        proxy.refuse()           # and now they are not; heal() makes them possible again
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from enum import Enum
from types import TracebackType
from typing import Self

from tests.harness.network.ports import free_port

CALL_TIMEOUT_S = 10.0
CHUNK_BYTES = 64 * 1024
# At a limited speed, pieces are as large as what passes in this time.
SLOW_PIECE_S = 0.02
# SO_LINGER on, for 0 s: closing sends RST.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Way(Enum):
    """Where bytes go."""

    UP = "to the server"
    DOWN = "to the client"


class Proxy:
    """Passes connections on to a server on this machine, and fails in all the ways that networks do."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._open = {way: asyncio.Event() for way in Way}
        self._dropping: set[Way] = set()
        self._bytes_per_s = 0.0
        self._late = 0
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self.port = free_port()  # nobody else is given it while connections are refused
        self.connections = 0  # how many were made so far
        self.bytes_passed = dict.fromkeys(Way, 0)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._let_all_pass)
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()

    @property
    def tracking_uri(self) -> str:
        """What a client passes to `set_tracking_uri`."""
        return f"grpc://127.0.0.1:{self.port}"

    def delay(self, count: int) -> None:
        """Take what the next connections send, and pass it on at `heal`, also if they have ended by then."""
        self._call(lambda: setattr(self, "_late", count))

    def cut(self, *, reset: bool = True) -> None:
        """End all connections, with RST or (reset=False) with FIN; new ones are possible."""
        self._run(self._cut(reset))

    def pause(self) -> None:
        """Hold both ways: half-open connections, of which neither side hears anything, not even of their end."""
        self.hold(*Way)

    def hold(self, *ways: Way) -> None:
        """Let nothing pass on these ways until `heal`; nothing of it is lost unless the connection is cut."""
        self._call(lambda: [self._open[way].clear() for way in ways])

    def drop(self, *ways: Way) -> None:
        """Throw away what goes these ways. Connections that lost something cannot go on: `heal` cuts them."""
        self._call(lambda: self._dropping.update(ways))

    def slow(self, bytes_per_s: float) -> None:
        """Let at most so much pass, in each direction of each connection."""
        self._call(lambda: setattr(self, "_bytes_per_s", bytes_per_s))

    def abandon(self) -> None:
        """Let the connections that there are never hear anything again, as after a router lost them."""
        self._call(self._abandon)

    def refuse(self) -> None:
        """Refuse new connections and reset those that there are."""
        self._run(self._stop_listening())
        self.cut()

    def redirect(self, target_port: int) -> None:
        """Let new connections go to another port of the same host: the server was started anew."""
        self._call(lambda: setattr(self, "_target", (self._target[0], target_port)))

    def heal(self) -> None:
        """Let everything pass at full speed; connections that lost bytes are reset."""
        self._call(self._let_all_pass)
        self._run(self._cut_torn())
        self._run(self._listen())

    def _let_all_pass(self) -> None:
        self._bytes_per_s = 0.0
        self._dropping.clear()
        for event in self._open.values():
            event.set()
        self._late = 0
        for link in self._links:
            link.in_time.set()

    def _abandon(self) -> None:
        for link in self._links:
            link.abandoned = True

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _close(self) -> None:
        await self._stop_listening()
        await self._cut(reset=True)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self, reset: bool) -> None:
        for link in list(self._links):
            link.end(reset=reset)

    async def _cut_torn(self) -> None:
        for link in list(self._links):
            if link.torn and not link.abandoned:
                link.end(reset=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)  # as if the server itself had refused
            return
        link = _Link(writer, onward_writer)
        self._links.add(link)
        if self._late:
            self._late -= 1
        else:
            link.in_time.set()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(Way.UP, reader, onward_writer, link))
                both.create_task(self._pump(Way.DOWN, onward_reader, writer, link))
        except* (OSError, asyncio.CancelledError):
            link.end(reset=True)
        finally:
            self._links.discard(link)
            link.end(reset=False)

    async def _pump(
        self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: "_Link"
    ) -> None:
        late = bytearray()
        while data := await source.read(self._piece_bytes()):
            await self._open[way].wait()
            if link.abandoned or way in self._dropping:
                link.torn = True
                continue
            if self._bytes_per_s:
                await asyncio.sleep(len(data) / self._bytes_per_s)
            if way is Way.UP and not link.in_time.is_set():
                late += data
                continue
            sink.write(late + data)
            await sink.drain()
            self.bytes_passed[way] += len(late) + len(data)
            late.clear()
        await self._open[way].wait()
        if late:
            await link.in_time.wait()
            sink.write(late)
            self.bytes_passed[way] += len(late)
        if not link.abandoned:
            sink.write_eof()

    def _piece_bytes(self) -> int:
        return max(1, int(self._bytes_per_s * SLOW_PIECE_S)) if self._bytes_per_s else CHUNK_BYTES

    def _call(self, function: Callable[[], object]) -> None:
        async def call() -> None:
            function()

        self._run(call())

    def _run(self, coroutine: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_TIMEOUT_S)


class _Link:
    """One connection through the proxy: both of its halves."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self._writers = writers
        self.torn = False
        self.abandoned = False
        self.in_time = asyncio.Event()

    def end(self, *, reset: bool) -> None:
        """Close both halves."""
        for writer in self._writers:
            if reset:
                _reset(writer)
            else:
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
