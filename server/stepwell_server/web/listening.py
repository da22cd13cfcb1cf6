"""The HTTP server: uvicorn's protocol in our loop, beside gRPC, with our sockets, our signals and our deadline."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from starlette.types import ASGIApp
from uvicorn import Config as UvicornConfig
from uvicorn.server import ServerState

from stepwell_server.config import HttpLimits
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import get_logger
from stepwell_server.process.ports import listening_sockets
from stepwell_server.process.tls.handshakes import Handshakes
from stepwell_server.web.carrying import Carrier
from stepwell_server.web.protocol import connections_with

# Of the shutdown's time that is left, what requests get; closing the database needs the rest.
REQUESTS_SHARE = 0.7
LOOK_S = 0.01
# How long a client may take to say that it heard the end of a TLS connection.
TLS_GOODBYE_S = 2.0

log = get_logger(__name__)


class HttpServer:
    """Sockets that are listened on. Requests are taken from `start` on."""

    def __init__(
        self, sockets: Sequence[socket.socket], limits: HttpLimits, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port: int = sockets[0].getsockname()[1]
        self._tls = tls
        self._sockets = sockets
        self._limits = limits
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._handshakes: Handshakes | None = None

    async def start(self, app: ASGIApp, carrier: Carrier | None = None) -> None:
        """Let `app` answer, and the carrier take what is gRPC."""
        config = UvicornConfig(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what we want to know of errors, the door logs
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=self._limits.idle_s,  # type: ignore[arg-type]  # it goes to call_later
        )
        make: Callable[[], asyncio.BaseProtocol]
        make = connections = connections_with(config, self._state, self._limits, carrier)
        if self._tls is not None:
            self._handshakes = Handshakes(
                self._tls, self._limits.handshakes_max, self._limits.head_s, TLS_GOODBYE_S
            )
            make = self._handshakes.around(connections)
        loop = asyncio.get_running_loop()
        self._servers = [await loop.create_server(make, sock=opened) for opened in self._sockets]

    def refuse_more(self) -> None:
        """Take no further requests: listen no more, hang up where nothing is under way."""
        for server in self._servers:
            server.close()
        for opened in self._sockets:
            opened.close()
        if self._handshakes is not None:
            self._handshakes.abort()
        for connection in list(self._state.connections):
            connection.shutdown()

    async def stop(self, patience_s: float) -> None:
        """Let what is under way finish, so long; then cut it off."""
        self.refuse_more()
        try:
            async with asyncio.timeout(patience_s):
                while self._state.tasks or self._state.connections:  # noqa: ASYNC110 - uvicorn sets no event
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            log.warning("requests did not end in time and are cut off", requests=len(self._state.tasks))
        for connection in list(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the connections learn of it, and that nobody waits for an answer any more
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def http_listening(
    host: str,
    port: int,
    limits: HttpLimits,
    draining: asyncio.Event,
    deadline: Deadline,
    *,
    shares_port: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpServer]:
    """Listen until the context ends, and take nothing more from when `draining` is set.

    Port 0 takes any free port. With `shares_port`, other processes that say so may listen on it too. Long answers have
    to watch `draining` and end by themselves.

    Raises:
        StartupError: the address cannot be listened on.
    """
    server = HttpServer(listening_sockets(host, port, "--port", shares_port=shares_port), limits, tls)
    draining_seen = asyncio.create_task(_refuse_when(draining, server))
    try:
        yield server
    finally:
        draining_seen.cancel()
        deadline.start()
        draining.set()
        await server.stop(deadline.remaining_s(REQUESTS_SHARE))


async def _refuse_when(draining: asyncio.Event, server: HttpServer) -> None:
    await draining.wait()
    server.refuse_more()
