"""One budget of bytes for all that the server holds for its callers: messages, pages on their way, bodies.

Who wants more than is left, or than his share leaves, waits in line, so that a slow server is felt as a slow one first.
Who has waited too long, or comes when the line itself is too long, is refused with a time after which to try again.
What is held by somebody who neither reads nor sends ends with his call, see STALL_S.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from stepwell_server.config import HoldingLimits
from stepwell_server.errors import ExhaustedError
from stepwell_server.process.byte_budget import ByteBudget
from stepwell_server.process.unread import Unread

# What a call that brings or takes nothing for so long has held for long enough.
STALL_S = 60.0
RETRY_AFTER_S = 1.0
# So little is held also for those whose address has its share, and from a quarter more than there is for others.
SMALL_BYTES = 64 * 2**10
SMALL_SHARE = 1.25
# When somebody with too many streams may try again: one of them may have ended.
STREAMS_RETRY_S = 2.0
# Everybody who comes through the HTTP door is one peer, because proxies are.
HTTP_PEER = "http"


class Holding:
    """Keeps count of what is held, for whom: for who is at an address, as `named` knows, which may be the address."""

    def __init__(
        self,
        limits: HoldingLimits | None = None,
        streams_max: int = 0,
        named: Callable[[str], str] = lambda address: address,
    ) -> None:
        """`streams_max` is how many streams one may have at once; 0 is no limit."""
        self.limits = limits or HoldingLimits()
        self._streams_max = streams_max
        self._named = named
        self._streams: Counter[str] = Counter()
        self._total = ByteBudget(self.limits.bytes_max)
        # Of those who hold something, or wait for it.
        self._shares: dict[str, ByteBudget] = {}
        self._calls: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        # Of those who wait with what they want to hold in their hands already.
        self._waiting_bytes = 0
        # What is on its way to be held.
        self.unread = Unread(self.limits.unread_bytes_max, self.limits.connections_max)

    @property
    def bytes_held(self) -> int:
        """How much is held now."""
        return self._total.bytes_out

    def bytes_held_for(self, peer: str) -> int:
        """How much is held now for one address."""
        return self._shares[peer].bytes_out if peer in self._shares else 0

    @contextmanager
    def call(self, peer: str) -> Iterator[None]:
        """Count a call. Raises ExhaustedError when there are too many already."""
        limits, peer = self.limits, self._named(peer)
        if self._calls.total() >= limits.calls_max or self._calls[peer] >= limits.peer_calls_max:
            raise ExhaustedError(
                f"too many calls are under way (at most {limits.calls_max:,}, {limits.peer_calls_max:,} of one address)"
            )
        self._calls[peer] += 1
        try:
            yield
        finally:
            _count_down(self._calls, peer)

    @contextmanager
    def stream(self, peer: str) -> Iterator[None]:
        """Count an open stream. Raises ExhaustedError."""
        peer = self._named(peer)
        if self._streams_max and self._streams[peer] >= self._streams_max:
            text = f"{peer} has {self._streams_max:,} streams open, which is what one caller may have here"
            raise ExhaustedError(f"{text}; try again when one has ended", STREAMS_RETRY_S)
        self._streams[peer] += 1
        try:
            yield
        finally:
            _count_down(self._streams, peer)

    @asynccontextmanager
    async def hold(self, peer: str, size: int, *, in_hand: int = 0) -> AsyncIterator[None]:
        """Hold bytes while the context lasts; waits for them. Raises ExhaustedError."""
        held = await self.take(peer, size, in_hand=in_hand)
        try:
            yield
        finally:
            held.give_back()

    async def take(self, peer: str, size: int, *, in_hand: int = 0) -> "Held":
        """Hold bytes until they are given back; waits for them. Raises ExhaustedError.

        `in_hand` is how much of it is in memory already while it waits: few may wait so.
        """
        if size <= SMALL_BYTES:
            return self.hold_now(peer, size)
        limits, peer = self.limits, self._named(peer)
        if (
            self._waiting.total() >= limits.waiting_max
            or self._waiting[peer] >= limits.peer_waiting_max
            or (self._waiting_bytes and self._waiting_bytes + in_hand > limits.waiting_bytes_max)
        ):
            return self.hold_now(peer, size)
        self._waiting[peer] += 1
        self._waiting_bytes += in_hand
        try:
            async with asyncio.timeout(limits.wait_s):
                await self._take(peer, size)
        except TimeoutError:
            held = self.bytes_held_for(peer)
            raise _exhausted(
                f"there was no room for this call; calls of {peer} hold {held:,} bytes"
            ) from None
        finally:
            self._waiting_bytes -= in_hand
            _count_down(self._waiting, peer)
            self._forget_if_idle(peer)
        return Held(self, peer, size)

    def hold_now(self, peer: str, size: int) -> "Held":
        """Hold bytes without waiting; raises ExhaustedError. Who wants little is not refused for those with much."""
        is_small, peer = size <= SMALL_BYTES, self._named(peer)
        share = self._share(peer)
        if not (share.take_now(size) or (is_small and share.overdraw(size, math.inf))):
            raise _exhausted(f"calls of {peer} hold {share.bytes_out:,} bytes already")
        if not (self._total.take_now(size) or (is_small and self._total.overdraw(size, SMALL_SHARE))):
            share.give_back(size)
            self._forget_if_idle(peer)
            raise _exhausted("everything that the server holds for callers is in use")
        return Held(self, peer, size)

    async def _take(self, peer: str, size: int) -> None:
        share = self._share(peer)
        await share.take(size)
        try:
            await self._total.take(size)
        except BaseException:
            share.give_back(size)
            raise

    def _share(self, peer: str) -> ByteBudget:
        return self._shares.setdefault(peer, ByteBudget(self.limits.peer_bytes_max))

    def _give_back(self, peer: str, size: int) -> None:
        self._total.give_back(size)
        self._shares[peer].give_back(size)
        self._forget_if_idle(peer)

    def _forget_if_idle(self, peer: str) -> None:
        share = self._shares.get(peer)
        if share is not None and share.is_idle:
            del self._shares[peer]


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


def _count_down(counts: Counter[str], peer: str) -> None:
    counts[peer] -= 1
    if not counts[peer]:
        del counts[peer]


def _exhausted(reason: str) -> ExhaustedError:
    return ExhaustedError(f"{reason}; try again in a moment", RETRY_AFTER_S)


def peer_of(address: str) -> str:
    """Return who a caller is, of what gRPC says (`ipv4:10.0.0.7:53312`): the address without its port."""
    return address.rpartition(":")[0] or address
