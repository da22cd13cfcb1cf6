"""Compaction in the background: one process of all that share the database, a bounded step at a time.

A *round* goes once over the index of fresh chunks, page by page, and does the merges that are due. After each step
it rests as long as the step took, so that ingest and readers keep most of the machine. Nothing is kept in memory:
whoever leads the next round finds what is left, also after a kill.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stepwell_server.process.logger import get_logger
from stepwell_server.process.rounds import Rounds
from stepwell_server.process.telemetry import (
    COMPACTION_CHUNKS,
    COMPACTION_DEBT,
    COMPACTION_POINTS,
    COMPACTION_SECONDS,
)
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load
from stepwell_server.store.upkeep.merging import ChunksChangedError, merge
from stepwell_server.store.upkeep.plan import (
    ChunkKey,
    FreshChunk,
    Merge,
    SeriesKey,
    transactions,
    wanted_merges,
)
from stepwell_server.store.upkeep.settling import SETTLE_S, Settling

LEADER_LOCK_KEY = int.from_bytes(b"compacts")

# Chunks that one step looks at: with their keys some 400 KB.
PAGE_CHUNKS = 2_048
# From the end of a round to the start of the next one, in any process.
ROUND_PAUSE_S = 10.0
# How long a person's command waits for the round of another process.
WAIT_FOR_LEADER_S = 3_600.0
# After a step of t seconds, this many times t of rest.
REST_RATIO = 1.0

_FIRST_SERIES = SeriesKey(UUID(int=0), UUID(int=0), 0)
_SQL = load("compaction")

log = get_logger(__name__)


@dataclass(slots=True)
class Round:
    """What one round did."""

    merged_chunks: int = 0
    merged_points: int = 0
    left_chunks: int = 0


@dataclass(frozen=True, slots=True)
class CompactionState:
    """The switch, and what the last round saw. `round_age_s` is since its end."""

    paused: bool
    fresh_chunks: int
    round_age_s: float


class Compactor(Rounds):
    """Leads rounds of compaction while the context lasts, whenever no other process does."""

    name = "compaction"

    def __init__(self, pool: Pool, pause_s: float = ROUND_PAUSE_S, settle_s: float = SETTLE_S) -> None:
        super().__init__(pause_s)
        self._pool = pool
        self._settling = Settling(settle_s)

    async def round(self) -> None:
        """Compact, unless another process does, or it is not due."""
        async with self._pool.connection() as connection:
            leads = True  # until the answer is here: who is interrupted before may have the lock
            try:
                leads = await connection.fetchval(_SQL["try_lead"], LEADER_LOCK_KEY)
                if leads:
                    await self._lead(connection)
            finally:
                if leads:
                    await connection.execute(_SQL["stop_leading"], LEADER_LOCK_KEY)

    async def _lead(self, connection: Connection) -> None:
        state = await compaction_state(connection)
        if not state.paused and state.round_age_s >= self._pause_s:
            await compact(connection, settling=self._settling)


async def compaction_state(connection: Connection) -> CompactionState:
    """Read the switch and what the last round saw."""
    row = await connection.fetchrow(_SQL["state"])
    return CompactionState(row["paused"], row["fresh_chunks"], row["round_age_ms"] / 1000)


async def set_paused(connection: Connection, paused: bool) -> None:
    """Turn the switch, for all processes that share the database."""
    await connection.execute(_SQL["set_paused"], paused)


async def compact_now(connection: Connection) -> Round:
    """Wait until no other process compacts, and merge everything small without resting."""
    try:
        await connection.execute(_SQL["wait_to_lead"], LEADER_LOCK_KEY, timeout=WAIT_FOR_LEADER_S)
        return await compact(connection, at_once=True, rest_ratio=0.0)
    finally:
        await connection.execute(_SQL["stop_leading"], LEADER_LOCK_KEY)


async def compact(
    connection: Connection,
    *,
    at_once: bool = False,
    rest_ratio: float = REST_RATIO,
    settling: Settling | None = None,
) -> Round:
    """Go once over all fresh chunks and merge what is due; ends early, after a step, when compaction is paused.

    With `at_once` everything small is merged, also of writers that are still at work, and the switch is passed over.
    With `settling`, chunks that watchers may not have read yet are left for a later round.
    """
    done = Round()
    start: SeriesKey | None = _FIRST_SERIES
    while start is not None:
        began = time.monotonic()
        start = await _step(connection, start, done, at_once=at_once, settling=settling)
        await asyncio.sleep((time.monotonic() - began) * rest_ratio)
        if not at_once and (await compaction_state(connection)).paused:
            return done
    if settling is not None:
        settling.end_round()
    await connection.execute(_SQL["end_round"], done.left_chunks)
    COMPACTION_DEBT.set(done.left_chunks)
    if done.merged_chunks:
        log.debug("compacted", chunks=done.merged_chunks, points=done.merged_points, left=done.left_chunks)
    return done


async def _step(
    connection: Connection, start: SeriesKey, done: Round, *, at_once: bool, settling: Settling | None
) -> SeriesKey | None:
    """Merge what is due in one page; returns the series that the next page starts with, None at the end."""
    rows = await connection.fetch(_SQL["fresh_chunks"], *start, PAGE_CHUNKS)
    chunks = [_fresh_chunk(row, settling) for row in rows]
    following = None
    if len(chunks) == PAGE_CHUNKS:
        chunks, following = _whole_series(chunks)
    merged = 0
    for together in transactions(list(wanted_merges(chunks, at_once=at_once))):
        merged += await _merge(connection, together, done)
    done.left_chunks += len(chunks) - merged
    return following


def _fresh_chunk(row: Any, settling: Settling | None) -> FreshChunk:
    series = SeriesKey(row["run_id"], row["writer_id"], row["metric_id"])
    settled = settling is None or row["first_position"] < settling.settled_position(
        (series.run_id, series.writer_id), row["position"]
    )
    key = ChunkKey(series, row["first_position"], row["part"])
    return FreshChunk(key, row["count"], row["quiet_ms"], settled)


def _whole_series(chunks: list[FreshChunk]) -> tuple[list[FreshChunk], SeriesKey]:
    """Leave the last series, which the page may have cut, for the next page; unless it fills the page alone.

    A series that fills a page is merged at once, settled or not, so the next page can start with it again.
    """
    last = chunks[-1].key.series
    whole = [chunk for chunk in chunks if chunk.key.series != last]
    return whole or chunks, last


async def _merge(connection: Connection, together: Sequence[Merge], done: Round) -> int:
    """Do one transaction of merges; returns how many fresh chunks are gone."""
    try:
        with COMPACTION_SECONDS.time():
            await merge(connection, together)
    except ChunksChangedError:
        return 0
    chunks, points = sum(len(each.keys) for each in together), sum(each.points for each in together)
    done.merged_chunks += chunks
    done.merged_points += points
    COMPACTION_CHUNKS.inc(chunks)
    COMPACTION_POINTS.inc(points)
    return chunks
