"""What was asked for lately, so that it need not be asked for again in each call."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Fresh(Generic[K, V]):
    """Keeps answers by key for `seconds`, at most `count_max`: the oldest are forgotten. Errors are not kept.

    `left_s` says how many seconds an answer holds at most, if not for ever. Who asks while the same is being asked
    waits for that answer.
    """

    def __init__(
        self, seconds: float, count_max: int, left_s: Callable[[V], float] = lambda answer: math.inf
    ) -> None:
        self._seconds = seconds
        self._count_max = count_max
        self._left_s = left_s
        self._known: dict[K, tuple[V, float]] = {}
        self._asked: dict[K, asyncio.Future[V]] = {}
        # What was asked for before everything was forgotten is told, and not kept.
        self._generation = 0

    def known(self, key: K) -> V | None:
        """Return an answer that is still fresh."""
        found = self._known.get(key)
        return found[0] if found is not None and found[1] > time.monotonic() else None

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """Return the answer; `ask` is called when it is not known."""
        known = self.known(key)
        if known is not None:
            return known
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.ensure_future(self.anew(key, ask))
            asked.add_done_callback(partial(self._answered, key))
        return await asyncio.shield(asked)

    def _answered(self, key: K, asked: asyncio.Future[V]) -> None:
        if self._asked.get(key) is asked:
            del self._asked[key]
        if not asked.cancelled():
            asked.exception()  # those who asked may all be gone

    async def anew(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """Ask, whatever is known."""
        generation, began = self._generation, time.monotonic()
        answer = await ask()
        if generation == self._generation:
            self._known.pop(key, None)
            while len(self._known) >= self._count_max:
                del self._known[next(iter(self._known))]
            self._known[key] = (answer, began + min(self._seconds, self._left_s(answer)))
        return answer

    def forget(self) -> None:
        """Know nothing any more."""
        self._generation += 1
        self._known.clear()
        self._asked.clear()
