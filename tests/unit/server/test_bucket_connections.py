"""Connections to a cloud, with a server that counts them."""

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stepwell_server.store.content.buckets.connections import Connections

SELECT_MAX = 1_024  # numbers of files that `select` takes


@pytest.fixture
def counted() -> Iterator[tuple[str, list[object]]]:
    """The address of a server that keeps connections, and those that were made."""
    made: list[object] = []

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            made.append(self)
            super().setup()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x", made
        server.shutdown()


@pytest.fixture
def many_files() -> Iterator[None]:
    """So many open files that the next one has a number beyond what `select` takes."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, 2 * SELECT_MAX), most))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (before, most))
        while (number := os.dup(0)) <= SELECT_MAX:
            stack.callback(os.close, number)
        stack.callback(os.close, number)
        yield


async def test_a_connection_is_used_again_however_many_files_are_open(
    many_files: None, counted: tuple[str, list[object]]
) -> None:
    address, made = counted
    connections = Connections()
    try:
        for _ in range(3):
            answer = await connections.ask("GET", address, {}, b"")
            assert (answer.status, answer.body) == (200, b"ok")
    finally:
        connections.close()
    assert len(made) == 1
