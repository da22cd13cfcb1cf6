"""The guards of the HTTP door, by raw HTTP."""

import asyncio
import socket
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from stepwell_server.config import HttpLimits
from stepwell_server.model.access import ANONYMOUS, Caller
from stepwell_server.process.telemetry import HTTP_REQUESTS
from stepwell_server.services.access.calling import Presented
from stepwell_server.web.hosts import AllowedHosts, AllowedOrigins
from tests.harness.network.raw_http import head

# No test waits so long for the right outcome.
BRIEF = HttpLimits(body_bytes_max=1_000, head_bytes_max=500, head_s=0.3, idle_s=0.5, stall_s=0.3)
FOREVER_S = 3_600.0

StartDoor = Callable[..., Any]


async def test_every_answer_has_the_headers_that_browsers_heed(start_door: StartDoor) -> None:
    place = await start_door()
    for path in ("/echo", "/nothing", "/broken"):
        headers = (await place.ask("GET", path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert "access-control-allow-origin" not in headers
        assert "date" in headers


async def test_errors_are_json_and_tell_no_secrets(start_door: StartDoor) -> None:
    place = await start_door()
    for method, path, status, code in (
        ("GET", "/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("DELETE", "/echo", 405, "BAD_REQUEST"),
        ("GET", "/broken", 500, "INTERNAL_ERROR"),
    ):
        answer = await place.ask(method, path)
        assert (answer.status, answer.json["error_code"]) == (status, code)
        assert "secret" not in answer.json["message"]


async def test_an_answer_that_breaks_is_cut(start_door: StartDoor) -> None:
    place = await start_door()
    peer = await place.connect()
    await peer.send(head("GET", "/broken-later"))
    with pytest.raises(asyncio.IncompleteReadError):
        await peer.answer()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:5000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:5000", 200),
        ("[::1]:5000", 200),
        ("tracker.example.org:5000", 200),
        ("a.inner.example.org", 200),
        ("inner.example.org", 403),
        ("evil.example.com", 403),
        ("localhost.evil.example.com", 403),
        ("127.0.0.1.evil.example.com", 403),
        ("", 200),
    ],
)
async def test_the_host_has_to_be_ours(start_door: StartDoor, host: str, status: int) -> None:
    place = await start_door(hosts=["localhost", "tracker.example.org", "*.inner.example.org"])
    answer = await place.ask("GET", "/echo", host=host)
    assert answer.status == status
    if status == 403:
        assert "--allowed-hosts" in answer.json["message"]
    assert (await place.ask("GET", "/health", host=host)).status == 200


async def test_a_request_names_one_host(start_door: StartDoor) -> None:
    place = await start_door()
    for request in (
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: a\r\nhost: localhost\r\n\r\n",
    ):
        peer = await place.connect()
        await peer.send(request)
        assert (await peer.answer()).status == 400


def test_any_host() -> None:
    assert "evil.example.com" in AllowedHosts(["*"])


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("POST", "http://localhost", 200),
        ("POST", "http://evil.example.com", 403),
        ("POST", "null", 403),
        ("GET", "http://evil.example.com", 200),
        ("POST", "https://notebooks.example.org", 200),
    ],
)
async def test_pages_of_others_change_nothing(
    start_door: StartDoor, method: str, origin: str, status: int
) -> None:
    place = await start_door(origins=["https://notebooks.example.org"])
    answer = await place.ask(method, "/echo", origin=origin)
    assert answer.status == status
    allowed = origin if "notebooks" in origin else None
    assert answer.headers.get("access-control-allow-origin") == allowed


def test_origins_are_compared_with_their_port() -> None:
    assert AllowedOrigins([]).allows("http://localhost:5000", "localhost:5000")
    assert not AllowedOrigins([]).allows("http://localhost:8000", "localhost:5000")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large(start_door: StartDoor, chunked: bool) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    body = bytes(1_001)
    if chunked:
        lines = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        await peer.send(lines + b"3e9\r\n" + body + b"\r\n0\r\n\r\n")
    else:
        await peer.send(head("POST", "/echo", body))  # refused before any of it is sent
    answer = await peer.answer()
    assert answer.status == 413
    assert "1000 bytes" in answer.json["message"]
    assert (await place.ask("POST", "/echo", bytes(1_000))).body == b"1000 bytes"
    assert (await place.ask("PUT", "/upload", bytes(300_000))).body == b"300000 bytes"


