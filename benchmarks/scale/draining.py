"""How fast several servers merge the small chunks that many writers left behind: the same backlog for each number."""

import asyncio
import time
from typing import Any

import asyncpg

from benchmarks.scale.calibration import SHAPE, opened
from benchmarks.scale.servers import open_folder, servers
from benchmarks.stations import batch_of
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import open_pool
from stepwell_server.store.upkeep.compactor import set_paused
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX

# A commit of each is a transaction of its own.
GROUP = 200
# So many chunks of a series are two merges' worth.
COMMITS = 2 * FRESH_CHUNKS_MAX
BACKLOG, COPY = "backlog", "copy"
POLL_S = 0.2
# Servers look for something to do every now and then.
BEGIN_MAX_S = 60.0
# A tenth may be left: the last ones of a round.
DRAINED = 0.9


async def drain(counts: list[int], writers: int) -> dict[str, Any]:
    """Measure each number of servers."""
    found: dict[str, Any] = {}
    with open_folder() as folder:
        async with EmbeddedPostgres(folder, Deadline(60)) as postgres:
            backlog = await new_database(postgres.url, BACKLOG)
            chunks = await _fill(backlog, writers)
            for count in counts:
                store = await new_database(postgres.url, COPY, BACKLOG)
                with servers(store, count):
                    seconds = await _drained(store, chunks)
                found[f"{count} servers"] = {
                    "chunks": chunks,
                    "seconds": round(seconds, 1),
                    "chunks_per_second": round(DRAINED * chunks / seconds),
                }
    rates = [found[f"{count} servers"]["chunks_per_second"] for count in (counts[0], counts[-1])]
    return {**found, "ratio": round(rates[1] / rates[0], 2)}


async def new_database(url: str, name: str, template: str = "template1") -> str:
    """Make a database anew, and return its address."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        await connection.close()
    start, _, rest = url.partition("?")
    return f"{start.rpartition('/')[0]}/{name}?{rest}"


async def _fill(store: str, writers: int) -> int:
    """Commit so often that all series are worth a merge, for later; returns how many chunks there are."""
    await migrate(store)
    async with open_pool(store, Deadline(60)) as pool:
        points = PointStore(pool, MetricIds(pool))
        for start in range(0, writers, GROUP):
            identities = await opened(pool, min(GROUP, writers - start))
            for step in range(COMMITS):
                await points.commit(await points.prepare([batch_of(SHAPE, it, step) for it in identities]))
        async with pool.connection() as connection:
            await set_paused(connection, True)
            chunks: int = await connection.fetchval("SELECT count(*) FROM metric_chunk")
    return chunks


async def _drained(store: str, chunks: int) -> float:
    """Return the seconds from the first merge until nearly all is merged."""
    connection = await asyncpg.connect(store)
    try:
        await set_paused(connection, False)
        started, began = time.monotonic(), None
        while True:
            left = await connection.fetchval("SELECT count(*) FROM metric_chunk")
            now = time.monotonic()
            if began is None and left < chunks:
                began = now - POLL_S / 2
            if began is not None and left < (1 - DRAINED) * chunks:
                return now - began
            assert began is not None or now - started < BEGIN_MAX_S, "nothing is merged"
            await asyncio.sleep(POLL_S)
    finally:
        await connection.close()
