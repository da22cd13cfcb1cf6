"""Bytes on their way in: gathered to pieces worth a step of the store, and no faster than it takes them."""

from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import Request

from stepwell_server.model.artifacts import MIB

# Each piece is one hop to a thread that writes and hashes; HTTP brings 64 KiB at a time.
PIECE_BYTES = MIB // 2
# Of an upload that was refused, so much is taken and forgotten: most clients read the answer when they have sent all.
REFUSED_BYTES_MAX = 4 * 1024 * MIB


async def gathered(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the same bytes in larger pieces."""
    waiting: list[bytes] = []
    size = 0
    async for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


async def hear_out(request: Request) -> None:
    """Let a client send what is left of what nobody wants, unless it waits for a word before it sends anything."""
    if "expect" in request.headers:
        return
    size = 0
    while size < REFUSED_BYTES_MAX:
        message = await request.receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def announced_bytes(request: Request) -> int | None:
    """Return how much a client says it sends; None when it does not."""
    found = request.headers.get("content-length", "")
    return int(found) if found.isdigit() else None