async def test_a_refused_body_may_still_come(start_door: StartDoor) -> None:
    place = await start_door(HttpLimits(body_bytes_max=200_000))
    for size, answered in ((300_000, True), (50_000_000, False)):
        peer = await place.connect()
        await peer.send(head("POST", "/echo", bytes(size)))
        await asyncio.sleep(0.05)
        try:
            await peer.send(bytes(size))
            assert (await peer.answer()).status == 413
            await peer.send(head("GET", "/echo"))  # the connection goes on
            assert (await peer.answer()).status == 200
            assert answered
        except ConnectionError:
            assert not answered


async def test_a_refused_body_that_does_not_end(start_door: StartDoor) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    await peer.send(head("POST", "/echo", bytes(2_000)))
    assert (await peer.answer()).status == 413
    await peer.send(bytes(10))
    assert await peer.is_closed()


async def test_a_head_that_is_too_large(start_door: StartDoor) -> None:
    place = await start_door(BRIEF)
    assert (await place.ask("GET", "/echo", padding="x" * 600)).status == 431
    assert (await place.ask("GET", "/echo?" + "x" * 600)).status == 431
    assert (await place.ask("GET", "/echo", padding="x" * 100)).status == 200
    peer = await place.connect()
    await peer.send(b"GET /echo HTTP/1.1\r\npadding: " + b"x" * 600)  # it never ends
    assert (await peer.answer()).status == 431
    assert await peer.is_closed()


@pytest.mark.parametrize("sent", [b"", b"GE", b"GET /echo HTTP/1.1\r\nhost: local", b"\r\n\r\n"])
async def test_a_head_that_does_not_come(start_door: StartDoor, sent: bytes) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    await peer.send(sent)
    assert (await peer.answer()).status == 408
    assert await peer.is_closed()


async def test_a_head_that_comes_byte_by_byte(start_door: StartDoor) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    answer = asyncio.create_task(peer.answer())
    for byte in head("GET", "/echo") * 10:
        if answer.done():
            break
        await peer.send(bytes([byte]))
        await asyncio.sleep(0.02)
    assert (await answer).status == 408


async def test_an_idle_connection_ends_quietly(start_door: StartDoor) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    for _ in range(2):
        await peer.send(head("GET", "/echo"))
        assert (await peer.answer()).status == 200
    assert await peer.is_closed()


@pytest.mark.parametrize("path", ["/echo", "/upload"])
async def test_a_body_that_stops(start_door: StartDoor, path: str) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    method = "PUT" if path == "/upload" else "POST"
    await peer.send(head(method, path, bytes(900)) + bytes(10))
    answer = await peer.answer()
    assert answer.status == 408
    assert "after 10 bytes" in answer.json["message"]


async def test_a_body_that_trickles(start_door: StartDoor) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    await peer.send(head("PUT", "/upload", bytes(10_000)))
    answer = asyncio.create_task(peer.answer())
    while not answer.done():
        await peer.send(b"x")
        await asyncio.sleep(0.05)
    assert (await answer).status == 408


async def test_only_waiting_counts_as_slow(start_door: StartDoor, routes: Any) -> None:
    place = await start_door(BRIEF)
    peer = await place.connect()
    await peer.send(head("GET", "/wait"))
    await routes.entered.wait()
    await asyncio.sleep(2 * BRIEF.stall_s)
    routes.go_on.set()
    assert (await peer.answer()).body == b"finished"


async def test_a_client_that_does_not_read_is_cut(start_door: StartDoor) -> None:
    place = await start_door(HttpLimits(stall_s=0.3, bytes_per_s_min=10_000))
    peer = await place.connect()
    await peer.send(head("GET", "/large"))
    connected: socket.socket = peer.writer.get_extra_info("socket")
    peer.writer.transport.pause_reading()
    async with asyncio.timeout(30):
        while not _is_reset(connected):  # noqa: ASYNC110 - a connection that is not read tells nothing
            await asyncio.sleep(0.05)


