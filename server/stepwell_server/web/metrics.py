"""The page of figures that Prometheus reads: GET /metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import start_http_server

from stepwell_server.errors import StartupError

log = structlog.get_logger(__name__)


@contextmanager
def metrics_page(host: str, port: int) -> Iterator[int]:
    """Serve the page from a thread of its own while the context lasts; yields the port (0 takes any free one).

    Raises:
        StartupError: the address cannot be listened on.
    """
    try:
        server, thread = start_http_server(port, addr=host)
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
