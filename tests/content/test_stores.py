"""What a server asks of each kind of place for content: whole or not at all, checked, resumable, no leftovers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.store.content.buckets import rereading
from stepwell_server.store.ports.artifacts import ContentStore
from tests.content.conftest import MIB, file_of, of_all, pieces_of, whole
from tests.harness.content.stores import Store

pytestmark = of_all


class CutError(Exception):
    """A client that hung up."""


async def cut_when_held(data: bytes, size: int, content: ContentStore) -> AsyncIterator[bytes]:
    """Cut when whole parts have arrived: none is on its way then, of which nobody knows what becomes."""
    async for piece in pieces_of(data[:size]):
        yield piece
    while await content.held_bytes("ab/x", file_of(data)) < 15 * MIB:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.02)
    raise CutError


async def cut_after(data: bytes, size: int) -> AsyncIterator[bytes]:
    async for piece in pieces_of(data[:size]):
        yield piece
    raise CutError


@pytest.mark.parametrize("size", [0, 5, 8 * MIB, 9 * MIB + 1])
async def test_what_goes_in_comes_out(content: ContentStore, store: Store, size: int) -> None:
    data = os.urandom(size)
    file = file_of(data)
    await content.write("ab/written", 0, pieces_of(data), file)
    assert await content.receive("ab/received", pieces_of(data), None) == (size, file.sha256)
    await content.write_small([("ab/small", data)])
    for key in ("ab/written", "ab/received", "ab/small"):
        assert await content.size_bytes(key) == size
        assert await content.verify(key, file) == ""
        assert await whole(content, key) == data
        assert await whole(content, key, size // 2) == data[size // 2 :]
        assert await whole(content, key, size) == b""
    assert sorted(store.objects().values()) == [size] * 3
    for key in ("ab/written", "ab/received", "ab/small"):
        await content.remove(key, None)
        await content.remove(key, None)
        assert await content.size_bytes(key) is None
        with pytest.raises(NotFoundError):
            await whole(content, key)
    assert store.objects() == {}


@pytest.mark.parametrize("size", [30_000, 20 * MIB])
async def test_other_bytes_than_announced_leave_nothing(
    content: ContentStore, store: Store, size: int
) -> None:
    good = os.urandom(size)
    for number, sent in enumerate((bytes(size), good + b"x", good[:-1])):
        key = f"ab/{number}"
        with pytest.raises(InvalidArgumentError, match=r"SHA-256|bytes"):
            await content.write(key, 0, pieces_of(sent), file_of(good))
        assert await content.size_bytes(key) is None
        await content.remove(key, None)
    assert store.objects() == {}


async def test_an_upload_that_was_cut_goes_on(content: ContentStore, store: Store) -> None:
    data = os.urandom(20 * MIB)
    file = file_of(data)
    with pytest.raises(CutError):
        await content.write("ab/x", 0, cut_after(data, 19 * MIB), file)
    assert await content.size_bytes("ab/x") is None
    held = await content.held_bytes("ab/x", file)
    assert held >= 8 * MIB
    await content.write("ab/x", held, pieces_of(data[held:]), file)
    assert await content.verify("ab/x", file) == ""
    assert list(store.objects().values()) == [len(data)]
    # An answer that was lost: the same again is harmless.
    await content.write("ab/x", 0, pieces_of(data), file)
    assert await whole(content, "ab/x") == data


async def test_an_upload_that_goes_on_with_other_bytes_leaves_nothing(
    content: ContentStore, store: Store
) -> None:
    data = os.urandom(20 * MIB)
    file = file_of(data)
    with pytest.raises(CutError):
        await content.write("ab/x", 0, cut_when_held(bytes(len(data)), 19 * MIB, content), file)
    held = await content.held_bytes("ab/x", file)
    with pytest.raises(InvalidArgumentError, match="SHA-256"):
        await content.write("ab/x", held, pieces_of(data[held:]), file)
    assert await content.size_bytes("ab/x") is None
    with pytest.raises(CutError):
        await content.receive("ab/y", cut_after(data, 19 * MIB), None)
    for key in ("ab/x", "ab/y"):
        await content.remove(key, None)
    assert store.objects() == {}


async def test_what_is_unfinished_is_removed(content: ContentStore, store: Store) -> None:
    data = os.urandom(20 * MIB)
    with pytest.raises(CutError):
        await content.write("ab/x", 0, cut_after(data, 19 * MIB), file_of(data))
    await content.remove("ab/x", None)
    assert store.objects() == {}
    assert await content.held_bytes("ab/x", file_of(data)) == 0


async def test_what_is_missing_or_damaged_is_told(content: ContentStore) -> None:
    data = os.urandom(MIB)
    file = file_of(data)
    assert await content.verify("ab/x", file) == "nothing is there"
    await content.write_small([("ab/x", data)])
    assert "instead of 3" in await content.verify("ab/x", replace(file, size_bytes=3))
    assert "have the SHA-256" in await content.verify("ab/x", replace(file, sha256=bytes(32)))
    async with aclosing(content.read("ab/x", 0)) as pieces:  # type: ignore[type-var]
        assert all([len(piece) <= MIB // 2 async for piece in pieces])


async def test_a_large_file_is_read_again_in_its_order(
    content: ContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also several at once, of which the others don't notice what is wrong with one."""
    monkeypatch.setattr(rereading, "RANGE_BYTES", 3 * MIB)
    data = os.urandom(10 * MIB)
    sent = {"good": data, "damaged": data[: 7 * MIB] + bytes(MIB) + data[8 * MIB :], "longer": data + b"x"}
    for key, each in sent.items():
        await content.write(f"ab/{key}", 0, pieces_of(each), file_of(each))
    good, damaged, longer = await asyncio.gather(
        *(content.verify(f"ab/{key}", file_of(data)) for key in sent)
    )
    assert (good, "SHA-256" in damaged) == ("", True)
    assert f"{len(data) + 1} bytes" in longer


async def test_many_small_files_at_once(content: ContentStore, store: Store) -> None:
    files = [(f"ab/{number}", os.urandom(100)) for number in range(250)]
    await content.write_small(files)
    assert len(store.objects()) == 250
    assert await whole(content, "ab/249") == files[249][1]
