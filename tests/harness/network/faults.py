"""What tests of faults share: something that goes on meanwhile, waiting for events, and a server that is broken."""

import http.server
import threading
import time
from collections.abc import Callable

from tests.harness.network.proxy import Proxy, Way

PATIENCE_S = 60.0


class Meanwhile:
    """Something that runs in a thread; `result` waits for it and raises what it raised."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as failure:  # noqa: BLE001 - told by `result`
            self._failure = failure

    def result(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def passed(proxy: Proxy, way: Way, count: int) -> Callable[[], bool]:
    """Return the condition that so many bytes more have gone a way."""
    first = proxy.bytes_passed[way]
    return lambda: proxy.bytes_passed[way] >= first + count


class BrokenServer:
    """Answers 503, or another status, to whatever comes; entered, it gives its port."""

    def __init__(self, status: int = 503) -> None:
        self._status = status

    def __enter__(self) -> int:
        status = self._status

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # so that who waits with the body is asked for it

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815 - names of http.server

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.server_port

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
