"""Large bodies that are received into blocks: nothing is lost, and what comes behind them is the next request."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stepwell_server.config import HttpLimits
from stepwell_server.process.deadline import Deadline
from stepwell_server.web import blocks
from stepwell_server.web.artifacts.taking import Incoming
from stepwell_server.web.door import DoorPolicy, door
from stepwell_server.web.errors import RefusedError
from stepwell_server.web.guards import lift_body_limit
from stepwell_server.web.listening import http_listening
from tests.harness.network.raw_http import Place, head

STALL_S = 1.0
BLOCK_BYTES = 2**20
SIZE = 5 * BLOCK_BYTES + 12_345


class Uploads:
    """Routes that take a body, or refuse it when its first piece is there."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.is_gone = asyncio.Event()

    async def take(self, request: Request) -> Response:
        lift_body_limit(request.scope, None)
        found = hashlib.sha256()
        try:
            body = Incoming(request)
            body.prefer(BLOCK_BYTES)
            async for piece in body.pieces():
                found.update(piece)
                self.sizes.append(len(piece))
        except ClientDisconnect:
            self.is_gone.set()
            raise
        return PlainTextResponse(found.hexdigest())

    async def refuse(self, request: Request) -> Response:
        lift_body_limit(request.scope, None)
        await anext(Incoming(request).pieces())
        raise RefusedError(403, "not this")


@pytest.fixture
def uploads() -> Uploads:
    return Uploads()


@pytest.fixture
async def place(uploads: Uploads) -> AsyncIterator[Place]:
    limits = HttpLimits(stall_s=STALL_S, body_bytes_max=8 * SIZE)
    async with http_listening("127.0.0.1", 0, limits, asyncio.Event(), Deadline(3.0)) as server:
        routes = [Route(f"/{it.__name__}", it, methods=["PUT"]) for it in (uploads.take, uploads.refuse)]
        await server.start(door(routes, DoorPolicy(limits)))
        found = Place(server.port, None)  # type: ignore[arg-type]  # it stops by itself
        yield found
        found.close()


def body(size: int = SIZE) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


async def test_a_body_and_what_comes_right_behind_it(place: Place, uploads: Uploads) -> None:
    peer = await place.connect()
    contents = [body(), b"small", body(SIZE + 1), body(blocks.LARGE_BYTES_MIN), b""]
    # The head of the next request comes in one piece with the end of a body.
    sending = asyncio.create_task(
        peer.send(b"".join(head("PUT", "/take", content) + content for content in contents))
    )
    for content in contents:
        found = await peer.answer()
        assert (found.status, found.body.decode()) == (200, hashlib.sha256(content).hexdigest())
    await sending
    assert BLOCK_BYTES in uploads.sizes


async def test_who_waits_for_a_word_before_the_body_gets_it(place: Place) -> None:
    peer = await place.connect()
    await peer.send(head("PUT", "/take", body(), expect="100-continue"))
    assert await peer.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(body())
    assert (await peer.answer()).body.decode() == hashlib.sha256(body()).hexdigest()


async def test_what_is_refused_in_its_midst_is_passed_over(place: Place) -> None:
    peer = await place.connect()
    await peer.send(head("PUT", "/refuse", body()) + body()[: 2 * BLOCK_BYTES])
    assert (await peer.answer()).status == 403
    await peer.send(body()[2 * BLOCK_BYTES :] + head("PUT", "/take", b"next") + b"next")
    assert (await peer.answer()).body.decode() == hashlib.sha256(b"next").hexdigest()


async def test_what_came_is_handed_on_though_the_block_is_not_full(
    place: Place, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "HAND_ON_S", STALL_S / 20)
    peer = await place.connect()
    await peer.send(head("PUT", "/take", body()))
    first = BLOCK_BYTES // 2 + 1
    for start, end in ((0, first), (first, 2 * first), (2 * first, SIZE)):
        before = sum(uploads.sizes)
        await peer.send(body()[start:end])
        while end < SIZE and sum(uploads.sizes) < before + (end - start) // 2:  # noqa: ASYNC110 - by the server's loop
            await asyncio.sleep(0.01)
    assert (await peer.answer()).body.decode() == hashlib.sha256(body()).hexdigest()


async def test_silence_in_its_midst_ends_it(place: Place) -> None:
    peer = await place.connect()
    await peer.send(head("PUT", "/take", body()) + body()[:-1])
    answer = await peer.answer()
    assert (answer.status, answer.json["error_code"]) == (408, "BAD_REQUEST")


async def test_a_client_that_hangs_up_in_its_midst(place: Place, uploads: Uploads) -> None:
    peer = await place.connect()
    await peer.send(head("PUT", "/take", body()) + body()[:-1])
    peer.close()
    async with asyncio.timeout(30):
        await uploads.is_gone.wait()
