"""What one stream of a writer holds of the server's budget: names of metrics, room for what is refused, what waits."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from google.protobuf.message import Message

from stepwell_server.config import STREAM_WINDOW_BYTES
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.process.holding import Held, Holding
from stepwell_server.transport.on_the_way import bytes_of

# Distinct metric names in one stream, at most.
STREAM_KEYS_MAX = 100_000
# Their names together, and what one takes beside its text; they are counted in the server's budget in such blocks.
STREAM_KEYS_BYTES_MAX = 32 * 2**20
STREAM_KEY_BYTES = 64
STREAM_KEYS_BLOCK_BYTES = 2**14
# What is sent of the name of something that was refused; names that are stored have 250 characters.
REJECTED_KEY_CHARS_MAX = 1_000
# What the refusal of one entry takes until it is acknowledged, with its reason; and of so many nobody keeps count: with
# all batches of a stream that may be under way, they take 200 KiB.
REJECTION_BYTES = 400
UNCOUNTED_REJECTIONS_MAX = 32


class StreamHolding:
    """Use as `with`: at the end all is given back."""

    def __init__(self, holding: Holding, peer: str) -> None:
        self._holding = holding
        self._peer = peer
        self._held: set[Held] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for held in self._held:
            held.give_back()
        self._held.clear()

    def hold_now(self, size: int) -> None:
        """Hold bytes until the end. Raises ExhaustedError."""
        self._held.add(self._holding.hold_now(self._peer, size))

    async def room_for_refusals(self, entries: int) -> Held | None:
        """Hold what a batch takes when all of it is refused; None where that is little. Raises ExhaustedError."""
        if entries <= UNCOUNTED_REJECTIONS_MAX:
            return None
        size = entries * REJECTION_BYTES
        held = await self._holding.take(self._peer, size, in_hand=size)
        self._held.add(held)
        return held

    @asynccontextmanager
    async def held_back(self, message: Message) -> AsyncIterator[None]:
        """Hold a message that cannot go on yet, while the context lasts, and what gRPC takes of its stream behind it.

        Raises ExhaustedError, which ends the stream and so frees all of it.
        """
        size = bytes_of(message) + STREAM_WINDOW_BYTES
        held = await self._holding.take(self._peer, size, in_hand=size)
        self._held.add(held)
        try:
            yield
        finally:
            self.give_back(held)

    def give_back(self, held: Held | None) -> None:
        """Give something back before the end."""
        if held is not None:
            self._held.discard(held)
            held.give_back()


class StreamKeys:
    """The names that one stream has given numbers to, as long as the stream is open."""

    def __init__(self, holding: StreamHolding) -> None:
        self.names: list[str] = []
        self._holding = holding
        self._bytes = 0  # of the names
        self._room = 0  # held and not used yet

    def learn(self, names: Sequence[str]) -> None:
        """Take further names.

        Of one that is too long the beginning is kept, which is refused with what is logged under it.

        Raises:
            InvalidArgumentError: the stream uses too many names.
            ExhaustedError: the server holds too much already.
        """
        if not names:
            return
        if len(self.names) + len(names) > STREAM_KEYS_MAX:
            raise InvalidArgumentError(
                f"one stream may use {STREAM_KEYS_MAX} metric names at most; use fewer names, or several runs"
            )
        kept = [
            name if len(name) <= REJECTED_KEY_CHARS_MAX else name[:REJECTED_KEY_CHARS_MAX] for name in names
        ]
        size = sum(map(len, kept)) + STREAM_KEY_BYTES * len(kept)
        self._bytes += size
        if self._bytes > STREAM_KEYS_BYTES_MAX:
            raise InvalidArgumentError(
                f"the metric names of one stream may have {STREAM_KEYS_BYTES_MAX:,} bytes together; use shorter ones"
            )
        if size > self._room:
            block = max(size, STREAM_KEYS_BLOCK_BYTES)
            self._holding.hold_now(block)
            self._room += block
        self._room -= size
        self.names.extend(kept)
