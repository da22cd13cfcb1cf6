"""One station of a point's trip at a time, and the limit: COPY of the same chunks without anything around it."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import numpy as np

from benchmarks.loads.streams import Shape
from stepwell_api.v1 import ingest_pb2
from stepwell_server.model.ingest import Batch, Points, WriterIdentity
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.chunks.rows import COLUMNS, as_source
from stepwell_server.store.ingest.chains import chain
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore, PreparedGroup
from stepwell_server.store.ingest.preparing import prepare
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.pool import SESSION_SETTINGS, Pool, open_pool
from stepwell_server.transport.ingest.servicer import batch_from_proto

REPEATS = 9
CLOSING_S = 5.0


def batch_of(shape: Shape, identity: WriterIdentity, first_step: int = 0) -> Batch:
    """The batch that `streams.RawWriter` sends, as the store gets it."""
    count = len(shape)
    steps = np.tile(np.arange(first_step, first_step + shape.points), shape.metrics)
    values = np.random.default_rng(first_step).standard_normal(count)
    if shape.kind == "float32":
        values = values.astype(np.float32).astype(np.float64)
    keys = [f"metric_{number}" for number in range(shape.metrics)]
    counts = np.full(shape.metrics, shape.points, np.int64)
    points = Points(keys, counts, steps, 1_700_000_000_000 + steps, values)
    first = first_step * shape.metrics
    return Batch(identity.run_id, identity.writer_id, first, first + count, points, ())


def decoding(shape: Shape) -> dict[str, Any]:
    """Bytes of the wire -> message -> numpy columns."""
    identity = WriterIdentity(uuid4(), uuid4())
    points = batch_of(shape, identity).points
    message = ingest_pb2.Batch(end_position=len(shape))
    message.points.key.extend(range(shape.metrics))
    message.points.count.extend(points.counts.tolist())
    message.points.step.extend(points.steps.tolist())
    message.points.timestamp_ms.extend(points.timestamps_ms.tolist())
    message.points.value.extend(points.values.tolist())
    wire = message.SerializeToString()
    return _rate(
        lambda: batch_from_proto(ingest_pb2.Batch.FromString(wire), list(points.keys), identity), shape
    )


def building(shape: Shape) -> dict[str, Any]:
    """Numpy columns -> sorted, narrowed chunks -> rows as COPY data."""
    chains = chain([batch_of(shape, WriterIdentity(uuid4(), uuid4()))])
    ids = {f"metric_{number}": number for number in range(shape.metrics)}
    return _rate(lambda: prepare(chains, ids), shape)


def _rate(work: Callable[[], Any], shape: Shape) -> dict[str, Any]:
    """The median of several repeats, in processor time of this thread: what others do counts little."""
    repeats = max(5, 500_000 // len(shape))
    seconds = []
    for _ in range(REPEATS):
        started = time.thread_time()
        for _ in range(repeats):
            work()
        seconds.append((time.thread_time() - started) / repeats)
    typical = statistics.median(seconds)
    return {
        "points_per_cpu_second": round(len(shape) / typical),
        "ns_per_point": round(typical / len(shape) * 1e9, 1),
    }


async def copying(store: str, shape: Shape, transactions: int) -> dict[str, Any]:
    """COPY of chunk rows that were made before the clock runs, each piece in a transaction with fsync: the limit."""
    group = await _group(store, shape)
    pieces = group.points.pieces if group.points else []
    connection = await asyncpg.connect(store, server_settings=SESSION_SETTINGS)
    await connection.execute("CREATE TABLE copied (LIKE metric_chunk INCLUDING ALL)")

    async def copy() -> None:
        # The same rows again and again: the key, which costs what it costs, may not stop them.
        async with connection.transaction():
            await connection.copy_to_table(
                "copied", source=as_source(pieces), columns=COLUMNS, format="binary"
            )

    try:
        await connection.execute("ALTER TABLE copied DROP CONSTRAINT copied_pkey")
        await connection.execute(
            "CREATE INDEX ON copied (run_id, metric_id, writer_id, first_position, part)"
        )
        return await _timed(copy, transactions, len(shape))
    finally:
        await connection.execute("DROP TABLE copied")
        await connection.close()


async def committing(store: str, shape: Shape, transactions: int) -> dict[str, Any]:
    """The store alone: prepared batches, one after the other, positions and latest values moved with them."""
    async with open_pool(store, Deadline(CLOSING_S), size=2) as pool:
        points = PointStore(pool, MetricIds(pool))
        identity = await _writer(pool)
        groups = [
            await points.prepare([batch_of(shape, identity, number * shape.points)])
            for number in range(transactions)
        ]

        async def commit() -> None:
            await points.commit(groups.pop(0))

        return await _timed(commit, transactions, len(shape))


async def _timed(work: Callable[[], Awaitable[None]], times: int, points: int) -> dict[str, Any]:
    started = time.perf_counter()
    for _ in range(times):
        await work()
    seconds = time.perf_counter() - started
    return {
        "points": times * points,
        "seconds": round(seconds, 3),
        "points_per_second": round(times * points / seconds),
        "transactions_per_second": round(times / seconds),
    }


async def _group(store: str, shape: Shape) -> PreparedGroup:
    async with open_pool(store, Deadline(CLOSING_S), size=2) as pool:
        return await PointStore(pool, MetricIds(pool)).prepare([batch_of(shape, await _writer(pool))])


async def _writer(pool: Pool) -> WriterIdentity:
    identity = WriterIdentity(uuid4(), uuid4())
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)"
            " VALUES ($1, 0, 'benchmark', 1, 0, '', '')",
            identity.run_id,
        )
    await PostgresWriterStore(pool).open_writer(identity)
    return identity


def all_stations(store: str, scale: float) -> dict[str, Any]:
    """Measure every station with small and with large batches."""
    small, large = Shape(20, 50), Shape(1, 131_072)
    few, many = max(5, int(60 * scale)), max(50, int(1_000 * scale))
    return {
        "decoding, batches of 1,000": decoding(small),
        "decoding, batches of 131,072": decoding(large),
        "building chunks, batches of 1,000": building(small),
        "building chunks, batches of 131,072": building(large),
        "COPY alone, batches of 1,000": asyncio.run(copying(store, small, many)),
        "COPY alone, batches of 131,072": asyncio.run(copying(store, large, few)),
        "commit, batches of 1,000": asyncio.run(committing(store, small, many)),
        "commit, batches of 131,072": asyncio.run(committing(store, large, few)),
    }
