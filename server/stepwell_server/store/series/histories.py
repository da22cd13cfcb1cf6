"""Reading series from the chunks.

What is sent to a slow reader waits in memory, a page at a time, and not in the database: a page is read in one short
transaction, and the next one goes on from a cursor. Only where the database itself has to sort does a reader hold
its connection.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

from stepwell_server.model.series import (
    Extent,
    History,
    HistoryCursor,
    LatestRow,
    SampledSeries,
    Sampling,
    Selection,
    SeriesName,
    SeriesPiece,
    ThinnedSeries,
    ValueRange,
)
from stepwell_server.store.chunks.points import selected_points
from stepwell_server.store.chunks.sorted_points import sorted_points
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.series.joining import sample_over
from stepwell_server.store.series.samples import sample_group
from stepwell_server.store.series.snapshots import Snapshots
from stepwell_server.store.series.summaries import read_extents
from stepwell_server.store.series.sweep import Sweep, Trail, sort_history
from stepwell_server.store.series.thinning import thinned
from stepwell_server.store.sql import load

_SQL = load("series")

# Points of one piece: 65,536, which is 1.5 MB.
PIECE_POINTS_MAX = 65_536
# Points that are read in one transaction, about: 24 MB that may wait for a slow reader.
PAGE_POINTS = 1_000_000
# Chunks that are fetched together: 64 times 3,987 points are 6 MB.
FETCHED_CHUNKS = 64
CHUNK_POINTS = 4_096
# Series that are sampled in one transaction, and how many of these are under way for one call.
SAMPLED_SERIES = 50
SAMPLING_GROUPS = 2
# Rows of latest points that are fetched together, unless a single run has more.
LATEST_ROWS = 5_000


class PostgresSeriesStore:
    """See `ports.SeriesStore`."""

    def __init__(self, pool: Pool) -> None:
        self._snapshots = Snapshots(pool)

    async def start_times(self, run_ids: Sequence[UUID]) -> dict[UUID, int]:
        """See `ports.SeriesStore`."""
        async with self._snapshots.snapshot() as connection:
            rows = await connection.fetch(_SQL["start_times"], run_ids)
        return {row["run_id"]: row["start_time_ms"] for row in rows}

    async def history(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        after: HistoryCursor | None,
        page_points: int | None = None,
    ) -> AsyncGenerator[SeriesPiece, None]:
        """See `ports.SeriesStore`."""
        complete = False
        while not complete:
            page = _Page(series, selection, after, page_points or PAGE_POINTS)
            async with self._snapshots.snapshot() as connection:
                async for piece in page.overflow(connection):
                    yield piece
            for piece in page.pieces:
                yield piece
            after, complete = page.end, page.complete

    async def thinned(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        wanted: int,
        known: Mapping[SeriesName, bytes],
    ) -> Sequence[ThinnedSeries]:
        """See `ports.SeriesStore`."""
        return await thinned(self._snapshots, series, selection, wanted, known)

    async def last_points(self, name: SeriesName, selection: Selection, count: int) -> History | None:
        """See `ports.SeriesStore`."""
        found: list[History] = []
        async with self._snapshots.snapshot() as connection:
            bounds = _bounds(selection, selection.step_from)
            rows = connection.cursor(
                _SQL["chunks_from_end"], name.run_id, name.key, *bounds, prefetch=FETCHED_CHUNKS
            )
            async for row in rows:
                if _enough(found, count, row["step_max"]):
                    break
                found.append(selected_points(row, selection, selection.step_from))
        if not found:
            return None
        merged = sort_history(found)
        return merged.part(max(0, len(merged) - count))

    async def latest(
        self, run_ids: Sequence[UUID], keys: Sequence[str] | None
    ) -> AsyncIterator[Sequence[LatestRow]]:
        """See `ports.SeriesStore`."""
        async with self._snapshots.snapshot() as connection:
            counts = await connection.fetch(_SQL["latest_counts"], run_ids, keys)
        for numbers in _groups(counts):
            async with self._snapshots.snapshot() as connection:
                rows = await connection.fetch(_SQL["latest"], [run_ids[number] for number in numbers], keys)
            yield [LatestRow(numbers[row["number"] - 1], row["name"], *row[2:]) for row in rows]

    async def extents(
        self, series: Sequence[SeriesName], selections: Sequence[Selection]
    ) -> Sequence[Extent]:
        """See `ports.SeriesStore`."""
        async with self._snapshots.statement() as connection:
            return await read_extents(connection, series, selections)

    async def sample(
        self, series: Sequence[SeriesName], selections: Sequence[Selection], sampling: Sampling
    ) -> AsyncIterator[Sequence[SampledSeries]]:
        """See `ports.SeriesStore`."""
        size = max(1, min(SAMPLED_SERIES, -(-len(series) // SAMPLING_GROUPS)))
        groups = [slice(start, start + size) for start in range(0, len(series), size)]
        under_way: deque[asyncio.Task[Sequence[SampledSeries]]] = deque()
        try:
            for group in groups:
                work = self._sample_group(series[group], selections[group], sampling)
                under_way.append(asyncio.create_task(work))
                if len(under_way) == SAMPLING_GROUPS:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def sample_over(
        self, series: Sequence[SeriesName], selection: Selection, values: ValueRange, buckets: int
    ) -> AsyncIterator[SampledSeries]:
        """See `ports.SeriesStore`."""
        extremes: dict[UUID, tuple[float | None, float | None]] = {}
        run_ids = list(dict.fromkeys(name.run_id for name in series))
        async for rows in self.latest(run_ids, [values.key]):
            extremes |= {run_ids[row.number]: (row.value_min, row.value_max) for row in rows}
        for name in series:
            low, high = extremes.get(name.run_id, (None, None))
            low = low if low is None or values.low is None else values.low
            high = high if high is None or values.high is None else values.high
            pieces = self._points([name], selection)
            x_pieces = self._points([SeriesName(name.run_id, values.key)], selection)
            async with aclosing(pieces), aclosing(x_pieces):
                yield await sample_over(pieces, x_pieces, low, high, buckets)

    async def _points(
        self, series: Sequence[SeriesName], selection: Selection
    ) -> AsyncGenerator[History, None]:
        async with aclosing(self.history(series, selection, None)) as pieces:
            async for piece in pieces:
                yield piece.points

    async def _sample_group(
        self, series: Sequence[SeriesName], selections: Sequence[Selection], sampling: Sampling
    ) -> Sequence[SampledSeries]:
        async with self._snapshots.snapshot() as connection:
            return await sample_group(connection, series, selections, sampling)


def _groups(counts: Sequence[Any]) -> list[list[int]]:
    """Numbers of runs, from 0, together as long as they have no more than LATEST_ROWS metrics."""
    groups: list[list[int]] = []
    room = 0
    for row in counts:
        if row["metrics"] > room or not groups:
            groups.append([])
            room = LATEST_ROWS
        groups[-1].append(row["number"] - 1)
        room -= row["metrics"]
    return groups


def _enough(found: list[History], count: int, next_step_max: int) -> bool:
    """Tell whether `count` points lie behind all that may still come. What was found is merged meanwhile."""
    if sum(map(len, found)) < count:
        return False
    merged = sort_history(found)
    found[:] = [merged.part(max(0, len(merged) - count))]
    return bool((found[0].steps > next_step_max).sum() >= count)


def _bounds(selection: Selection, step_from: int) -> tuple[Any, ...]:
    return (
        step_from,
        selection.step_to,
        selection.time_from_ms,
        selection.time_to_ms,
        selection.writer_ids,
        selection.ranks,
    )


class _Page:
    """What one transaction reads of several histories: about `points_max` points, or all that is left."""

    def __init__(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        after: HistoryCursor | None,
        points_max: int,
    ) -> None:
        self._points_max = points_max
        self._series = series
        self._selection = selection
        self._after = after
        self._points = 0
        self._trail = Trail(-1, None)
        self.pieces: list[SeriesPiece] = []
        self.end = after
        self.complete = False

    async def overflow(self, connection: Connection) -> AsyncIterator[SeriesPiece]:
        """Fill `pieces`; what does not fit, and what was there before it, is yielded."""
        sorted_by_database = False
        async for number, points, sorted_by_database in self._merged(connection):
            self._take(number, points)
            if self._points < self._points_max:
                continue
            if not sorted_by_database:
                return
            for piece in self.pieces:
                yield piece
            self.pieces, self._points = [], 0
        self.complete = True

    def _take(self, number: int, points: History) -> None:
        if self._trail.number != number:
            self._trail = Trail(number, self._after)
        points = self._trail.skip_given(points)
        for start in range(0, len(points), PIECE_POINTS_MAX):
            piece = points.part(start, start + PIECE_POINTS_MAX)
            self.end = self._trail.advance(piece)
            self.pieces.append(SeriesPiece(number, piece, self.end))
        self._points += len(points)

    def _wanted(self) -> list[tuple[int, SeriesName, int]]:
        """Number, name and first step of the series that are left."""
        first, step = (0, None) if self._after is None else (self._after.number, self._after.step)
        step_from = self._selection.step_from
        return [
            (number, name, max(step_from, step) if step is not None and number == first else step_from)
            for number, name in enumerate(self._series)
            if number >= first
        ]

    async def _merged(self, connection: Connection) -> AsyncIterator[tuple[int, History, bool]]:
        """Yield the points that are left, in order, with number of series and whether the database had to sort."""
        wanted = self._wanted()
        step_from = {number: step for number, _, step in wanted}
        rows = connection.cursor(
            _SQL["chunks_in_order"],
            [number for number, _, _ in wanted],
            [name.run_id for _, name, _ in wanted],
            [name.key for _, name, _ in wanted],
            [step for _, _, step in wanted],
            *_bounds(self._selection, 0)[1:],
            prefetch=max(2, min(FETCHED_CHUNKS, self._points_max // CHUNK_POINTS)),
        )
        sweep, current, left_to_database = Sweep(self._points_max), -1, False
        async for row in rows:
            if row["number"] != current:
                if (rest := sweep.rest()) is not None:
                    yield current, rest, False
                current, left_to_database = row["number"], False
            if left_to_database:
                continue
            if sweep.wants_look and (final := sweep.final_below(row["step_min"])) is not None:
                yield current, final, False
            if sweep.is_full:
                sweep, left_to_database = Sweep(self._points_max), True
                async for points in self._sorted(
                    connection, current, max(step_from[current], row["step_min"])
                ):
                    yield current, points, True
                continue
            sweep.add(selected_points(row, self._selection, step_from[current]))
        if (rest := sweep.rest()) is not None:
            yield current, rest, False

    def _sorted(self, connection: Connection, number: int, step_from: int) -> AsyncIterator[History]:
        name = self._series[number]
        bounds = _bounds(self._selection, step_from)
        return sorted_points(connection, _SQL["points_in_order"], name.run_id, name.key, *bounds)
