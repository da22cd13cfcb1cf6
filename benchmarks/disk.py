"""Bytes a point of series at 1 kHz that arrive in small pieces, are compacted as they come, with all indexes.

20 series log half a second at a time. Every 25 s of such time the small chunks are merged and a plain VACUUM passes, as
the compactor and autovacuum do by themselves on a server that runs; here the time passes faster. What the last merge
left to be reused counts as used.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from benchmarks.loads.streams import Lags, Shape, writers
from stepwell_server.maintenance import compact_everything
from stepwell_server.store.postgres.pool import SESSION_SETTINGS, Pool

FLUSH = {"metrics": 20, "points": 500}
FLUSHES_PER_SLICE = 50
SLICES = 40
TABLES = ("metric_chunk", "metric_latest", "writer", "metric", "run")


def disk_after_compaction(uri: str, store: str, kind: str, scale: float) -> dict[str, Any]:
    """Log series whose values are of this kind, and weigh what is stored."""
    return asyncio.run(
        _measure(urlsplit(uri).netloc, store, Shape(**FLUSH, kind=kind), max(4, int(SLICES * scale)))
    )


async def _measure(target: str, store: str, shape: Shape, slices: int) -> dict[str, Any]:
    merged = 0
    async with asyncpg.create_pool(
        store, server_settings=SESSION_SETTINGS, min_size=1, max_size=2
    ) as connections:
        empty = await _stored_bytes(connections)
        # One flush after the other, as they come at 1 kHz; several under way would meet in larger chunks.
        async with writers(target, 1, shape, Lags(), under_way_max=1) as (writer,):
            for _ in range(slices):
                for _ in range(FLUSHES_PER_SLICE):
                    await writer.send()
                await writer.settled()
                merged += (await compact_everything(Pool(connections)))["merged_chunks"]
                await connections.execute("VACUUM metric_chunk")
        stored = await _stored_bytes(connections) - empty
        chunks = await connections.fetchval("SELECT count(*) FROM metric_chunk")
    return {
        "points": writer.position,
        "small_chunks_merged": merged,
        "points_per_chunk": round(writer.position / chunks),
        "bytes_per_point": round(stored / writer.position, 2),
    }


async def _stored_bytes(connections: Any) -> int:
    """Tables with their indexes and everything that belongs to them."""
    sizes = [
        await connections.fetchval("SELECT pg_total_relation_size($1::regclass)", table) for table in TABLES
    ]
    return sum(sizes)
