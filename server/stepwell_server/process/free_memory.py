"""Memory that is free inside of this process goes back to the operating system while a server runs.

malloc keeps what was free between two things that are not, of each burst of calls some megabytes more. What a server
has taken is looked at every few seconds; after busy ones it gives back what is free.
"""

import asyncio
import os
import time
from pathlib import Path

from stepwell_server.process.limits import return_free_memory
from stepwell_server.process.rounds import Rounds

LOOK_S = 5.0
# Giving back holds up who allocates meanwhile: at most this share of the time, so less often where there is much.
GIVING_SHARE_MAX = 0.005
# Of one core's time: who uses less has left nothing that is worth it,
BUSY_SHARE = 0.05
# or has if this process grew by so much.
GROWTH_BYTES = 2 * 1024 * 1024
_STATM = Path("/proc/self/statm")


class FreeMemory(Rounds):
    """Gives back what is free after each look in which there was work, and once more after the last of them."""

    name = "free memory"

    def __init__(self, look_s: float = LOOK_S) -> None:
        super().__init__(look_s)
        self._look_s = look_s
        self._looked = time.monotonic()
        self._worked_s = time.process_time()
        self._had_work = True  # the start
        self._left_bytes = anonymous_bytes()

    async def round(self) -> None:
        """Look, and give back."""
        if time.monotonic() - self._looked < self._look_s / 2:
            return  # the first look is one look later: who ends soon has nothing to give back
        has_work = self._has_work()
        if has_work or self._had_work:
            began = time.monotonic()
            await asyncio.to_thread(return_free_memory)
            self._pause_s = max(self._look_s, (time.monotonic() - began) / GIVING_SHARE_MAX)
            self._left_bytes = anonymous_bytes()
        self._had_work = has_work

    def _has_work(self) -> bool:
        """Tell whether there was work since the last look."""
        now, worked_s = time.monotonic(), time.process_time()
        share = (worked_s - self._worked_s) / (now - self._looked)
        self._looked, self._worked_s = now, worked_s
        return share > BUSY_SHARE or anonymous_bytes() - self._left_bytes > GROWTH_BYTES


def anonymous_bytes() -> int:
    """Return how much memory this process has that is no page of a file; 0 where that is not known."""
    try:
        _, resident, shared, *_ = _STATM.read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
