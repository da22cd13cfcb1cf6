"""Delivers what another process left, one spool by itself: whatever is wrong with it, others are delivered, too."""

import asyncio
import time
from collections.abc import Callable

from stepwell import settings
from stepwell.delivery.left_log import LeftLog
from stepwell.delivery.shipper import Shipper
from stepwell.errors import StepwellException
from stepwell.wire.connection import connect

# How often its progress is looked at.
LOOK_S = 0.2
# A spool of which nothing is committed for so long, although the server answers, is given up; also one for which the
# server opens so many streams in which nothing is committed.
STALLED_S = 60.0
STALLED_OPENINGS = 20


async def deliver_left(
    log: LeftLog, target: str, *, away_s: float, look: Callable[[LeftLog], object] = lambda _: None
) -> None:
    """Deliver a spool to a server; what is left is in `log.delivery`, and its failure says why.

    Args:
        log: the spool; it is released at the end.
        target: the tracking URI of the server.
        away_s: for how many seconds the server may stay away before it is left for later.
        look: called every now and then, to show the progress.
    """
    log.goes_elsewhere = not settings.is_same_server(target, log.writer.tracking_uri)
    shipping = asyncio.create_task(Shipper(log, connect(target)).run())
    progress = _Progress(log)
    try:
        while not shipping.done() and not log.delivery.is_unreachable_for(away_s):
            await asyncio.wait({shipping}, timeout=LOOK_S)
            look(log)
            if not shipping.done() and progress.has_stalled():
                log.failed(StepwellException(_STALLED, "INVALID_STATE"))
                break
    finally:
        if not shipping.done():
            shipping.cancel()
            await asyncio.wait({shipping})
        log.abandon()  # also where the end of the loop has ended both


_STALLED = (
    "Nothing of it is committed any more, although the server answers; it is left where it is, and keeps nobody "
    "else waiting."
)


class _Progress:
    """Whether a delivery moves."""

    def __init__(self, log: LeftLog) -> None:
        self._delivery = log.delivery
        self._moved()

    def has_stalled(self) -> bool:
        """Tell whether the server answers, and yet nothing has moved for too long."""
        delivery = self._delivery
        if delivery.position != self._position:
            self._moved()
        if not delivery.is_reachable:
            self._since_s = time.monotonic()
        openings = delivery.openings - self._openings
        return openings >= STALLED_OPENINGS or time.monotonic() - self._since_s >= STALLED_S

    def _moved(self) -> None:
        self._position, self._openings = self._delivery.position, self._delivery.openings
        self._since_s = time.monotonic()
