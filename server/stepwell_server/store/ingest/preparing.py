"""What can be worked out before the commit: chunk rows as COPY data, and how the latest points move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from stepwell_server.store.chunks.building import Chunks, SeriesPoints, build_chunks, join_series
from stepwell_server.store.chunks.rows import ChunkRows, RowKey
from stepwell_server.store.ingest.chains import Chain
from stepwell_server.store.ingest.lone_calls import Columns, chunk_columns


@dataclass(frozen=True, slots=True)
class PreparedPoints:
    """The points of several chains: chunk rows as COPY data, and the columns of merge_latest.

    Or chunk rows as the last columns of commit_points, and no COPY data.
    """

    chunks: int
    pieces: Sequence[bytes]
    latest: tuple[list[Any], ...]
    columns: Columns | None = None


def prepare(
    chains: Sequence[Chain], metric_ids: dict[str, int], *, as_columns: bool = False
) -> PreparedPoints | None:
    """Build the chunks of all chains: one series for each metric of each writer.

    Points that come `as_columns` make no chunk with blocks, and of no series several chunks.
    """
    # Numbers of metrics have 64 bits; here each has a place, so that one number tells the chain and the metric.
    numbers = np.fromiter(metric_ids.values(), np.int64, len(metric_ids))
    place = dict(zip(metric_ids, range(len(metric_ids)), strict=True))
    pieces, owners = [], []
    for number, of_writer in enumerate(chains):
        for batch in of_writer.batches:
            points = batch.points
            if len(points):
                pieces.append(SeriesPoints(points.counts, points.steps, points.timestamps_ms, points.values))
                owners.append((number << 32) | np.array([place[key] for key in points.keys], np.int64))
    if not pieces:
        return None
    points_by_series, owner = join_series(pieces, owners)
    chunks = build_chunks(points_by_series)
    of_chunk = owner[chunks.series]
    metrics = numbers[of_chunk & 0xFFFFFFFF].tolist()
    latest = latest_columns(chunks, owner, numbers, [of_writer.key[0] for of_writer in chains])
    if as_columns and (columns := chunk_columns(chunks)) is not None:
        writers = (1 + (of_chunk >> 32)).tolist()
        return PreparedPoints(len(writers), (), latest, (writers, metrics, *columns))
    rows = ChunkRows(
        chunks, list(row_keys(chains, (of_chunk >> 32).tolist(), metrics, chunks.parts.tolist()))
    )
    return PreparedPoints(len(rows), list(rows.pieces()), latest)


def row_keys(
    chains: Sequence[Chain], of_chains: Sequence[int], metrics: Sequence[int], parts: Sequence[int]
) -> Iterator[RowKey]:
    """The key of each chunk from the place of its chain, its metric and its part."""
    writers = [
        (run_id.bytes, writer_id.bytes, of_writer.first_position)
        for of_writer in chains
        for run_id, writer_id in [of_writer.key]
    ]
    for chain, metric_id, part in zip(of_chains, metrics, parts, strict=True):
        run_id, writer_id, first_position = writers[chain]
        yield run_id, metric_id, writer_id, first_position, part


def latest_columns(
    chunks: Chunks, owner: NDArray[np.int64], metric_ids: NDArray[np.int64], run_ids: Sequence[UUID]
) -> tuple[list[Any], ...]:
    """Columns for merge_latest, one element for each run and metric: latest point and summary over all chunks.

    The upper half of an owner is the place of its chain, the lower half that of its metric in `metric_ids`.
    """
    summaries = chunks.summaries
    run_number = {run_id: number for number, run_id in enumerate(dict.fromkeys(run_ids))}
    number_of_chain = np.array([run_number[run_id] for run_id in run_ids], np.int64)
    group = (number_of_chain[owner >> 32] << 32 | owner & 0xFFFFFFFF)[chunks.series]
    order = np.lexsort((summaries.value_last, summaries.time_last_ms, summaries.step_max, group))
    groups, firsts = np.unique(group[order], return_index=True)
    lasts = order[np.append(firsts[1:], len(order)) - 1]
    counts = np.add.reduceat(summaries.counts[order], firsts)
    non_finite = np.add.reduceat(summaries.non_finite_counts[order], firsts)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(summaries.value_sum[order], firsts)
    runs = list(run_number)
    none_finite = (counts == non_finite).tolist()
    extremes = (
        np.minimum.reduceat(summaries.value_min[order], firsts),
        np.maximum.reduceat(summaries.value_max[order], firsts),
        sums,
    )
    return (
        [runs[number] for number in (groups >> 32).tolist()],
        metric_ids[groups & 0xFFFFFFFF].tolist(),
        summaries.step_max[lasts].tolist(),
        summaries.time_last_ms[lasts].tolist(),
        summaries.value_last[lasts].tolist(),
        counts.tolist(),
        non_finite.tolist(),
        *(_null_where(none_finite, column.tolist()) for column in extremes),
    )


def _null_where(absent: Sequence[bool], values: Sequence[float]) -> list[float | None]:
    return [None if gone else value for gone, value in zip(absent, values, strict=True)]
