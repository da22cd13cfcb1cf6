"""What a transaction of ingest costs PostgreSQL, whatever is in it, and what each batch in it adds: measured here."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np

from benchmarks.loads.streams import Shape
from benchmarks.measuring.surroundings import Costs
from benchmarks.scale.servers import open_folder
from benchmarks.stations import batch_of
from stepwell_server.model.ingest import Committed, WriterIdentity
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool

SHAPE = Shape(10, 1)
# Batches of one transaction, each of a writer of its own.
SIZES = (2, 4, 8, 16, 32)
TRANSACTIONS = 150


async def calibrate() -> dict[str, Any]:
    """Commit groups of several sizes, and fit a line to what they cost."""
    with open_folder() as folder:
        async with EmbeddedPostgres(folder, Deadline(60)) as postgres:
            await migrate(postgres.url)
            async with open_pool(postgres.url, Deadline(60)) as pool:
                costs, waits = [], []
                for size in SIZES:
                    cost, wait = await _cost(pool, await opened(pool, size))
                    costs.append(cost)
                    waits.append(wait)
    batch, transaction = np.polyfit(SIZES, costs, 1)
    return {
        "core_ms_by_batches": {size: round(cost * 1_000, 3) for size, cost in zip(SIZES, costs, strict=True)},
        "wall_ms_by_batches": {size: round(wait * 1_000, 3) for size, wait in zip(SIZES, waits, strict=True)},
        "transaction_core_s": round(float(transaction), 6),
        "batch_core_s": round(float(batch), 6),
    }


async def opened(pool: Pool, count: int) -> Sequence[WriterIdentity]:
    """Create so many runs with a writer each."""
    identities = [WriterIdentity(uuid4(), uuid4()) for _ in range(count)]
    writers = PostgresWriterStore(pool)
    async with pool.connection() as connection:
        for it in identities:
            await connection.execute(
                "INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)"
                " VALUES ($1, 0, 'calibration', 1, 0, 'someone', 'nowhere')",
                it.run_id,
            )
    for it in identities:
        await writers.open_writer(it)
    return identities


async def _cost(pool: Pool, identities: Sequence[WriterIdentity]) -> tuple[float, float]:
    """Return PostgreSQL's processor seconds, and the seconds, of one transaction with a batch of each writer."""
    store = PointStore(pool, MetricIds(pool))
    costs, started = Costs(os.getpid()), time.monotonic()
    for step in range(TRANSACTIONS):
        group = [batch_of(SHAPE, it, step) for it in identities]
        outcomes = await store.commit(await store.prepare(group))
        assert all(isinstance(outcome, Committed) for outcome in outcomes), outcomes
        await asyncio.sleep(0)
    took = time.monotonic() - started
    return costs.report()["postgresql_cpu_s"] / TRANSACTIONS, took / TRANSACTIONS
