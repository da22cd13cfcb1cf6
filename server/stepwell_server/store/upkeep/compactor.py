"""Compaction in the background: in all processes that share the database, each range of runs by one of them.

A *round* goes once over the index of a range's fresh chunks (`looking.py`) and does the merges that are due. After each
step it rests as long as the step took, so that ingest and readers keep most of the machine. What is to be done is not
kept in memory: whoever does the next round finds what is left, also after a kill.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from stepwell_server.process.limits import return_free_memory
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
from stepwell_server.store.upkeep.looking import (
    SETTLE_S,
    FreshWriter,
    Outlook,
    count_fresh,
    read_fresh,
)
from stepwell_server.store.upkeep.merging import ChunksChangedError, merge, of_neighbours_with_open
from stepwell_server.store.upkeep.plan import (
    FreshSeries,
    Merge,
    SeriesKey,
    Writer,
    grouped,
    transactions,
    wanted_merges,
)
from stepwell_server.store.upkeep.ranges import (
    RANGES,
    TOGETHER_CHUNKS_MAX,
    Ranges,
    first_run,
    last_run,
    number_of,
    spans,
)

# Chunks that one step looks at: by series some 300 KB, and 6 MB where all are due. A step takes ten round trips to the
# database, however few that are.
PAGE_CHUNKS = 4_096
# From the end of a round to the start of the next one of the same range.
ROUND_PAUSE_S = 10.0
# After a step of t seconds, this many times t of rest.
REST_RATIO = 1.0
# Less, where the last round ended so long ago: there is much to do, or the machine is busy and rests grow with steps.
BEHIND_S = 20.0
REST_RATIO_BEHIND = 0.5

_SQL = load("compaction")

log = get_logger(__name__)


@dataclass(slots=True)
class Round:
    """What one round did."""

    merged_chunks: int = 0
    merged_points: int = 0
    left_chunks: int = 0

    def add(self, other: "Round") -> None:
        """Count what another round did, too."""
        self.merged_chunks += other.merged_chunks
        self.merged_points += other.merged_points
        self.left_chunks += other.left_chunks


@dataclass(frozen=True, slots=True)
class CompactionState:
    """The switch, and what the last rounds saw. `round_age_s` is since the end of that which is longest ago."""

    paused: bool
    fresh_chunks: int
    round_age_s: float


class Compactor(Rounds):
    """Does rounds of compaction while the context lasts, of the ranges that it may take."""

    name = "compaction"

    def __init__(
        self,
        pool: Pool,
        pause_s: float = ROUND_PAUSE_S,
        settle_s: float = SETTLE_S,
        tell: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`tell` hears by how many seconds compaction, in all processes, is behind."""
        super().__init__(pause_s)
        self._tell = tell
        self._began_s = time.monotonic()
        self._pool = pool
        self._holder = uuid.uuid4()
        self._settle_s = settle_s
        self._outlooks = [Outlook() for _ in range(RANGES)]

    async def round(self) -> None:
        """Compact the ranges that are due, one after the other."""
        done = Round()
        try:
            async with self._pool.connection() as connection:
                ranges = Ranges(connection, self._holder)
                while await self._take_due(ranges):
                    rest_ratio = REST_RATIO if ranges.rested_s < BEHIND_S else REST_RATIO_BEHIND
                    done.add(
                        await compact(
                            connection,
                            ranges,
                            rest_ratio=rest_ratio,
                            settle_s=self._settle_s,
                            outlooks=self._outlooks,
                        )
                    )
        finally:  # on another connection: what cut this short may have cut a transaction of that one
            async with self._pool.connection() as connection:
                await Ranges(connection, self._holder).leave()
        if done.merged_chunks:
            await asyncio.to_thread(return_free_memory)  # arrays of all sizes were there for a moment

    async def _take_due(self, ranges: Ranges) -> bool:
        is_due = await ranges.take_due(self._pause_s)
        COMPACTION_DEBT.set(ranges.fresh_chunks)
        # While no server ran there was nothing to keep up with.
        self._tell(min(ranges.behind_s, time.monotonic() - self._began_s))
        return is_due


async def _is_paused(connection: Connection) -> bool:
    return bool(await connection.fetchval(_SQL["paused"]))


async def compaction_state(connection: Connection) -> CompactionState:
    """Read the switch and what the last rounds saw."""
    rows = await connection.fetch(_SQL["ranges"])
    return CompactionState(
        await _is_paused(connection),
        sum(row["fresh_chunks"] for row in rows),
        max(row["rested_ms"] for row in rows) / 1000,
    )


async def set_paused(connection: Connection, paused: bool) -> None:
    """Turn the switch, for all processes that share the database."""
    await connection.execute(_SQL["set_paused"], paused)


async def compact_now(connection: Connection) -> Round:
    """Merge everything small without resting, range by range, each as soon as no other process compacts it."""
    ranges, done, missing = Ranges(connection), Round(), set(range(RANGES))
    try:
        while missing:
            await ranges.wait_for(missing)
            missing -= set(ranges.held)
            done.add(await compact(connection, ranges, at_once=True, rest_ratio=0.0))
    finally:
        await ranges.leave()
    return done


