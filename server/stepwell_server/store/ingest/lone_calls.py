"""The commit of a lone call that logs nothing but points of a few metrics: what most REST calls are.

One statement, which is a transaction of its own, does what takes eight in `points.py`; what it leaves is the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from stepwell_server.model.ingest import Batch, Committed, Points
from stepwell_server.process.telemetry import CHUNKS_COMMITTED
from stepwell_server.store.chunks.blocks import BLOCKED_POINTS_MIN
from stepwell_server.store.chunks.building import Chunks, SeriesPoints, build_chunks, narrow_values
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("calls")

# The arguments of log_chunks from the seventh on.
Columns = tuple[list[Any] | str, ...]

# With more, a COPY of their chunks is faster.
METRICS_MAX = 32
POINTS_MAX = 1_000

assert POINTS_MAX < BLOCKED_POINTS_MIN  # so no chunk has blocks, and no series several chunks


def is_lone(batches: Sequence[Batch]) -> bool:
    """Tell whether a group is one call, of nothing but points of a few metrics."""
    if len(batches) != 1:
        return False
    (batch,) = batches
    keys, points = len(batch.points.keys), len(batch.points)
    return batch.call is not None and not batch.entries and 0 < points <= POINTS_MAX and keys <= METRICS_MAX


async def commit_lone(pool: Pool, batch: Batch, metric_ids: Mapping[str, int]) -> Committed | None:
    """Commit a lone call; None, with nothing stored, where not all is as it mostly is."""
    assert batch.call is not None
    points = batch.points
    columns = _single(points) if len(points) == len(points.keys) else _several(points)
    if columns is None:
        return None
    async with pool.connection() as connection:
        fetchrow = connection.fetchrow_alone if pool.may_send_alone else connection.fetchrow
        row = await fetchrow(
            _SQL["log_chunks"],
            batch.run_id,
            batch.writer_id,
            batch.first_position,
            batch.end_position,
            batch.call.call_id,
            [metric_ids[key] for key in points.keys],
            *columns,
        )
    if not row["moved"]:
        return None
    stored = bool(row["noted"])
    CHUNKS_COMMITTED.inc(stored * len(points.keys))
    return Committed(batch.end_position, stored * len(points), 0)


def _single(points: Points) -> Columns:
    """Return the chunks of one point each."""
    steps, times, values = points.steps.tolist(), points.timestamps_ms.tolist(), points.values.tolist()
    places = list(range(1, len(values) + 1))
    finite = np.isfinite(points.values).tolist()
    narrow = narrow_values(points.values, np.arange(len(values)))[1].tolist()
    extremes = _null_unless(finite, values)
    zeros = [0] * len(values)
    absent = [int(not it) for it in finite]
    return (
        *(places, places, steps, steps, zeros, times, times, times, times, values, values),
        *(extremes, extremes, extremes, absent),
        *(_elements(np.zeros(len(values), np.int64)), _elements(points.values), "{}", narrow),
    )


def _several(points: Points) -> Columns | None:
    """Return one chunk of each metric; None where times are too far from each other."""
    return chunk_columns(
        build_chunks(SeriesPoints(points.counts, points.steps, points.timestamps_ms, points.values))
    )


def chunk_columns(chunks: Chunks) -> Columns | None:
    """Return chunks without blocks, of which none is another's part; None where times are too far from each other."""
    if not chunks.offsets_fit.all():
        return None
    found = chunks.summaries
    strides, finite = chunks.strides.tolist(), (found.non_finite_counts < found.counts).tolist()
    return (
        (chunks.starts + 1).tolist(),
        (chunks.starts + found.counts).tolist(),
        found.step_min.tolist(),
        found.step_max.tolist(),
        _null_unless([stride >= 0 for stride in strides], strides),
        found.time_first_ms.tolist(),
        found.time_last_ms.tolist(),
        found.time_min_ms.tolist(),
        found.time_max_ms.tolist(),
        found.value_first.tolist(),
        found.value_last.tolist(),
        _null_unless(finite, found.value_min.tolist()),
        _null_unless(finite, found.value_max.tolist()),
        _null_unless(finite, found.value_sum.tolist()),
        found.non_finite_counts.tolist(),
        _elements(chunks.time_offsets_ms),
        _elements(chunks.points.values),
        _elements(chunks.points.steps) if min(strides) < 0 else "{}",
        chunks.float32_exact.tolist(),
    )


def _elements(column: NDArray[Any]) -> str:
    """Return an array in PostgreSQL's words. It reads them faster than asyncpg encodes a list, element by element."""
    if np.isfinite(column).all():
        return f"{{{orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode()}}}"
    return f"{{{','.join(map(repr, column.tolist()))}}}"


def _null_unless(present: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    return [value if is_there else None for is_there, value in zip(present, values, strict=True)]
