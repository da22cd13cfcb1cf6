"""Requests to a cloud: the proxies that the environment names are used, and ~/.netrc is not; what is read again."""

import asyncio
import base64
import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from stepwell_server.errors import NotFoundError, UnavailableError
from stepwell_server.store.content.buckets import calls as cloud_calls
from stepwell_server.store.content.buckets import rereading
from stepwell_server.store.content.buckets.calls import Calls
from stepwell_server.store.content.buckets.rereading import hashed_in_ranges

# What is asked for, as a server or a proxy sees it, and who says so.
Seen = list[tuple[str, str | None, str | None]]


@pytest.fixture
def seen() -> Seen:
    return []


@pytest.fixture
def port(seen: Seen) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"], self.headers["Proxy-Authorization"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


async def put(url: str) -> int:
    async def address() -> tuple[str, Mapping[str, str]]:
        return url, {}

    async with Calls("Cloud") as calls:
        await calls.call("PUT", address, b"bytes")
        return (await calls.call("PUT", address, bytes(1_000_000))).status


async def test_the_environment_names_a_proxy(port: int, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert await put("http://cloud.example.org/a%2Fb?c=%20") == 200
    allowed = f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert seen == [("http://cloud.example.org/a%2Fb?c=%20", None, allowed)] * 2
    seen.clear()
    assert await put(f"http://127.0.0.1:{port}/a") == 200
    assert seen == [("/a", None, None)] * 2


async def test_who_is_cancelled_sends_nothing_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        asked = asyncio.create_task(put(url))
        peer, _ = await asyncio.to_thread(server.accept)
        with peer:
            assert b"PUT /a" in await asyncio.to_thread(peer.recv, 1_000)
            asked.cancel()  # it waits for an answer
            with pytest.raises(asyncio.CancelledError):
                await asked
            while await asyncio.to_thread(peer.recv, 1_000):
                pass


async def test_what_netrc_says_does_not_count(
    port: int, seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert await put(f"http://127.0.0.1:{port}/a") == 200
    assert seen == [("/a", None, None)] * 2


@pytest.fixture
def asked() -> list[str | None]:
    """The ranges that were asked for."""
    return []


@pytest.fixture
def sent(asked: list[str | None], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[bytes, str]]:
    """Bytes and their address at a server that hangs up in the middle of each other answer."""
    monkeypatch.setattr(rereading, "RANGE_BYTES", 400_000)
    monkeypatch.setattr(cloud_calls, "BACKOFF_FIRST_S", 0.001)
    data = os.urandom(1_000_000)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Range"])
            if self.path == "/missing":
                self.send_error(404)
                return
            first, last = map(int, asked[-1].removeprefix("bytes=").split("-"))
            piece = data
            self.send_response(206)
            if self.path != "/without-ranges":
                piece = data[first : last + 1]
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.send_header("Content-Length", str(len(piece)))
            self.end_headers()
            if len(asked) % 2:
                self.wfile.write(piece[: len(piece) // 2])
            else:
                self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield data, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def hashed(url: str, size: int) -> tuple[int, bytes]:
    async def address() -> str:
        return url

    async with Calls("Cloud") as calls:
        return await hashed_in_ranges(calls, address, size)


async def test_reading_again_goes_on_where_it_was_cut(
    sent: tuple[bytes, str], asked: list[str | None]
) -> None:
    data, server = sent
    assert await hashed(f"{server}/a", len(data)) == (len(data), hashlib.sha256(data).digest())
    assert asked == [
        *("bytes=0-399999", "bytes=200000-599999", "bytes=600000-999999", "bytes=800000-999999"),
    ]


async def test_an_object_of_another_size_is_not_read_on(
    sent: tuple[bytes, str], asked: list[str | None]
) -> None:
    data, server = sent
    for size in (len(data) - 1, len(data) + 1):
        asked.clear()
        assert (await hashed(f"{server}/a", size))[0] == len(data)
        assert len(asked) == 2


async def test_what_is_missing_or_no_range_is_told(sent: tuple[bytes, str]) -> None:
    data, server = sent
    with pytest.raises(NotFoundError):
        await hashed(f"{server}/missing", len(data))
    with pytest.raises(UnavailableError, match="range"):
        await hashed(f"{server}/without-ranges", len(data))
