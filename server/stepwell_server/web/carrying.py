"""gRPC at the port of HTTP: its bytes are carried to gRPC's own port, and back.

So the one address of a server works as grpc:// too. Where it speaks TLS, that ends here, and gRPC has a socket beside
its port for what is carried, in a folder that nobody else may enter. For callers on this machine alone: behind a
carrier gRPC sees this machine as the caller, and what a caller may take is counted by its address.
"""

import asyncio
import contextlib

from stepwell_server.config import is_loopback

# What every connection of HTTP/2 begins with, and no request of HTTP/1.
PREFACE = b"PRI * HTTP/2.0\r\n"
# Connections that are carried at once; past them, new ones are closed, and clients try again.
CARRIED_MAX = 200


class Carrier:
    """Joins connections to gRPC's port, or to its socket, a path, if there is one."""

    def __init__(self, host: str, port: int, socket_path: str | None = None) -> None:
        self._host = host
        self._port = port
        self._socket_path = socket_path
        self._open: set[asyncio.Task[None]] = set()
        self._ends: set[_End] = set()

    def takes(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Say whether a connection that begins with `data` is to be carried."""
        if not data.startswith(PREFACE):
            return False
        peer = transport.get_extra_info("peername")
        return bool(peer) and is_loopback(peer[0]) and len(self._ends) < 2 * CARRIED_MAX

    def carry(self, transport: asyncio.Transport, data: bytes) -> None:
        """Take a connection over; it ends when either side ends."""
        transport.pause_reading()
        here = _End(self._ends)
        here.connection_made(transport)
        transport.set_protocol(here)
        task = asyncio.create_task(self._join(here, data))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _join(self, here: "_End", data: bytes) -> None:
        try:
            there = await self._connect()
        except OSError:
            here.transport.close()
            return
        here.other, there.other = there.transport, here.transport
        if here.transport.is_closing():
            there.transport.close()
            return
        there.transport.write(data)
        here.transport.resume_reading()

    async def _connect(self) -> "_End":
        loop = asyncio.get_running_loop()
        if self._socket_path is None:
            return (await loop.create_connection(lambda: _End(self._ends), self._host, self._port))[1]
        return (await loop.create_unix_connection(lambda: _End(self._ends), self._socket_path))[1]


class _End(asyncio.Protocol):
    """One side: what comes goes to the other, no faster than that one takes it."""

    transport: asyncio.Transport
    other: asyncio.Transport | None = None

    def __init__(self, ends: set["_End"]) -> None:
        self._ends = ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._ends.add(self)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None  # nothing is read before
        self.other.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            with contextlib.suppress(RuntimeError):  # it is closed
                self.other.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            with contextlib.suppress(RuntimeError):
                self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ends.discard(self)
        if self.other is not None:
            self.other.close()
