"""How much each caller may do in a second: buckets that fill with time, and words for those who find theirs empty.

A bucket may go into debt with what one call takes, so that nothing is too large to be ever done; the next call waits
for the debt. Points wait here first, so that a fast stream is slowed down by its own back-pressure, and not torn.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stepwell_server.config import CallerLimits
from stepwell_server.errors import ExhaustedError

# What a bucket holds: so many seconds of its rate may come at once.
BURST_S = 2.0
# So long points wait here; who would have to wait for longer is told when to come again.
POINTS_WAIT_S_MAX = 5.0
# Callers that are remembered; the one that has called for the longest time not is forgotten, and begins anew.
CALLERS_MAX = 10_000

Clock = Callable[[], float]


class Bucket:
    """Fills by `per_s`, up to what BURST_S gives; 0 is no limit."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._level = per_s * BURST_S
        self._then_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Return after how many seconds something may be taken; 0 when now."""
        if not self._per_s:
            return 0.0
        self._level = min(self._per_s * BURST_S, self._level + self._per_s * (now_s - self._then_s))
        self._then_s = now_s
        return max(0.0, -self._level / self._per_s)

    def take(self, amount: float) -> None:
        """Take, into debt if it must be."""
        self._level -= amount


class _Caller:
    def __init__(self, limits: CallerLimits, now_s: float) -> None:
        self.calls = Bucket(limits.calls_per_s, now_s)
        self.points = Bucket(limits.points_per_s, now_s)
        self.search = Bucket(limits.searching, now_s)


class Rates:
    """Keeps count of what callers do, each known by a text."""

    def __init__(self, limits: CallerLimits, clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def call(self, who: str) -> None:
        """Count a call. Raises ExhaustedError."""
        bucket = self._of(who).calls
        _require(bucket.wait_s(self._clock()), f"{self._limits.calls_per_s:,g} calls a second")
        bucket.take(1)

    async def points(self, who: str, count: int) -> None:
        """Count points, when it is their turn. Raises ExhaustedError when that would take long."""
        bucket = self._of(who).points
        wait_s = bucket.wait_s(self._clock())
        if wait_s > POINTS_WAIT_S_MAX:
            _require(wait_s, f"{self._limits.points_per_s:,g} points a second")
        bucket.take(count)
        if wait_s:
            await asyncio.sleep(wait_s)

    @contextmanager
    def searching(self, who: str) -> Iterator[None]:
        """Count the time of a search. Raises ExhaustedError."""
        bucket = self._of(who).search
        started_s = self._clock()
        _require(bucket.wait_s(started_s), f"{self._limits.searching:g} seconds of searches in a second")
        try:
            yield
        finally:
            bucket.take(self._clock() - started_s)

    def _of(self, who: str) -> _Caller:
        found = self._callers.pop(who, None) or _Caller(self._limits, self._clock())
        self._callers[who] = found
        if len(self._callers) > CALLERS_MAX:
            self._callers.popitem(last=False)
        return found


def _require(wait_s: float, limit: str) -> None:
    if wait_s > 0:
        raise ExhaustedError(
            f"one caller may have {limit} here; try again in {max(wait_s, 0.1):.1f} s", max(wait_s, 0.1)
        )
