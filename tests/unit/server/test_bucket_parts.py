"""Files on their way to a bucket: parts that use one memory, sent piece by piece; small files side by side."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator

import pytest

from stepwell_server.errors import InvalidArgumentError, UnavailableError
from stepwell_server.model.artifacts import FileSpec
from stepwell_server.store.content.buckets.bucket import Part
from stepwell_server.store.content.buckets.parts import InParts
from stepwell_server.store.content.buckets.sending import SENT_BYTES, InPieces
from stepwell_server.store.content.buckets.store import WRITES_AT_ONCE, BucketContentStore

PART_BYTES = 1_000


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    """Yield it in pieces of all sizes, also larger ones than a part."""
    sizes = random.Random(7)
    while data:
        size = sizes.choice([1, 300, 999, 1_000, 1_001, 3_500])
        yield data[:size]
        data = data[size:]


async def sent(data: bytes, file: FileSpec | None) -> list[bytes]:
    """Return each part as it is when it arrives, which takes a while."""
    found: list[bytes] = []

    async def travel(part: Part) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        found.append(bytes(part))

    gathered = InParts(file, pieces_of(data), 0)
    travelling = []
    async for part in gathered.of(PART_BYTES):
        travelling.append(asyncio.create_task(travel(part)))
        gathered.lend(travelling[-1])
    await asyncio.gather(*travelling)
    return found


@pytest.mark.parametrize("size", [0, 1, 999, 1_000, 1_001, 2_000, 7_000, 7_654])
async def test_each_part_stays_as_it_is_until_it_has_arrived(size: int) -> None:
    data = os.urandom(size)
    expected = [data[start : start + PART_BYTES] for start in range(0, size, PART_BYTES)]
    for file in (None, FileSpec("a", size, hashlib.sha256(data).digest())):
        assert await sent(data, file) == expected


async def test_the_next_piece_is_taken_while_a_part_travels() -> None:
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(3):
            taken += 1
            yield bytes(PART_BYTES)

    arrives = asyncio.get_running_loop().create_future()
    gathered = InParts(None, pieces(), 0)
    parts = gathered.of(PART_BYTES)
    await anext(parts)
    gathered.lend(arrives)
    following = asyncio.ensure_future(anext(parts))
    for _ in range(100):
        await asyncio.sleep(0)
    assert (taken, following.done()) == (2, False)
    arrives.set_result(None)
    assert (await following, taken) == (bytes(PART_BYTES), 2)


async def test_a_part_that_did_not_arrive_ends_the_gathering() -> None:
    gathered = InParts(None, pieces_of(bytes(7_000)), 0)
    parts = gathered.of(PART_BYTES)
    await anext(parts)
    lost = asyncio.get_running_loop().create_future()
    lost.set_exception(UnavailableError("the bucket is away"))
    gathered.lend(lost)
    with pytest.raises(UnavailableError):
        await anext(parts)


async def test_the_last_part_waits_for_the_checks() -> None:
    parts = InParts(FileSpec("a", 3_000, bytes(32)), pieces_of(bytes(3_000)), 0).of(PART_BYTES)
    assert [len(await anext(parts)) for _ in range(2)] == [1_000, 1_000]
    with pytest.raises(InvalidArgumentError):
        await anext(parts)


async def test_what_is_sent_can_be_read_and_sent_again() -> None:
    data = os.urandom(SENT_BYTES + 5)
    body = InPieces(bytearray(data))
    assert (len(body), body.read(3), body.tell(), body.read()) == (len(data), data[:3], 3, data[3:])
    assert (body.seek(-5, os.SEEK_END), body.read(), body.seek(0), body.read(1)) == (
        SENT_BYTES,
        data[-5:],
        0,
        data[:1],
    )
    for _ in range(2):
        assert [bytes(piece) async for piece in body] == [data[:SENT_BYTES], data[SENT_BYTES:]]


async def test_small_files_of_several_calls_share_the_connections() -> None:
    under_way: set[str] = set()
    most, stored = 0, 0

    class Counting:
        async def put(self, key: str, data: bytes) -> None:
            nonlocal most, stored
            under_way.add(key)
            most, stored = max(most, len(under_way)), stored + 1
            await asyncio.sleep(0)
            under_way.discard(key)

    store = BucketContentStore(Counting())  # type: ignore[arg-type]
    calls = [[(f"{call}/{number}", b"") for number in range(WRITES_AT_ONCE)] for call in range(4)]
    await asyncio.gather(*map(store.write_small, calls))
    assert (most, stored) == (WRITES_AT_ONCE, 4 * WRITES_AT_ONCE)
