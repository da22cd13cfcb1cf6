"""One HTTP connection: uvicorn's protocol, with limits on what a client may send, and for how long it may be silent.

What can only be seen here: heads that never end, clients that are gone without a word, those that do not read.
"""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import httptools
from uvicorn import Config as UvicornConfig
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from stepwell_server.config import HttpLimits
from stepwell_server.web.blocks import LARGE_BYTES_MIN, InBlocks
from stepwell_server.web.carrying import Carrier
from stepwell_server.web.heads import join_head

# Requests that were sent before earlier ones were answered, at most.
PIPELINED_MAX = 32
# What may still come of a body that was refused, of the size that is allowed.
LATE_SHARE = 2
# A client that vanished without a word is noticed after the first, and three times the second.
KEEPALIVE_IDLE_S = 30
KEEPALIVE_INTERVAL_S = 10
KEEPALIVE_PROBES = 3

_KEEPALIVE = {
    "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
    "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_S,
    "TCP_KEEPCNT": KEEPALIVE_PROBES,
}


class Connection(HttpToolsProtocol):
    """See the module. An answer that was refused here is JSON, as everywhere."""

    def __init__(
        self, config: UvicornConfig, state: ServerState, limits: HttpLimits, carrier: Carrier | None
    ) -> None:
        super().__init__(config, state, {})
        self._limits = limits
        self._carrier = carrier  # until something came
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._made_s = self.loop.time()
        self._in_body = False
        self._late_bytes = 0
        self.body_bytes = 0  # of the latest request, so far
        self._passed_over = 0
        self._read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a connection too many is told so."""
        super().connection_made(transport)
        _notice_death(transport.get_extra_info("socket"))
        if len(self.connections) > self._limits.connections_max and not self._take_place():
            self._refuse(503, "TEMPORARILY_UNAVAILABLE", "too many connections; try again in a second")
        else:
            self._expect_head()

    @property
    def is_silent(self) -> bool:
        """Tell whether nothing that was asked on this connection is under way, and it does not end already."""
        return (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()

    @property
    def standing(self) -> tuple[bool, float]:
        """By what connections give way to others: those that never asked anything first, then the older ones."""
        return self.cycle is not None, self._made_s

    def _take_place(self) -> bool:
        """Close another connection, on which nothing is under way; tells whether there is one."""
        others = [
            it for it in self.connections if isinstance(it, Connection) and it is not self and it.is_silent
        ]
        if others:
            min(others, key=lambda it: it.standing).transport.abort()
        return bool(others)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with all timers."""
        self._forget_head()
        self._stop_read_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. Whatever comes outside of a request, it has to become one in time."""
        if self.transport.is_closing():
            return
        carrier, self._carrier = self._carrier, None
        if carrier and carrier.takes(self.transport, data):
            self._forget_head()
            self.connections.discard(self)
            carrier.carry(self.transport, data)
            return
        if self.cycle is None or self.cycle.response_complete:
            if self._head_timer is None:
                self._expect_head()
            if self._in_body and not self._may_be_late(len(data)):
                return
        if self._passed_over:
            data = self._without_passed_over(data)
            if not data:
                return
        self._head_bytes += 0 if self._in_body else len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > self._limits.head_bytes_max:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Hand the request over, unless its head is too large."""
        self._forget_head()
        self._in_body = True
        self.body_bytes = 0
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > (
            self._limits.head_bytes_max
        ):
            self._refuse_head()
        elif len(self.pipeline) >= PIPELINED_MAX:
            self.transport.abort()
        if self.transport.is_closing():
            raise ConnectionAbortedError  # the parser stops here
        self._set_date()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, and count it."""
        self.body_bytes += len(body)
        super().on_body(body)

    def pass_over(self, count: int) -> None:
        """Go on behind the body of the latest request: the parser does not see the last `count` bytes of it."""
        if self.transport.is_closing():
            return
        self._passed_over = count
        if not count:
            self._end_body()

    def on_message_complete(self) -> None:
        """A request ends. Where its answer did not wait for that, the connection begins to be idle now."""
        super().on_message_complete()
        self._in_body = False
        if self.cycle.response_complete and not self.transport.is_closing():
            self._forget_head()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        if not self.transport.is_closing():
            self._refuse(400, "BAD_REQUEST", "this is no HTTP request that can be read")

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._expect_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has read."""
        self._stop_read_timer()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        size = next((value for name, value in cycle.scope["headers"] if name == b"content-length"), b"0")
        if int(size) > LARGE_BYTES_MIN:
            app = InBlocks(app, self, cycle, int(size))
        join_head(cycle)
        super()._start_asgi_task(cycle, app)

    def _without_passed_over(self, data: bytes) -> bytes:
        rest = data[self._passed_over :]
        self._passed_over -= len(data) - len(rest)
        if not self._passed_over:
            self._end_body()
        return rest

    def _end_body(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.on_message_complete()

    def _may_be_late(self, size: int) -> bool:
        """Let a client send what is left of a body that was refused: many read the answer only after that."""
        self._late_bytes += size
        if self._late_bytes > LATE_SHARE * self._limits.body_bytes_max:
            self.transport.close()
        return not self.transport.is_closing()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_s, self._give_up_head)

    def _forget_head(self) -> None:
        self._head_bytes = self._late_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        self._forget_head()
        if self._in_body:
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(408, "BAD_REQUEST", f"no complete request came within {self._limits.head_s:g} s")

    def _refuse_head(self) -> None:
        self._forget_head()
        self._refuse(
            431, "BAD_REQUEST", f"address and headers may have {self._limits.head_bytes_max} bytes at most"
        )

    def _refuse(self, status: int, error_code: str, message: str) -> None:
        """Answer without a request, and hang up."""
        body = json.dumps({"error_code": error_code, "message": message}).encode()
        self.transport.write(
            b"HTTP/1.1 %d \r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, len(body), body)
        )
        self.transport.close()

    def _expect_reading(self, waiting_bytes: int) -> None:
        least = self._limits.bytes_per_s_min * self._limits.stall_s

        def look() -> None:
            still = self.transport.get_write_buffer_size()
            if waiting_bytes - still < least:
                self._cut()
            else:
                self._expect_reading(still)

        self._read_timer = self.loop.call_later(self._limits.stall_s, look)

    def _cut(self) -> None:
        """Hang up, and let the kernel forget what it was to send, which may be megabytes."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.transport.abort()

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _set_date(self) -> None:
        """As uvicorn's own server does every second."""
        self.server_state.default_headers = [_date(int(time.time()))]


@lru_cache(maxsize=1)
def _date(now_s: int) -> tuple[bytes, bytes]:
    return b"date", formatdate(now_s, usegmt=True).encode()


def connections_with(
    config: UvicornConfig, state: ServerState, limits: HttpLimits, carrier: Carrier | None
) -> Callable[[], asyncio.Protocol]:
    """Return what makes a connection's protocol, for `create_server`."""
    return lambda: Connection(config, state, limits, carrier)


def _notice_death(connected: Any) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # macOS calls the first one otherwise
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
