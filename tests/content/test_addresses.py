"""Bytes that go straight to a bucket, by addresses that the server signs: of each kind that has them."""

import asyncio
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stepwell.files.bucket import RefusedError, Session, has_tag
from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.artifacts import PartTag
from stepwell_server.store.content.kinds import kind_of
from stepwell_server.store.ports.artifacts import ContentStore, DirectContentStore
from tests.content.conftest import MIB, file_of, of_buckets, whole
from tests.harness.content.stores import Store

pytestmark = of_buckets

PART = 5 * MIB


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", "127.0.0.1")


@pytest.fixture
def bucket(content: ContentStore) -> DirectContentStore:
    assert content.direct is not None
    return content.direct


async def put(url: str, data: bytes, tmp_path: Path) -> str:
    """PUT as the client does."""
    source = tmp_path / "part"
    source.write_bytes(data)

    def send() -> str:
        with Session("grpc://127.0.0.1:1") as session, source.open("rb") as file:
            return session.put(url, file.fileno(), 0, len(data), lambda _: None)

    return await asyncio.to_thread(send)


def begun(url: str, data: bytes, count: int) -> Callable[[], None]:
    """PUT, but stop behind so many bytes; what comes out sends the rest and takes the answer, whatever it is."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60)
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(data)}\r\n\r\n"
    whole = head.encode() + data
    connection.sendall(whole[:count])

    def go_on() -> None:
        with closing(connection), suppress(OSError):  # who refuses may close before all is there
            connection.sendall(whole[count:])
            connection.recv(1)

    return go_on


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return answer.read()


async def test_parts_become_one(
    bucket: DirectContentStore, content: ContentStore, store: Store, tmp_path: Path
) -> None:
    data = os.urandom(2 * PART + 7)
    file = file_of(data)
    parts = [data[at : at + PART] for at in range(0, len(data), PART)]
    name = await bucket.begin_parts("ab/x")
    assert await bucket.held_parts("ab/x", name) == []
    shas = [file_of(part).sha256 for part in parts]
    said = [] if bucket.checks_sha256 else shas
    urls = await bucket.part_urls("ab/x", name, [1, 2, 3], said)
    tags = [PartTag(number, await put(urls[number - 1], parts[number - 1], tmp_path)) for number in (2, 1, 3)]
    assert await content.size_bytes("ab/x") is None
    held = await bucket.held_parts("ab/x", name)
    assert held is not None
    source = tmp_path / "whole"
    source.write_bytes(data)
    with source.open("rb") as opened:  # what a client that comes back finds there
        for number, tag in enumerate(held):
            assert has_tag(tag.etag, opened.fileno(), number * PART, len(parts[number]))
            assert not has_tag(tag.etag, opened.fileno(), 1, len(parts[number]) - 1)
    with pytest.raises(InvalidArgumentError, match="part"):
        await bucket.complete_parts("ab/x", name, [*sorted(tags, key=lambda it: it.number), PartTag(4, "")])
    await bucket.complete_parts("ab/x", name, sorted(tags, key=lambda it: it.number))
    await bucket.complete_parts("ab/x", name, [])  # the answer was lost
    assert await content.verify("ab/x", file) == ""
    assert await whole(content, "ab/x") == data
    assert store.objects() == {"ab/x": len(data)}
    assert await bucket.held_parts("ab/x", name) is None
    assert await asyncio.to_thread(fetched, *await bucket.get_urls(["ab/x"])) == data


async def test_no_address_reaches_what_is_whole(
    bucket: DirectContentStore, content: ContentStore, store: Store, tmp_path: Path
) -> None:
    good, evil = os.urandom(MIB), bytes(8_000)
    name = await bucket.begin_parts("ab/x")
    (url,) = await bucket.part_urls("ab/x", name, [1])
    await put(url, good, tmp_path)
    await bucket.complete_parts("ab/x", name, [])
    for headers in ({}, {"x-ms-blob-type": "BlockBlob"}):
        request = urllib.request.Request(url, data=evil, method="PUT", headers=headers)
        with suppress(urllib.error.HTTPError):
            (await asyncio.to_thread(urllib.request.urlopen, request)).close()
    assert await whole(content, "ab/x") == good
    # And what it brought becomes nothing: there is no such upload any more.
    await bucket.complete_parts("ab/x", name, [])
    assert await whole(content, "ab/x") == good
    await content.remove("ab/x", name)
    assert store.objects() == {}


async def test_nothing_arrived_and_nothing_is_left(
    bucket: DirectContentStore, content: ContentStore, store: Store, tmp_path: Path
) -> None:
    name = await bucket.begin_parts("ab/x")
    with pytest.raises(InvalidArgumentError, match="nothing arrived"):
        await bucket.complete_parts("ab/x", name, [])
    (url,) = await bucket.part_urls("ab/x", name, [2])
    await put(url, bytes(PART), tmp_path)
    await content.remove("ab/x", name)
    assert store.objects() == {}
    assert await bucket.held_parts("ab/x", name) is None
    with pytest.raises(NotFoundError):
        await bucket.complete_parts("ab/x", name, [])
    await bucket.abandon_parts("ab/x", name)


async def test_a_part_that_comes_twice_spoils_nothing_however_late(
    bucket: DirectContentStore, content: ContentStore, store: Store, kind: str, tmp_path: Path
) -> None:
    parts = [os.urandom(PART), os.urandom(7)]
    name = await bucket.begin_parts("ab/x")
    urls = await bucket.part_urls("ab/x", name, [1, 2])
    sent = (
        PART // 2 if kind == "azure" else 0
    )  # the stand-ins of others let all wait for a part that has begun
    late, later = [await asyncio.to_thread(begun, urls[0], parts[0], sent) for _ in range(2)]
    for url, part in zip(urls, parts, strict=True):
        await put(url, part, tmp_path)
    await asyncio.to_thread(late)
    await bucket.complete_parts("ab/x", name, [PartTag(1, ""), PartTag(2, "")])
    await asyncio.to_thread(later)
    assert await whole(content, "ab/x") == b"".join(parts)
    await content.remove("ab/x", name)
    assert store.objects() == {}


async def test_more_parts_than_one_call_takes(
    bucket: DirectContentStore, content: ContentStore, store: Store, tmp_path: Path
) -> None:
    count = 34  # Google composes 32 at once
    # S3 wants 5 MiB a part; what a test sends need not be so much.
    size = PART if bucket.checks_sha256 else 10
    count = 2 if bucket.checks_sha256 else count
    name = await bucket.begin_parts("ab/x")
    numbers = range(1, count + 1)
    for number, url in zip(numbers, await bucket.part_urls("ab/x", name, numbers), strict=True):
        await put(url, bytes([number]) * size, tmp_path)
    await bucket.complete_parts("ab/x", name, [])
    assert await whole(content, "ab/x") == b"".join(bytes([number]) * size for number in numbers)
    assert store.objects() == {"ab/x": count * size}


async def test_addresses_expire(store: Store, kind: str, tmp_path: Path) -> None:
    place = kind_of(store.root)
    assert place is not None
    async with place.opened(store.root, 1) as content:
        bucket = content.direct
        assert bucket is not None
        await content.write_small([("ab/y", b"y")])
        name = await bucket.begin_parts("ab/x")
        (part,) = await bucket.part_urls("ab/x", name, [1])
        (url,) = await bucket.get_urls(["ab/y"])
        if kind == "gcs":  # its stand-in looks at no signature
            assert "X-Goog-Expires=1&" in part
            assert "X-Goog-Expires=1&" in url
            return
        await asyncio.sleep(2.1)
        with pytest.raises(RefusedError):
            await put(part, b"x", tmp_path)
        with pytest.raises(urllib.error.HTTPError, match=r"40[03]"):
            await asyncio.to_thread(fetched, url)
