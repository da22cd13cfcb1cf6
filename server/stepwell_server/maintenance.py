"""What commands beside the server compose: a connection to its database, and work on it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stepwell_server.deadline import Deadline
from stepwell_server.errors import StartupError
from stepwell_server.store.compactor import compact_now, compaction_state, set_paused
from stepwell_server.store.embedded import EmbeddedPostgres, running_url
from stepwell_server.store.folder_lock import folder_lock
from stepwell_server.store.migrations import migrate
from stepwell_server.store.pool import Pool, open_pool

STOP_S = 10.0
CONNECTIONS_MAX = 2


@asynccontextmanager
async def maintained_database(store: str | None, data: Path) -> AsyncIterator[Pool]:
    """Connect to the database of a server that runs, or that could run with these settings.

    The embedded PostgreSQL of a server that does not run is started for the time of the context.

    Raises:
        StartupError: there is no such database, or it cannot be reached.
    """
    deadline = Deadline(STOP_S)
    async with AsyncExitStack() as stack:
        url = store or await _embedded(data, deadline, stack)
        await migrate(url)
        yield await stack.enter_async_context(open_pool(url, deadline, size=CONNECTIONS_MAX))


async def _embedded(data: Path, deadline: Deadline, stack: AsyncExitStack) -> str:
    if not (data / "postgres").exists():
        raise StartupError(f"there is no database in {data}; name its folder with --data, or use --store")
    url = running_url(data)
    if url is not None:
        return url
    stack.enter_context(folder_lock(data))
    return (await stack.enter_async_context(EmbeddedPostgres(data, deadline))).url


async def compaction_status(pool: Pool) -> dict[str, Any]:
    """Return the fields of `CompactionState`."""
    async with pool.connection() as connection:
        return asdict(await compaction_state(connection))


async def pause_compaction(pool: Pool, paused: bool) -> None:
    """Turn the switch."""
    async with pool.connection() as connection:
        await set_paused(connection, paused)


async def compact_everything(pool: Pool) -> dict[str, Any]:
    """Merge all small chunks, when no server is at it any more; return the fields of `Round`."""
    async with pool.connection() as connection:
        return asdict(await compact_now(connection))
