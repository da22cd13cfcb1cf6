"""Figures of a server of a model, for Prometheus; of all workers together."""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

# Where workers leave their figures for whichever of them is asked; read by prometheus_client itself.
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Figures:
    """What is counted."""

    def __init__(self) -> None:
        # With several workers every one registers for itself, and the files are read together.
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "stepwell_serving_requests",
            "Requests to /invocations by status.",
            ["status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "stepwell_serving_request_seconds",
            "Time from the last byte of a request to its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.waiting = Gauge(
            "stepwell_serving_requests_in_progress",
            "Requests that wait or run.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.reloads = Counter(
            "stepwell_serving_reloads", "Versions that took the place of another.", registry=self._registry
        )

    def page(self) -> tuple[bytes, str]:
        """Return the page for Prometheus and its content type."""
        registry = self._registry
        if os.environ.get(MULTIPROCESS_VARIABLE):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
