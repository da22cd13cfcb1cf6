"""Samples of series from the database: summaries first, and arrays only of the chunks that a border cuts."""

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.buckets import bucket_borders, buckets_of
from stepwell_server.model.columns import Int64s
from stepwell_server.model.series import NO_SAMPLE, SampledSeries, Sampling, Selection, SeriesName
from stepwell_server.process.joined import one_ahead
from stepwell_server.store.chunks.blocks import BLOCK_POINTS, block_forms
from stepwell_server.store.chunks.points import chunk_points, chunk_steps, chunk_values, cut_points
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.edges import BlockCut, find_cuts
from stepwell_server.store.series.sampling import (
    GROUPS_PER_SERIES,
    Fragments,
    OpenedChunk,
    cut_at_borders,
    join_fragments,
    sampled,
    sum_up,
)
from stepwell_server.store.series.summaries import ChunkSummaries, open_chunks, read_summaries

# Chunks that are cut together by their blocks: with the values of the blocks that are opened at most 6 MB on the way.
CUT_CHUNKS = 256
# Opening more than three quarters of the blocks of a chunk costs more than opening the chunk.
OPENED_SHARE_MAX = 0.75


async def sample_group(
    connection: Connection, names: Sequence[SeriesName], selections: Sequence[Selection], sampling: Sampling
) -> Sequence[SampledSeries]:
    """Return a sample of each series, in one snapshot of the caller's."""
    summaries = await read_summaries(connection, names, selections)
    if not len(summaries):
        return [NO_SAMPLE] * len(names)
    return await _Sampler(connection, names, selections, sampling, summaries).sample()


