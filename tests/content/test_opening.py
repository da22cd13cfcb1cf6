"""Places are opened when they are needed first, each once, and none waits for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stepwell_server.errors import UnavailableError
from stepwell_server.store.content import kinds
from stepwell_server.store.content.buckets import cloud
from stepwell_server.store.content.folder import FolderContentStore
from stepwell_server.store.content.forms import bucket_root
from stepwell_server.store.content.locations import Locations, default_root
from stepwell_server.store.content.roots import OpenContentStores
from stepwell_server.store.ports.artifacts import ContentStore


async def test_a_place_that_is_slow_keeps_nobody_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, opened = asyncio.Event(), []

    @asynccontextmanager
    async def slow(root: str, address_lifetime_s: int) -> AsyncIterator[ContentStore]:
        opened.append(root)
        await goes_on.wait()
        yield FolderContentStore(tmp_path / "slow")

    kind = kinds.Kind("Slow", "slow://bucket", "slow", bucket_root, lambda: slow)
    monkeypatch.setitem(kinds.KINDS, "slow", kind)  # type: ignore[arg-type]
    folder = default_root(str(tmp_path / "folder"))
    async with OpenContentStores(tmp_path, Locations(folder)) as stores:
        waiting = [asyncio.create_task(stores.open("slow://bucket")) for _ in range(2)]
        async with asyncio.timeout(30):
            while not opened:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0)
            await stores.open(folder)
            assert not any(task.done() for task in waiting)
            goes_on.set()
            first, second = await asyncio.gather(*waiting)
        assert first is second
        assert opened == ["slow://bucket"]


@pytest.mark.parametrize("never", [False, True])
async def test_where_nothing_can_be_signed_bytes_go_through_the_server(
    monkeypatch: pytest.MonkeyPatch, never: bool
) -> None:
    class Unsigned:
        async def get_urls(self, keys: list[str]) -> list[str]:
            if never:
                await asyncio.Event().wait()
            raise UnavailableError("no key to sign with")

    monkeypatch.setattr(cloud, "SIGNING_S_MAX", 0.05)
    store = await cloud.content_store(Unsigned(), "gs://bucket")  # type: ignore[arg-type]
    assert store.direct is None
