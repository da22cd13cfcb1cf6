"""The commit of a lone call that logs one point of each of a few metrics: what most REST calls are.

One statement, which is a transaction of its own, does what takes eight in `points.py`; what it leaves is the same.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stepwell_server.model.ingest import Batch, Committed
from stepwell_server.process.telemetry import CHUNKS_COMMITTED
from stepwell_server.store.chunks.building import narrow_values
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("calls")

# With more, a COPY of their chunks is faster.
METRICS_MAX = 32


def is_lone(batches: Sequence[Batch]) -> bool:
    """Tell whether a group is one call, of nothing but one point of each of a few metrics."""
    if len(batches) != 1:
        return False
    (batch,) = batches
    keys, points = len(batch.points.keys), len(batch.points)
    return batch.call is not None and not batch.entries and 0 < points == keys <= METRICS_MAX


async def commit_lone(pool: Pool, batch: Batch, metric_ids: Mapping[str, int]) -> Committed | None:
    """Commit a lone call; None, with nothing stored, where not all is as it mostly is."""
    assert batch.call is not None
    points = batch.points
    _, narrow = narrow_values(points.values, np.arange(len(points)))
    async with pool.connection() as connection:
        row = await connection.fetchrow(
            _SQL["log_points"],
            batch.run_id,
            batch.writer_id,
            batch.first_position,
            batch.end_position,
            batch.call.call_id,
            [metric_ids[key] for key in points.keys],
            points.steps.tolist(),
            points.timestamps_ms.tolist(),
            points.values.tolist(),
            np.isfinite(points.values).tolist(),
            narrow.tolist(),
        )
    if not row["moved"]:
        return None
    stored = len(points) if row["noted"] else 0
    CHUNKS_COMMITTED.inc(stored)
    return Committed(batch.end_position, stored, 0)
