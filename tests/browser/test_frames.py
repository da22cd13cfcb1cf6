"""The page in a frame of a notebook, which is another origin of this machine."""

import asyncio

from playwright.async_api import Page, expect

from stepwell.showing import Shown
from tests.harness.servers.processes import ServerProcess


async def test_a_notebook_of_this_machine_shows_the_page(page: Page, shared_server: ServerProcess) -> None:
    shown = Shown(f"{shared_server.url}/#/")._repr_html_().encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n" + shown)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as notebook:
        port = notebook.sockets[0].getsockname()[1]
        await page.goto(f"http://localhost:{port}/")
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_role("heading", name="Experiments")).to_be_visible()
        await expect(frame.get_by_role("link", name="Default")).to_be_visible()