def _is_reset(connected: socket.socket) -> bool:
    """Tell whether the other side has cut the connection; Linux tells by the state."""
    return connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 7  # TCP_CLOSE


async def test_too_many_connections(start_door: StartDoor, routes: Any) -> None:
    place = await start_door(HttpLimits(connections_max=3, requests_max=3))
    peers = [await place.connect() for _ in range(3)]
    for peer in peers:
        routes.entered.clear()
        await peer.send(head("GET", "/wait"))
        await routes.entered.wait()
    assert (await place.ask("GET", "/echo")).status == 503
    routes.go_on.set()
    while (await place.ask("GET", "/echo")).status == 503:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def test_connections_on_which_nothing_is_asked_give_way(start_door: StartDoor, routes: Any) -> None:
    """Whoever opens many, and says nothing or little, keeps nobody out; those that asked before stay longest."""
    place = await start_door(HttpLimits(connections_max=4, requests_max=3))
    asking, known = await place.connect(), await place.connect()
    await asking.send(head("GET", "/wait"))
    await routes.entered.wait()
    await known.send(head("GET", "/echo"))
    await known.answer()
    silent = await asyncio.gather(*(place.connect() for _ in range(20)))
    await asyncio.gather(*(peer.send(b"GET /echo HTTP/1.1\r\nhost: ") for peer in silent))
    waiting = {asyncio.create_task(peer.is_closed()) for peer in silent}
    while len(waiting) > 2:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert (await place.ask("GET", "/echo")).status == 200
    await known.send(head("GET", "/echo"))
    assert (await known.answer()).status == 200
    routes.go_on.set()
    assert (await asking.answer()).body == b"finished"
    for task in waiting:
        task.cancel()


async def test_who_is_not_known_and_slow_keeps_nobody_out_who_is_known(
    start_door: StartDoor, routes: Any
) -> None:
    class Everybody:
        async def caller(self, presented: Presented) -> Caller:
            return ANONYMOUS

    place = await start_door(
        HttpLimits(requests_max=10, open_requests_max=2),
        authenticator=Everybody(),
        open_paths=frozenset({"/health", "/wait"}),
    )
    waiting = []
    for _ in range(2):
        routes.entered.clear()
        waiting.append(asyncio.create_task(place.ask("GET", "/wait")))
        await routes.entered.wait()
    refused = await place.ask("GET", "/wait")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert (await place.ask("GET", "/echo")).status == 200
    assert (await place.ask("GET", "/health")).status == 200
    routes.go_on.set()
    assert [answer.body for answer in await asyncio.gather(*waiting)] == [b"finished"] * 2


async def test_who_hangs_up_in_the_midst_of_a_body_is_no_error_of_ours(
    start_door: StartDoor, caplog: pytest.LogCaptureFixture
) -> None:
    place, gone = await start_door(), HTTP_REQUESTS.labels("POST", "/echo", 499)
    before = gone._value.get()
    peer = await place.connect()
    await peer.send(head("POST", "/echo", **{"content-length": "100"}) + b"x")
    peer.close()
    async with asyncio.timeout(30):
        while gone._value.get() == before:  # noqa: ASYNC110 - what the server counts
            await asyncio.sleep(0.02)
    assert "unexpected error" not in caplog.text


async def test_one_account_does_not_take_all_requests(start_door: StartDoor, routes: Any) -> None:
    class Named:
        async def caller(self, presented: Presented) -> Caller:
            return Caller(1, presented.authorization)

    place = await start_door(HttpLimits(caller_requests_max=2), authenticator=Named())
    waiting = []
    for _ in range(2):
        routes.entered.clear()
        waiting.append(asyncio.create_task(place.ask("GET", "/wait", authorization="ann")))
        await routes.entered.wait()
    refused = await place.ask("GET", "/echo", authorization="ann")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert "2 requests of account ann" in refused.json["message"]
    assert (await place.ask("GET", "/echo", authorization="ben")).status == 200
    routes.go_on.set()
    assert [answer.body for answer in await asyncio.gather(*waiting)] == [b"finished"] * 2
    assert (await place.ask("GET", "/echo", authorization="ann")).status == 200


