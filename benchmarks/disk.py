"""Bytes a point: series at 1 kHz that arrive in small pieces, after compaction, with all indexes."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from benchmarks.streams import Shape, as_fast_as_it_goes
from tests.harness.processes import stepwell_command

# A flush of half a second of one series at 1 kHz.
FLUSH_POINTS = 500
METRICS = 20
TABLES = ("metric_chunk", "metric_latest", "writer", "metric")


def disk_after_compaction(uri: str, store: str, scale: float) -> dict[str, Any]:
    """Log series of each kind of value, compact, let vacuum pass, and weigh what is stored."""
    result: dict[str, Any] = {}
    points, stored = 0, 0
    for kind in ("float32", "float64"):
        batches = max(20, int(1_000 * scale))
        work = as_fast_as_it_goes(urlsplit(uri).netloc, 1, Shape(METRICS, FLUSH_POINTS, kind), batches)
        points = asyncio.run(work)["points"]
        before_compaction = asyncio.run(_stored_bytes(store)) - stored
        stepwell_command("compaction", "run", "--store", store)
        total = asyncio.run(_vacuumed_bytes(store))
        result[kind] = {
            "points": points,
            "bytes_per_point": round((total - stored) / points, 2),
            "bytes_per_point_before_compaction": round(before_compaction / points, 2),
        }
        stored = total
    return result


async def _stored_bytes(store: str) -> int:
    connection = await asyncpg.connect(store)
    try:
        return sum(
            [
                await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", each)
                for each in TABLES
            ]
        )
    finally:
        await connection.close()


async def _vacuumed_bytes(store: str) -> int:
    """After a plain VACUUM, as autovacuum does it; it moves nothing, so this is what the disk holds."""
    connection = await asyncpg.connect(store)
    try:
        await connection.execute("VACUUM metric_chunk")
    finally:
        await connection.close()
    return await _stored_bytes(store)