class _Sampler:
    """Samples one group of series. A chunk is *cut* when only some of its points are wanted."""

    def __init__(
        self,
        connection: Connection,
        names: Sequence[SeriesName],
        selections: Sequence[Selection],
        sampling: Sampling,
        summaries: ChunkSummaries,
    ) -> None:
        self._connection = connection
        self._names = names
        self._selections = selections
        self._sampling = sampling
        self._chunks = summaries
        self._steps_from = np.array([one.step_from for one in selections], np.int64)[summaries.series]
        steps_to = np.array([one.step_to for one in selections], np.int64)[summaries.series]
        self._steps_to = np.minimum(steps_to, summaries.visible_to_step)
        self._times_from = np.array([one.time_from_ms for one in selections], np.int64)[summaries.series]
        self._times_to = np.array([one.time_to_ms for one in selections], np.int64)[summaries.series]

    async def sample(self) -> list[SampledSeries]:
        """Cut the range, find the borders, and sum up what lies between them."""
        chunks, by_time = self._chunks, self._sampling.by_time
        unwanted = (chunks.step_min > self._steps_to) | (chunks.step_max < self._steps_from)
        cut = ~unwanted & self._is_cut()
        whole = np.flatnonzero(~cut & ~unwanted)
        with_times = self._needs_times()
        cut_chunks = [chunk async for batch in self._open(np.flatnonzero(cut), with_times) for chunk in batch]
        lowest = chunks.time_min_ms[whole] if by_time else chunks.step_min[whole]
        highest = chunks.time_max_ms[whole] if by_time else chunks.step_max[whole]
        borders = self._borders(chunks.series[whole], lowest, highest, cut_chunks)
        first, last = self._buckets(whole, lowest, borders), self._buckets(whole, highest, borders)
        inside = first == last
        if by_time:
            inside &= (chunks.time_first_ms == chunks.time_min_ms)[whole]
            inside &= (chunks.time_last_ms == chunks.time_max_ms)[whole]
        fragments = [self._stored(whole[inside], first[inside])]
        if cut_chunks:
            fragments.append(cut_at_borders(cut_chunks, borders))
        by_blocks = ~inside & ~with_times[whole] & self._can_cut(whole, last - first)
        fragments += [part async for part in self._cut(whole, first, last, by_blocks, borders)]
        batches = self._open(whole[~inside & ~by_blocks], with_times)
        fragments += [cut_at_borders(batch, borders) async for batch in batches]
        return self._summed_up(join_fragments(fragments))

    def _can_cut(self, whole: Int64s, cuts: Int64s) -> NDArray[np.bool_]:
        """Tell which chunks have blocks, and so few cuts that their blocks say most."""
        count = self._chunks.count[whole]
        wide, narrow = block_forms(count, self._chunks.block_bytes[whole])
        possible: NDArray[np.bool_] = (wide | narrow) & (cuts * BLOCK_POINTS <= count * OPENED_SHARE_MAX)
        return possible

    async def _cut(
        self,
        whole: Int64s,
        first: Int64s,
        last: Int64s,
        wanted: NDArray[np.bool_],
        borders: Sequence[Int64s],
    ) -> AsyncIterator[Fragments]:
        """Cut the wanted ones of the chunks without opening them."""

        async def read(part: Int64s) -> tuple[BlockCut, Sequence[Any]]:
            cuts = find_cuts(self._chunks, whole[part], first[part], last[part], borders)
            batch = BlockCut(self._chunks, whole[part], first[part], cuts)
            return batch, await batch.read(self._connection, self._names)

        reads = (read(part) for part in self._batches_by_form(whole, wanted))
        async for batch, rows in one_ahead(reads):
            yield batch.fragments(rows)

    def _batches_by_form(self, whole: Int64s, wanted: NDArray[np.bool_]) -> Iterator[Int64s]:
        """Yield the numbers of the wanted chunks, in batches whose blocks have one form."""
        for form in block_forms(self._chunks.count[whole], self._chunks.block_bytes[whole]):
            alike = np.flatnonzero(wanted & form)
            for start in range(0, len(alike), CUT_CHUNKS):
                yield alike[start : start + CUT_CHUNKS]

    def _is_cut(self) -> NDArray[np.bool_]:
        chunks = self._chunks
        cut: NDArray[np.bool_] = (
            (chunks.step_min < self._steps_from)
            | (chunks.step_max > self._steps_to)
            | (chunks.time_min_ms < self._times_from)
            | (chunks.time_max_ms > self._times_to)
        )
        return cut

    def _needs_times(self) -> NDArray[np.bool_]:
        """Tell for each chunk whether times decide anything: not if the steps of its whole series are distinct."""
        chunks = self._chunks
        if self._sampling.by_time:
            return np.ones(len(chunks), np.bool_)
        repeats = (chunks.step_stride <= 0) & (chunks.count > 1)
        same_series = chunks.series[1:] == chunks.series[:-1]
        repeats[1:] |= same_series & (chunks.step_min[1:] <= chunks.step_max[:-1])
        touched = np.zeros(len(self._names), np.bool_)
        touched[chunks.series[repeats]] = True
        return (
            touched[chunks.series]
            | (self._times_from > chunks.time_min_ms)
            | (self._times_to < chunks.time_max_ms)
        )

    async def _open(self, places: Int64s, with_times: NDArray[np.bool_]) -> AsyncIterator[list[OpenedChunk]]:
        batches = open_chunks(self._connection, self._chunks, places, self._names, with_times)
        async for rows in batches:
            opened = [self._opened(place, row, with_times[place]) for place, row in rows]
            yield [chunk for chunk in opened if len(chunk.x)]

    def _opened(self, place: int, row: Any, with_times: bool) -> OpenedChunk:
        """The points of a chunk that are wanted, in order of the axis."""
        series = int(self._chunks.series[place])
        step_from, step_to = int(self._steps_from[place]), int(self._steps_to[place])
        if not with_times:
            steps, values = chunk_steps(row), chunk_values(row)
            start, end = np.searchsorted(steps, step_from, "left"), np.searchsorted(steps, step_to, "right")
            return OpenedChunk(series, steps[start:end], None, values[start:end])
        times_from, times_to = int(self._times_from[place]), int(self._times_to[place])
        points = cut_points(chunk_points(row), step_from, step_to, times_from, times_to)
        if not self._sampling.by_time:
            return OpenedChunk(series, points.steps, points.timestamps_ms, points.values)
        times = points.timestamps_ms
        if (times[1:] >= times[:-1]).all():
            return OpenedChunk(series, times, points.steps, points.values)
        order = np.lexsort((points.values, points.steps, times))
        return OpenedChunk(series, times[order], points.steps[order], points.values[order])

    def _borders(
        self, series: Int64s, lowest: Int64s, highest: Int64s, cut_chunks: Sequence[OpenedChunk]
    ) -> list[Int64s]:
        """The borders of each series, between the extremes of what is wanted of it, or between its bounds."""
        if self._sampling.between_bounds:
            return self._bounded()
        series = np.append(series, np.array([chunk.series for chunk in cut_chunks], np.int64))
        lowest = np.append(lowest, np.array([chunk.x[0] for chunk in cut_chunks], np.int64))
        highest = np.append(highest, np.array([chunk.x[-1] for chunk in cut_chunks], np.int64))
        least = np.full(len(self._names), np.iinfo(np.int64).max)
        greatest = np.full(len(self._names), np.iinfo(np.int64).min)
        np.minimum.at(least, series, lowest)
        np.maximum.at(greatest, series, highest)
        return [
            bucket_borders(low, high, self._sampling.buckets) if low <= high else np.empty(0, np.int64)
            for low, high in zip(least.tolist(), greatest.tolist(), strict=True)
        ]

    def _bounded(self) -> list[Int64s]:
        """The borders between the bounds of each series, which are few different ones."""
        bounds = [
            (it.time_from_ms, it.time_to_ms) if self._sampling.by_time else (it.step_from, it.step_to)
            for it in self._selections
        ]
        borders = {ends: bucket_borders(*ends, self._sampling.buckets) for ends in set(bounds)}
        return [borders[ends] for ends in bounds]

    def _buckets(self, whole: Int64s, x: Int64s, borders: Sequence[Int64s]) -> Int64s:
        """The buckets of one x of each whole chunk; chunks of one series stand together."""
        series = self._chunks.series[whole]
        starts = np.searchsorted(series, np.arange(len(self._names) + 1)).tolist()
        parts = [
            buckets_of(borders[number], x[start:end])
            for number, (start, end) in enumerate(pairwise(starts))
            if end > start
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _stored(self, places: Int64s, buckets: Int64s) -> Fragments:
        """Whole chunks as fragments, as they are stored."""
        chunks = self._chunks
        steps = chunks.step_min[places], chunks.step_max[places]
        times = chunks.time_first_ms[places], chunks.time_last_ms[places]
        x, y = (times, steps) if self._sampling.by_time else (steps, times)
        return Fragments(
            groups=chunks.series[places] * GROUPS_PER_SERIES + buckets,
            x_first=x[0],
            y_first=y[0],
            value_first=chunks.value_first[places],
            x_last=x[1],
            y_last=y[1],
            value_last=chunks.value_last[places],
            value_min=chunks.value_min[places],
            value_max=chunks.value_max[places],
            value_sum=chunks.value_sum[places],
            counts=chunks.count[places],
            non_finite_counts=chunks.non_finite_count[places],
        )

    def _summed_up(self, fragments: Fragments) -> list[SampledSeries]:
        if not len(fragments):
            return [NO_SAMPLE] * len(self._names)
        ordered = fragments.at(np.lexsort((fragments.x_first, fragments.groups)))
        return sampled(sum_up(ordered), len(self._names))
