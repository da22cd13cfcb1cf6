"""Messages count in the server's budget while they are worked on, and while they wait to be taken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.protobuf.message import Message

from stepwell_server.process.holding import HTTP_PEER, SMALL_BYTES, STALL_S, Holding

# A message, and its encoded form.
COPIES = 2
# A caller who takes less than this of an answer in STALL_S does not read.
STALL_BYTES = 2 * 2**20


def bytes_of(message: object) -> int:
    """Return what a message takes; what is none (streams, pieces of files) is counted elsewhere."""
    return COPIES * message.ByteSize() if isinstance(message, Message) else 0


@asynccontextmanager
async def message_held(holding: Holding, peer: str, message: object) -> AsyncIterator[None]:
    """Hold a message while the context lasts, unless it is small. Raises ExhaustedError."""
    size = bytes_of(message)
    if size <= SMALL_BYTES:
        yield
        return
    async with holding.hold(peer, size, in_hand=size):
        yield


async def hold_until_sent(holding: Holding, peer: str, answer: object) -> None:
    """Hold the answer of the current task, unless it is small, until the task ends, which sends it.

    A caller who does not take it ends the call. Raises ExhaustedError.
    """
    size = bytes_of(answer)
    if size <= SMALL_BYTES:
        return
    held = await holding.take(peer, size, in_hand=size)
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(lambda _: held.give_back())
    if peer != HTTP_PEER:  # the door has a pace of its own
        patience_s = STALL_S * max(1.0, size / COPIES / STALL_BYTES)
        timer = asyncio.get_running_loop().call_later(patience_s, task.cancel)
        task.add_done_callback(lambda _: timer.cancel())
