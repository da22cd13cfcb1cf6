"""What tests of the HTTP door share: routes behind all guards on a real socket, without a database; a second server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config, HttpLimits
from stepwell_server.process.deadline import Deadline
from stepwell_server.web.door import DoorPolicy, door
from stepwell_server.web.guards import lift_body_limit
from stepwell_server.web.listening import http_listening
from tests.harness.network.raw_http import Place
from tests.harness.network.rest import Rest

StartDoor = Callable[..., object]
STOP_S = 3.0


class Routes:
    """Echoes, waits, and streams; `entered` and `cancelled` tell tests what happened."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def echo(self, request: Request) -> Response:
        return PlainTextResponse(f"{len(await request.body())} bytes")

    async def upload(self, request: Request) -> Response:
        lift_body_limit(request.scope, None)
        size = 0
        async for piece in request.stream():
            size += len(piece)
        return PlainTextResponse(f"{size} bytes")

    async def wait(self, request: Request) -> Response:
        self.entered.set()
        await self.go_on.wait()
        return PlainTextResponse("finished")

    async def large(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(1_000):
                yield bytes(100_000)

        return StreamingResponse(pieces())

    async def broken(self, request: Request) -> Response:
        raise ValueError("a secret")

    async def broken_later(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("a secret")

        return StreamingResponse(pieces())

    def all(self) -> list[Route]:
        return [
            Route("/echo", self.echo, methods=["GET", "POST"]),
            Route("/upload", self.upload, methods=["PUT"]),
            Route("/health", self.echo),
            Route("/wait", self.wait),
            Route("/large", self.large),
            Route("/broken", self.broken),
            Route("/broken-later", self.broken_later),
        ]


@pytest.fixture
async def other(server: RunningServer, database_url: str, tmp_path: Path) -> AsyncIterator[Rest]:
    """Another server on the same database, as a second worker is."""
    config = Config(port=0, http_port=0, store=database_url, data=tmp_path / "other", shutdown_grace_s=5)
    async with running_server(config) as running:
        yield Rest(running.http_url)


@pytest.fixture
def routes() -> Routes:
    return Routes()


@pytest.fixture
async def start_door(routes: Routes) -> AsyncIterator[Callable[..., object]]:
    """Starts the door with some limits and policy; the place has `stop()`."""
    async with AsyncExitStack() as stack:

        async def start(limits: HttpLimits | None = None, **policy: object) -> Place:
            mine = await stack.enter_async_context(AsyncExitStack())
            chosen = limits or HttpLimits()
            server = await mine.enter_async_context(
                http_listening("127.0.0.1", 0, chosen, asyncio.Event(), Deadline(STOP_S))
            )
            await server.start(door(routes.all(), DoorPolicy(chosen, **policy)))
            place = Place(server.port, mine.aclose)
            stack.callback(place.close)
            return place

        yield start
