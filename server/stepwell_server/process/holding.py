"""One budget of bytes for all that the server holds for its callers: messages, pages on their way, bodies.

Who wants more than is left waits in line, so that a slow server is felt as a slow one first. Who has waited too long,
comes when the line itself is too long, or has his share already, is refused with a time after which to try again. What
is held by somebody who neither reads nor sends ends with his call, see STALL_S.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from stepwell_server.config import HoldingLimits
from stepwell_server.errors import ExhaustedError
from stepwell_server.process.byte_budget import ByteBudget

# What a call that brings or takes nothing for so long has held for long enough.
STALL_S = 60.0
RETRY_AFTER_S = 1.0
# So little is held also for those whose address has its share, and from a quarter more than there is for others.
SMALL_BYTES = 64 * 2**10
SMALL_SHARE = 1.25


class Holding:
    """Keeps count of what is held, for whom."""

    def __init__(self, limits: HoldingLimits | None = None) -> None:
        self.limits = limits or HoldingLimits()
        self._budget = ByteBudget(self.limits.bytes_max)
        self._peers: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._waiting = 0

    @property
    def bytes_held(self) -> int:
        """How much is held now."""
        return self._budget.bytes_out

    @contextmanager
    def call(self, peer: str) -> Iterator[None]:
        """Count a call. Raises ExhaustedError when there are too many already."""
        limits = self.limits
        if self._calls.total() >= limits.calls_max or self._calls[peer] >= limits.peer_calls_max:
            raise ExhaustedError(
                f"too many calls are under way (at most {limits.calls_max:,}, {limits.peer_calls_max:,} of one address)"
            )
        self._calls[peer] += 1
        try:
            yield
        finally:
            self._calls[peer] -= 1
            if not self._calls[peer]:
                del self._calls[peer]

    @asynccontextmanager
    async def hold(self, peer: str, size: int) -> AsyncIterator[None]:
        """Hold bytes while the context lasts; waits for them. Raises ExhaustedError."""
        await self._take(peer, size)
        try:
            yield
        finally:
            self._give_back(peer, size)

    def hold_now(self, peer: str, size: int) -> "Held":
        """Hold bytes without waiting; raises ExhaustedError. Who wants little is not refused for those with much."""
        is_small = size <= SMALL_BYTES
        if not is_small:
            self._require_share(peer, size)
        if not (self._budget.take_now(size) or (is_small and self._budget.overdraw(size, SMALL_SHARE))):
            raise _exhausted("everything that the server holds for callers is in use")
        self._peers[peer] += size
        return Held(self, peer, size)

    async def _take(self, peer: str, size: int) -> None:
        self._require_share(peer, size)
        if self._waiting >= self.limits.waiting_max:
            raise _exhausted("too many calls wait for room already")
        self._peers[peer] += size
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limits.wait_s):
                await self._budget.take(size)
        except BaseException as error:
            self._forget(peer, size)
            if isinstance(error, TimeoutError):
                raise _exhausted("there was no room for this call") from None
            raise
        finally:
            self._waiting -= 1

    def _require_share(self, peer: str, size: int) -> None:
        if self._peers[peer] and self._peers[peer] + size > self.limits.peer_bytes_max:
            raise _exhausted(f"calls of {peer} hold {self._peers[peer]:,} bytes already")

    def _give_back(self, peer: str, size: int) -> None:
        self._forget(peer, size)
        self._budget.give_back(size)

    def _forget(self, peer: str, size: int) -> None:
        self._peers[peer] -= size
        if not self._peers[peer]:
            del self._peers[peer]


class Held:
    """What is held until it is given back, once."""

    def __init__(self, holding: Holding, peer: str, size: int) -> None:
        self._holding = holding
        self._peer = peer
        self._size = size

    def give_back(self) -> None:
        """Give it back."""
        size, self._size = self._size, 0
        if size:
            self._holding._give_back(self._peer, size)


def _exhausted(reason: str) -> ExhaustedError:
    return ExhaustedError(f"{reason}; try again in a moment", RETRY_AFTER_S)


def peer_of(address: str) -> str:
    """Return who a caller is, of what gRPC says (`ipv4:10.0.0.7:53312`): the address without its port."""
    return address.rpartition(":")[0] or address
