"""A page in a real browser, on a real server; what goes wrong in the page fails the test."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ConsoleMessage, Page, expect

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


@pytest.fixture
async def page(shared_server: ServerProcess) -> AsyncIterator[Page]:
    """A tab at the server's page. Its console and its exceptions are to stay empty."""
    complaints: list[str] = []
    async with browser() as opened:
        tab = await opened.new_page(
            viewport=WIDE, base_url=shared_server.url, timezone_id="Europe/Berlin", locale="en-US"
        )
        tab.set_default_timeout(EXPECT_MS)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda message: is_fault(message) and complaints.append(message.text))
        await tab.goto("/")
        await expect(tab.get_by_role("heading", name="Experiments")).to_be_visible()
        yield tab
    assert complaints == []
