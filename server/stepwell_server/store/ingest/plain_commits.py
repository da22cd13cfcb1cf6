"""The commit of nothing but points of streams, where ways to the database and back cost more than what is sent.

    few points:  one call of commit_points, which is a transaction of its own
    many points: BEGIN; the same call without chunks; COPY chunks; COMMIT; only behind a pooler

Where not all is as it mostly is (a repeat, a rewind, a deleted run), nothing is stored, and `points.py` goes its way.
"""

import math
from collections.abc import Sequence
from typing import Any

from stepwell_server.model.ingest import Batch
from stepwell_server.process.telemetry import CHUNKS_COMMITTED
from stepwell_server.store.chunks.blocks import BLOCKED_POINTS_MIN
from stepwell_server.store.chunks.rows import COLUMNS, as_source
from stepwell_server.store.ingest.chains import Chain
from stepwell_server.store.ingest.preparing import PreparedPoints
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

_SQL = load("ingest")

# With more, PostgreSQL reads a COPY of their chunks in less time than three ways to it and back take.
CALL_POINTS_MAX = 1_000
# With more, without a pooler, PostgreSQL reads a COPY of their chunks in less time than the arguments of a call.
DIRECT_POINTS_MAX = 32
# The columns of chunks that come by COPY.
NO_CHUNKS: Sequence[Any] = (*([],) * 17, "{}", "{}", "{}", [])

assert CALL_POINTS_MAX < BLOCKED_POINTS_MIN  # so no chunk has blocks, and no series several chunks


def is_plain(pool: Pool, batches: Sequence[Batch]) -> bool:
    """Tell whether a group may be committed here."""
    points = sum(len(batch.points) for batch in batches)
    return (
        pool.may_send_alone
        and 0 < points <= (math.inf if pool.is_pooled else DIRECT_POINTS_MAX)
        and not any(batch.call or batch.entries or batch.lost or batch.refused for batch in batches)
    )


def fits_call(chains: Sequence[Chain]) -> bool:
    """Tell whether the points are so few that they all come with the call."""
    return sum(len(batch.points) for of_writer in chains for batch in of_writer.batches) <= CALL_POINTS_MAX


async def commit_plain(pool: Pool, chains: Sequence[Chain], prepared: PreparedPoints) -> bool:
    """Commit all chains; False, with nothing stored, where they do not all join."""
    if prepared.columns is not None:
        async with pool.connection() as connection:
            joined: bool = await connection.fetchval_alone(
                _SQL["commit_points"], *_writers(chains), *prepared.latest, *prepared.columns
            )
    else:
        async with pool.transaction() as connection:
            joined = await _commit_large(connection, chains, prepared)
    CHUNKS_COMMITTED.inc(joined * prepared.chunks)
    return joined


async def _commit_large(connection: Connection, chains: Sequence[Chain], prepared: PreparedPoints) -> bool:
    joined: bool = await connection.fetchval(
        _SQL["commit_points"], *_writers(chains), *prepared.latest, *NO_CHUNKS
    )
    if joined:
        await connection.copy_to_table(
            "metric_chunk", source=as_source(prepared.pieces), columns=COLUMNS, format="binary"
        )
    return joined


def _writers(chains: Sequence[Chain]) -> tuple[list[Any], ...]:
    return (
        [chain.key[0] for chain in chains],
        [chain.key[1] for chain in chains],
        [chain.first_position for chain in chains],
        [chain.end_position for chain in chains],
    )