async def compact(
    connection: Connection,
    ranges: Ranges,
    *,
    at_once: bool = False,
    rest_ratio: float = REST_RATIO,
    settle_s: float = 0.0,
    outlooks: Sequence[Outlook] | None = None,
) -> Round:
    """Go once over the fresh chunks of the ranges that are held, and merge what is due.

    It ends early, after a step, when compaction is paused, or when another process took one of the ranges.

    With `at_once` everything small is merged, also of writers that are still at work, and the switch is passed over.
    Chunks that are younger than `settle_s` are left for a later round. `outlooks`, that of each range, go from one
    round to the next.
    """
    outlooks = outlooks or [Outlook() for _ in range(RANGES)]
    done, left = Round(), dict.fromkeys(ranges.held, 0)
    for first, last in spans(ranges.held):
        if first not in ranges.held:
            break
        sweep = _Sweep(connection, done, left, at_once, settle_s, outlooks, last_run(last))
        began = time.monotonic()
        async with aclosing(sweep.steps(first_run(first))) as steps:
            async for run_id in steps:
                await asyncio.sleep((time.monotonic() - began) * rest_ratio)
                is_paused = run_id < sweep.end and not at_once and await _is_paused(connection)
                if is_paused or not await ranges.keep():
                    await ranges.leave()
                    return done
                if not at_once and done.merged_chunks + sum(left.values()) > TOGETHER_CHUNKS_MAX:
                    # More than the last rounds had left: others may help with the ranges that are not begun.
                    begun = number_of(run_id)
                    await ranges.let_go([number for number in ranges.held if number > begun])
                    sweep.end = min(sweep.end, last_run(begun))
                began = time.monotonic()
    left = {number: left[number] for number in ranges.held}
    for number in left:
        outlooks[number].end_round()
    await ranges.end_round(left)
    done.left_chunks = sum(left.values())
    if done.merged_chunks:
        log.debug("compacted", chunks=done.merged_chunks, points=done.merged_points, left=done.left_chunks)
    return done


@dataclass(slots=True)
class _Sweep:
    """Goes over fresh chunks up to the run `end`, which may become less meanwhile."""

    connection: Connection
    done: Round
    left: dict[int, int]
    at_once: bool
    settle_s: float
    outlooks: Sequence[Outlook]
    end: UUID

    async def steps(self, first: UUID) -> AsyncGenerator[UUID]:
        """Do one step after the other, and yield after each how far it has come: to a run, or to `end`."""
        start: Writer | None = (first, UUID(int=0))
        while start is not None and start[0] <= self.end:
            counted, start = await count_fresh(self.connection, start, self.end)
            for each in counted:
                self._count(each.key[0], each.chunks)
            worth = [each for each in counted if self._outlook(each).is_worth_a_look(each)]
            for group in grouped(worth, lambda each: each.chunks, PAGE_CHUNKS):
                if group[0].key[0] <= self.end:
                    async with aclosing(self._merge_of(group)) as pages:
                        async for series in pages:
                            yield series.run_id
            yield self.end if start is None else min(start[0], self.end)

    async def _merge_of(self, writers: Sequence[FreshWriter]) -> AsyncGenerator[SeriesKey]:
        """Merge what is due of these writers, page by page; yields the last series of each page."""
        start: SeriesKey | None = SeriesKey(*writers[0].key, 0)
        while start is not None:
            fresh = await read_fresh(self.connection, writers, start, PAGE_CHUNKS, self.settle_s)
            start = None
            if sum(map(len, fresh)) == PAGE_CHUNKS:
                # The page may have cut the last series, which is left for the next page. One that fills a page alone
                # is merged at once, so the next page can start with it again.
                start = fresh[-1].series
                fresh = fresh[:-1] or fresh
            merged = await self._merge(fresh)
            settled = {key: list(group) for key, group in groupby(fresh, lambda each: each.series.writer)}
            for each in writers:
                self._outlook(each).note(each, settled.get(each.key, ()), merged=each.key in merged)
            if fresh:
                yield fresh[-1].series

    def _outlook(self, writer: FreshWriter) -> Outlook:
        return self.outlooks[number_of(writer.key[0])]

    async def _merge(self, fresh: Sequence[FreshSeries]) -> set[Writer]:
        """Merge what is due; returns the writers of which anything was."""
        merged: set[Writer] = set()
        wanted = list(wanted_merges(fresh, at_once=self.at_once))
        if not wanted:
            return merged
        for merges in transactions(await of_neighbours_with_open(self.connection, wanted)):
            if await _merge(self.connection, merges, self.done):
                for one in merges:
                    self._count(one.series.run_id, -len(one.keys))
                    merged.add(one.series.writer)
        return merged

    def _count(self, run_id: UUID, chunks: int) -> None:
        number = number_of(run_id)
        # Of a writer that fills a page alone more may be merged than was counted.
        self.left[number] = max(0, self.left[number] + chunks)


async def _merge(connection: Connection, merges: Sequence[Merge], done: Round) -> int:
    """Do one transaction of merges; returns how many fresh chunks are gone."""
    try:
        with COMPACTION_SECONDS.time():
            await merge(connection, merges)
    except ChunksChangedError:
        return 0
    chunks, points = sum(len(each.keys) for each in merges), sum(each.points for each in merges)
    done.merged_chunks += chunks
    done.merged_points += points
    COMPACTION_CHUNKS.inc(chunks)
    COMPACTION_POINTS.inc(points)
    return chunks
