"""A watcher that leaves is gone, also in the very moment of news."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from stepwell_server.model.series import Changes, WatchStart
from stepwell_server.services.watching import WatchService


class Quiet:
    """A store of runs in which nothing happens, and who tells of news."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.looked = asyncio.Event()

    async def start_times(self, run_ids: Sequence[UUID]) -> dict[UUID, int]:
        return dict.fromkeys(run_ids, 0)

    async def changes(self, *_: object) -> Changes:
        self.looked.set()
        return Changes((), ())

    @contextmanager
    def watching(self, run_ids: Sequence[UUID]) -> Iterator[asyncio.Event]:
        yield self.news


async def test_who_leaves_in_the_moment_of_news_is_gone() -> None:
    quiet = cast("Any", Quiet())
    watched = WatchService(quiet, quiet, quiet, asyncio.Event()).watch(
        [uuid4()], [], WatchStart.BEGINNING, []
    )

    async def watch() -> None:
        async for _ in watched:
            pass

    watcher = asyncio.create_task(watch())
    await quiet.looked.wait()
    await asyncio.sleep(0)  # now it waits for news
    quiet.news.set()
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await watcher
