"""Requests to a cloud: the proxies that the environment names are used, and ~/.netrc is not."""

import asyncio
import base64
import http.server
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from stepwell_server.store.content.buckets.cloud import Calls

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
