"""Long series in a database within minutes: chunks as commits and compaction leave them, put in by COPY."""

import uuid
from dataclasses import dataclass

import asyncpg
import numpy as np

from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX, SeriesPoints, build_chunks
from stepwell_server.store.chunks.rows import COLUMNS, ChunkRows, as_source

BLOCK_POINTS = 64 * CHUNK_POINTS_MAX
START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class SeededRun:
    """A run with one series, "loss", of one writer: one point a step, about one millisecond apart, float32 values."""

    run_id: uuid.UUID
    points: int


async def seed_run(connection: asyncpg.Connection, points: int) -> SeededRun:
    """Add a run with a series of so many points."""
    run_id, writer_id = uuid.uuid4(), uuid.uuid4()
    await connection.execute(
        "INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)"
        " VALUES ($1, 0, 'seeded', 3, $2, 'benchmark', 'nowhere')",
        run_id,
        START_MS,
    )
    await connection.execute(
        "INSERT INTO writer (run_id, writer_id, position, host, process_id, opened_time_ms)"
        " VALUES ($1, $2, $3, 'here', 1, 0)",
        run_id,
        writer_id,
        points,
    )
    await connection.execute("INSERT INTO metric (name) VALUES ('loss') ON CONFLICT DO NOTHING")
    metric_id = await connection.fetchval("SELECT metric_id FROM metric WHERE name = 'loss'")
    random = np.random.default_rng(points)
    for start in range(0, points, BLOCK_POINTS):
        chunks = build_chunks(_block(random, start, min(BLOCK_POINTS, points - start)))
        keys = [(run_id.bytes, metric_id, writer_id.bytes, start, part) for part in chunks.parts.tolist()]
        await connection.copy_to_table(
            "metric_chunk",
            source=as_source(list(ChunkRows(chunks, keys, compacted=True).pieces())),
            columns=COLUMNS,
            format="binary",
        )
    return SeededRun(run_id, points)


def _block(random: np.random.Generator, start: int, count: int) -> SeriesPoints:
    steps = np.arange(start, start + count)
    times = START_MS + steps + random.integers(0, 2, count).cumsum() // 1_000
    values = random.standard_normal(count, np.float32).astype(np.float64)
    return SeriesPoints(np.array([count]), steps, times, values)
