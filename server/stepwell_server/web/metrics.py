"""The page of figures that Prometheus reads: GET /metrics."""

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from stepwell_server.errors import StartupError
from stepwell_server.process.logger import get_logger

# The environment variable by which prometheus_client of a worker knows the folder.
MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

# Who reads the page is one program; so many connections are answered at once, so many more wait, and none for long.
THREADS_MAX = 4
WAITING_MAX = 16
IDLE_S = 5.0

log = get_logger(__name__)


@contextmanager
def metrics_page(host: str, port: int, registry: CollectorRegistry = REGISTRY) -> Iterator[int]:
    """Serve the page from a thread of its own while the context lasts; yields the port (0 takes any free one).

    Raises:
        StartupError: the address cannot be listened on.
    """
    try:
        server = make_server(host, port, make_wsgi_app(registry), _server_of(host), _QuietHandler)
    except OSError as error:
        raise StartupError(
            f"the metrics page cannot listen on {host} port {port}: {error.strerror or error};"
            " choose another --metrics-port (0 takes a free one) or --metrics-host"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics page", daemon=True)
    thread.start()
    bound: int = server.server_port
    log.info("metrics page ready", url=f"http://{host}:{bound}/metrics")
    try:
        yield bound
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server_of(host: str) -> type[WSGIServer]:
    """Return the kind of server for an address: those of IPv6 have a family of their own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return type("MetricsServer", (_BoundedServer,), {"address_family": family})


def page_of_processes(folder: str) -> CollectorRegistry:
    """What the page shows for several processes: the sums of the figures that they keep in files of this folder."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return registry


def registry_of_this_server() -> CollectorRegistry:
    """The figures of this process; where it is one of several workers, those of all."""
    folder = os.environ.get(MULTIPROCESS_FOLDER)
    return page_of_processes(folder) if folder else REGISTRY


def forget_process(process_id: int, folder: str) -> None:
    """Take what a process that ended had under way out of the sums; what it counted stays."""
    mark_process_dead(process_id, folder)  # type: ignore[no-untyped-call]


class _BoundedServer(WSGIServer):
    """Answers with a few threads; connections beyond those that wait are closed at once."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._threads = ThreadPoolExecutor(THREADS_MAX, "metrics page")
        self._room = threading.BoundedSemaphore(THREADS_MAX + WAITING_MAX)
        super().__init__(*arguments, **keywords)  # may close the server at once

    def process_request(self, request: Any, client_address: Any) -> None:
        """See socketserver: hand the connection to a thread."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._threads.submit(self._answer, request, client_address)

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(IDLE_S)
            self.finish_request(request, client_address)
        except OSError:
            pass  # who asked is gone, or says nothing
        finally:
            self.shutdown_request(request)
            self._room.release()

    def server_close(self) -> None:
        """Close what is open."""
        super().server_close()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the base's
        """Write nothing."""
