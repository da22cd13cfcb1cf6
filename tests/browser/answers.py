"""Answers that come late, or that are failures, for single calls of a page."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, Route

REFUSAL = {
    "status": 500,
    "content_type": "application/json",
    "body": json.dumps({"code": "internal", "message": "the disk is full"}),
}


class Held:
    """Calls of one name that wait, as in a slow network."""

    def __init__(self) -> None:
        self.are_asked = asyncio.Event()
        self._may_go = asyncio.Event()

    async def answer(self, route: Route) -> None:
        self.are_asked.set()
        await self._may_go.wait()
        await route.continue_()

    async def let_go(self, page: Page, call: str) -> None:
        """Let them go, and wait until the page has an answer."""
        async with page.expect_response(f"**/{call}") as answered:
            self._may_go.set()
        assert (await answered.value).ok

    def end(self) -> None:
        self._may_go.set()


@asynccontextmanager
async def held(page: Page, call: str) -> AsyncIterator[Held]:
    """Hold calls until the block is left. The route stays: a call that is made while one is taken away may hang."""
    calls = Held()
    await page.route(f"**/{call}", calls.answer)
    try:
        yield calls
    finally:
        calls.end()


# What the page asks of itself once more, before it says that it failed.
FAILS = 2


class Failing:
    """Calls of one name that the server fails in."""

    def __init__(self, times: float) -> None:
        self.times = times

    async def answer(self, route: Route) -> None:
        self.times -= 1
        if self.times < 0:
            await route.continue_()
        else:
            await route.fulfill(**REFUSAL)

    def end(self) -> None:
        self.times = 0


async def fail(page: Page, call: str, times: float) -> Failing:
    calls = Failing(times)
    await page.route(f"**/{call}", calls.answer)
    return calls
