"""Objects that are read again for their SHA-256.

A library that asyncio runs takes as much of the processor to hand bytes over as hashing them takes; a thread that reads
them from its connection into the same memory, and hashes them there, next to nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from http.client import HTTPException

from stepwell_server.errors import NotFoundError, UnavailableError
from stepwell_server.model.artifacts import MIB, Piece
from stepwell_server.store.content.buckets.calls import Calls

# What one request asks for. A transfer that was cut goes on where it was, by an address that is signed anew.
RANGE_BYTES = 64 * MIB
# What the loop hashes itself: to hand it to a thread would take longer.
HASHED_HERE_BYTES_MAX = 64 * 1024


async def hashed_in_pieces(pieces: AsyncIterator[Piece], size_bytes: int) -> tuple[int, bytes]:
    """Implement `bucket.Bucket.hashed` by what `read` yields."""
    count, digest = 0, hashlib.sha256()
    async with aclosing(pieces):  # type: ignore[type-var]  # it is a generator
        async for piece in pieces:
            count += len(piece)
            if count > size_bytes:
                break
            if len(piece) <= HASHED_HERE_BYTES_MAX:
                digest.update(piece)
            else:
                await asyncio.to_thread(digest.update, piece)
    return count, digest.digest()


async def hashed_in_ranges(
    calls: Calls, address: Callable[[], Awaitable[str]], size_bytes: int
) -> tuple[int, bytes]:
    """Implement `bucket.Bucket.hashed` by requests to addresses of an object that is not empty."""
    count, end, digest = 0, 0, hashlib.sha256()

    def take(piece: memoryview) -> None:
        nonlocal count
        if count + len(piece) > end:
            raise HTTPException("more comes than the range that was asked for")
        digest.update(piece)
        count += len(piece)

    async def following() -> tuple[str, Mapping[str, str]]:
        nonlocal end
        end = min(count + RANGE_BYTES, size_bytes)
        return await address(), {"Range": f"bytes={count}-{end - 1}"}

    while count < size_bytes:
        before = count
        answer = await calls.call("GET", following, expected=frozenset({404}), take=take)
        if answer.status == 404:
            raise NotFoundError("the bucket does not have it")
        # bytes <first>-<last>/<all>, or of who answers with all of it the size.
        said = answer.headers.get("content-range", answer.headers.get("content-length", ""))
        whole = said.rpartition("/")[2]
        if count == before or not whole.isdecimal():
            raise UnavailableError("the bucket does not send what it was asked for")
        if int(whole) != size_bytes:
            return int(whole), b""
    return count, digest.digest()
