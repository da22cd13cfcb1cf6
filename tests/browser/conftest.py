"""A page in a real browser, on a real server; what goes wrong in the page fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.harness.browser import browser
from tests.harness.servers.processes import ServerProcess

EXPECT_MS = 20_000
WIDE = {"width": 1280, "height": 800}

expect.set_options(timeout=EXPECT_MS)


# Answers that refuse something, and scripts in files of runs that the sandbox stopped, are no faults of the page.
EXPECTED = ("Failed to load resource", "Blocked script execution")


def is_fault(message: ConsoleMessage) -> bool:
    """Whether a message of the console tells a fault of the page."""
    return message.type == "error" and not message.text.startswith(EXPECTED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests of this folder share an event loop, as they share a browser, which belongs to one."""
    for item in items:
        if Path(__file__).parent in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_browser() -> AsyncIterator[Browser]:
    """The browser of all tests: to start one takes as long as most of them."""
    async with browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def opened(running_browser: Browser) -> AsyncIterator[Browser]:
    """The same, which keeps nothing of a test: no cookies, no tabs."""
    yield running_browser
    for context in running_browser.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(opened: Browser, shared_server: ServerProcess) -> AsyncIterator[Page]:
    """A tab at the server's page. Its console and its exceptions are to stay empty."""
    complaints: list[str] = []
    tab = await opened.new_page(
        viewport=WIDE, base_url=shared_server.url, timezone_id="Europe/Berlin", locale="en-US"
    )
    tab.set_default_timeout(EXPECT_MS)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: is_fault(message) and complaints.append(message.text))
    await tab.goto("/")
    await expect(tab.get_by_role("heading", name="Experiments")).to_be_visible()
    yield tab
    await tab.close()
    assert complaints == []
