"""How the delivery of this process is doing."""

import time
from dataclasses import dataclass

from stepwell import settings
from stepwell.delivery import logs


@dataclass(frozen=True, slots=True)
class Health:
    """The state of all logs of this process that are not wholly delivered, added up.

    `lag_s` is the age in seconds of the oldest point that waits (0 when none does); `retries` counts failed attempts
    to reach the server, `reachable` tells whether the last one was answered (offline mode makes none); `dropped` counts
    what went because a spool was full, `damaged` what could not be read from one any more.
    """

    runs: int
    waiting: int
    waiting_bytes: int
    lag_s: float
    retries: int
    rejected: int
    dropped: int
    damaged: int
    reachable: bool
    offline: bool


def health() -> Health:
    """Return how the delivery of this process is doing; takes no call to the server."""
    undelivered = logs.open_logs()
    receipts = [log.receipt() for log in undelivered]
    now_ms = time.time_ns() // 1_000_000
    oldest_ms = [time_ms for log in undelivered if (time_ms := log.oldest_waiting_ms()) is not None]
    return Health(
        runs=len(undelivered),
        waiting=sum(receipt.waiting for receipt in receipts),
        waiting_bytes=sum(log.spool.bytes_on_disk for log in undelivered),
        lag_s=max(0.0, (now_ms - min(oldest_ms)) / 1_000) if oldest_ms else 0.0,
        retries=sum(log.delivery.retries for log in undelivered),
        rejected=logs.rejected(),
        dropped=sum(receipt.dropped for receipt in receipts),
        damaged=sum(receipt.damaged for receipt in receipts),
        reachable=not settings.is_offline() and all(log.delivery.is_reachable for log in undelivered),
        offline=settings.is_offline(),
    )
