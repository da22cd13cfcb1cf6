"""The page of figures that Prometheus reads: GET /metrics."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from stepwell_server.errors import StartupError

# The environment variable by which prometheus_client of a worker knows the folder.
MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

log = structlog.get_logger(__name__)


@contextmanager
def metrics_page(host: str, port: int, registry: CollectorRegistry = REGISTRY) -> Iterator[int]:
    """Serve the page from a thread of its own while the context lasts; yields the port (0 takes any free one).

    Raises:
        StartupError: the address cannot be listened on.
    """
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise StartupError(
            f"the metrics page cannot listen on {host} port {port}: {error.strerror or error};"
            " choose another --metrics-port (0 takes a free one) or --metrics-host"
        ) from error
    bound: int = server.server_port
    log.info("metrics page ready", url=f"http://{host}:{bound}/metrics")
    try:
        yield bound
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