async def test_too_many_requests_at_once(start_door: StartDoor, routes: Any) -> None:
    place = await start_door(HttpLimits(requests_max=2))
    waiting = [asyncio.create_task(place.ask("GET", "/wait")) for _ in range(2)]
    while (await place.ask("GET", "/echo")).status == 200:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    refused = await place.ask("GET", "/echo")
    assert (refused.status, refused.json["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert refused.headers["retry-after"] == "1"
    assert (await place.ask("GET", "/health")).status == 200
    routes.go_on.set()
    assert [answer.body for answer in await asyncio.gather(*waiting)] == [b"finished"] * 2
    assert (await place.ask("GET", "/echo")).status == 200


async def test_requests_in_one_go_are_answered_in_order(start_door: StartDoor) -> None:
    place = await start_door()
    peer = await place.connect()
    await peer.send(b"".join(head("POST", "/echo", bytes(size)) + bytes(size) for size in range(20)))
    for size in range(20):
        assert (await peer.answer()).body == f"{size} bytes".encode()
    await peer.send(head("GET", "/echo") * 100)
    assert await peer.is_closed()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: -3\r\n\r\n",
        b"hello\r\n\r\n",
    ],
)
async def test_what_is_no_http(start_door: StartDoor, sent: bytes) -> None:
    place = await start_door()
    peer = await place.connect()
    await peer.send(sent)
    answer = await peer.answer()
    assert (answer.status, answer.json["error_code"]) == (400, "BAD_REQUEST")
    assert await peer.is_closed()


async def test_whatever_comes_nothing_breaks(start_door: StartDoor, routes: Any) -> None:
    """Damaged requests get an answer or are cut, never with 500; whole ones are served meanwhile."""
    place = await start_door(BRIEF)
    random = Random(7)
    whole = head("POST", "/echo?a=%20", bytes(20), accept="*/*") + bytes(20) + head("GET", "/health")
    statuses = await asyncio.gather(*[_statuses(place, _damaged(whole, random)) for _ in range(300)])
    found = {status for each in statuses for status in each}
    assert {200, 400} <= found
    assert not {status for status in found if status >= 500}
    assert (await place.ask("GET", "/echo")).status == 200


def _damaged(request: bytes, random: Random) -> bytes:
    damaged = bytearray(request)
    for _ in range(random.randint(1, 5)):
        place = random.randrange(len(damaged))
        match random.randrange(4):
            case 0:
                damaged[place] = random.randrange(256)
            case 1:
                del damaged[place : place + random.randint(1, 20)]
            case 2:
                damaged[place:place] = random.randbytes(random.randint(1, 20))
            case 3:
                damaged[place:place] = damaged[place : place + random.randint(1, 40)]
    return bytes(damaged)


async def _statuses(place: Any, request: bytes) -> list[int]:
    peer = await place.connect()
    statuses = []
    try:
        await peer.send(request)
        while True:
            statuses.append((await peer.answer()).status)
    except (asyncio.IncompleteReadError, ConnectionError):
        return statuses


async def test_what_was_received_is_finished_at_the_stop(start_door: StartDoor, routes: Any) -> None:
    place = await start_door()
    idle, busy = await place.connect(), await place.connect()
    await idle.send(head("GET", "/echo"))
    await idle.answer()
    await busy.send(head("GET", "/wait"))
    await routes.entered.wait()
    stopping = asyncio.create_task(place.stop())
    assert await idle.is_closed()
    with pytest.raises(ConnectionRefusedError):
        await place.connect()
    routes.go_on.set()
    answer = await busy.answer()
    assert (answer.body, answer.headers["connection"]) == (b"finished", "close")
    await stopping


async def test_what_does_not_end_is_cut_at_the_stop(start_door: StartDoor, routes: Any) -> None:
    place = await start_door()
    peer = await place.connect()
    await peer.send(head("GET", "/wait"))
    await routes.entered.wait()
    await place.stop()
    assert await peer.is_closed()


@pytest.mark.parametrize(
    ("path", "status"), [("/sub/path/echo", 200), ("/echo", 404), ("/sub/pathecho", 404), ("/health", 200)]
)
async def test_a_prefix(start_door: StartDoor, path: str, status: int) -> None:
    place = await start_door(prefix="/sub/path")
    assert (await place.ask("GET", path)).status == status
