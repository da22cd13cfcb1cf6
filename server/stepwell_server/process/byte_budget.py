"""A budget of bytes that callers wait for in the order in which they came."""

import asyncio
from collections import deque
from contextlib import suppress


class ByteBudget:
    """At most `bytes_max` are out at any time; who wants more waits, first come, first served.

    A single request above the whole budget is granted when nothing else is out, so that nobody waits for ever.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._out = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def bytes_out(self) -> int:
        """How much is out now."""
        return self._out

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is out and nobody waits."""
        return self._out == 0 and not self._waiting

    def take_now(self, size: int) -> bool:
        """Take `size` bytes if they are there; tells whether."""
        if self._waiting or not self._fits(size):
            return False
        self._out += size
        return True

    def overdraw(self, size: int, share: float) -> bool:
        """Take `size` bytes past those who wait, as long as no more than `share` of the budget is out."""
        if self._out + size > self._bytes_max * share:
            return False
        self._out += size
        return True

    async def take(self, size: int) -> None:
        """Wait for `size` bytes."""
        if self.take_now(size):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self._forget(size, turn)
            raise

    def give_back(self, size: int) -> None:
        """Return `size` bytes and wake those whose turn has come."""
        self._out -= size
        while self._waiting and self._fits(self._waiting[0][0]):
            granted, turn = self._waiting.popleft()
            if not turn.done():
                self._out += granted
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return self._out == 0 or self._out + size <= self._bytes_max

    def _forget(self, size: int, turn: asyncio.Future[None]) -> None:
        """Cancelled while waiting: leave the line, or hand on what was granted in the same moment."""
        if turn.done() and not turn.cancelled():
            self.give_back(size)
        else:
            with suppress(ValueError):  # whoever gave back in this moment has passed it over already
                self._waiting.remove((size, turn))
            self.give_back(0)
