"""A server with accounts for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.servers.access import ADMIN_PASSWORD, GuardedServer, guarded_server


@pytest.fixture
async def guarded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GuardedServer]:
    """A server that was started with --auth, on `database_url`."""
    monkeypatch.setenv("STEPWELL_ADMIN_PASSWORD", ADMIN_PASSWORD)
    async with guarded_server(database_url, tmp_path / "data") as server:
        yield server
