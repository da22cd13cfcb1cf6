"""Connections that have not greeted yet, over TLS: so many at once, and the oldest gives way to a new one.

A greeting takes some milliseconds, so whoever waits for long is slow, or does not mean it. An asyncio loop that is
given a context keeps no count of them; so it is given the protocol that it would make of it.
"""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable


class Handshakes:
    """Makes the protocols of connections. A greeting takes `patience_s` at most, the end of one `goodbye_s`."""

    def __init__(self, context: ssl.SSLContext, count_max: int, patience_s: float, goodbye_s: float) -> None:
        self._context = context
        self._count_max = count_max
        self._patience_s = patience_s
        self._goodbye_s = goodbye_s
        # In the order in which they came.
        self._open: dict[asyncio.Future[None], asyncio.BaseTransport] = {}

    def around(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.BaseProtocol]:
        """Return what makes a connection's protocol: that of TLS around one that `make` makes."""

        def made() -> asyncio.BaseProtocol:
            loop = asyncio.get_running_loop()
            return _Greeting(
                loop,
                make(),
                self._context,
                loop.create_future(),
                self,
                ssl_handshake_timeout=self._patience_s,
                ssl_shutdown_timeout=self._goodbye_s,
            )

        return made

    def begin(self, greeted: "asyncio.Future[None]", transport: asyncio.BaseTransport) -> None:
        """Count a connection until it has greeted."""
        self._open[greeted] = transport
        greeted.add_done_callback(self._end)
        if len(self._open) > self._count_max:
            oldest = next(iter(self._open))
            slow = self._open.pop(oldest)
            assert isinstance(slow, asyncio.Transport)
            slow.abort()

    def abort(self) -> None:
        """Hang up on all that have not greeted."""
        for transport in self._open.values():
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    def _end(self, greeted: "asyncio.Future[None]") -> None:
        self._open.pop(greeted, None)
        if not greeted.cancelled():
            greeted.exception()  # a greeting that failed is the client's affair


class _Greeting(SSLProtocol):
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        greeted: "asyncio.Future[None]",
        handshakes: Handshakes,
        **timeouts: float,
    ) -> None:
        super().__init__(loop, protocol, context, greeted, server_side=True, **timeouts)  # type: ignore[arg-type]
        self._greeted = greeted
        self._handshakes = handshakes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._handshakes.begin(self._greeted, transport)
        super().connection_made(transport)
