"""The head of an answer goes out with the first piece of its body, and never later than it would alone."""

import gc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from stepwell_server.web.heads import join_head
from tests.harness.network.raw_http import head


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.written.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.written


@pytest.fixture
def transport() -> Transport:
    return Transport()


def cycle_of(transport: Transport, method: str = "GET") -> Any:
    cycle: Any = SimpleNamespace(transport=transport, scope={"method": method}, response_started=True)
    join_head(cycle)
    return cycle


def test_head_and_body_are_one(transport: Transport) -> None:
    cycle = cycle_of(transport)
    for data in (b"head", b"a", memoryview(b"b")):
        cycle.transport.write(data)
    cycle.transport.close()
    assert transport.written == [b"heada", b"b", "closed"]
    assert cycle.transport.is_closing()


def test_a_body_without_bytes_brings_the_head(transport: Transport) -> None:
    cycle = cycle_of(transport)
    for data in (b"head", b""):
        cycle.transport.write(data)
    assert transport.written == [b"head"]


def test_a_head_without_body_is_not_lost(transport: Transport) -> None:
    cycle = cycle_of(transport)
    cycle.transport.write(b"head")
    cycle.transport.close()
    assert transport.written == [b"head", "closed"]


def test_nothing_waits_that_is_no_head_of_a_body(transport: Transport) -> None:
    cycle_of(transport, "HEAD").transport.write(b"head")
    cycle = cycle_of(transport, "PUT")
    cycle.response_started = False
    cycle.transport.write(b"100 Continue")
    assert transport.written == [b"head", b"100 Continue"]


async def test_answers_leave_nothing_to_the_collector(start_door: Callable[..., Any]) -> None:
    place = await start_door()
    peer = await place.connect()
    gc.collect()
    gc.disable()
    try:
        for path in ("/echo", "/large") * 5:
            await peer.send(head("GET", path))
            await peer.answer()
        cycles = [it for it in gc.get_objects() if type(it) is RequestResponseCycle]
    finally:
        gc.enable()
    assert len(cycles) <= 2  # that of the latest request, and of one whose task just ends
