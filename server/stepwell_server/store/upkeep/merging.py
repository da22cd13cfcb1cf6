"""Merges: small chunks of a series become fewer, larger, sorted ones, in one transaction.

BEGIN; DELETE the small chunks and take their points; COPY the large ones; COMMIT. Readers see either the one or the
other; points keep their writer. A chunk that somebody else removed meanwhile (a deleted run, another compactor)
undoes the whole transaction.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from stepwell_server.store.chunks.building import SeriesPoints, build_chunks, join_series
from stepwell_server.store.chunks.points import joined_points
from stepwell_server.store.chunks.rows import COLUMNS, ChunkRows, RowKey, as_source
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load
from stepwell_server.store.upkeep.plan import (
    OPEN_CHUNKS_MAX,
    Before,
    ChunkKey,
    Merge,
    SeriesKey,
    merged_keys,
    of_neighbours,
    with_open,
)

_SQL = load("compaction")


class ChunksChangedError(Exception):
    """Chunks that were to be merged are not there any more; nothing was changed."""


async def merge(connection: Connection, merges: Sequence[Merge]) -> None:
    """Do these merges, all or none.

    Raises:
        ChunksChangedError: see there.
    """
    async with connection.transaction():
        # Not acknowledged to anybody: a crash that undoes the merge loses nothing, so nobody waits for the disk.
        await connection.execute("SET LOCAL synchronous_commit = off")
        begins = _columns([merge.all_keys[0] for merge in merges])
        rows = _in_order(await connection.fetch(_SQL["take_chunks"], *begins, *_spans(merges)[3:]))
        if not _are_all(rows, merges):
            raise ChunksChangedError
        pieces = await asyncio.to_thread(lambda: list(merged_rows(merges, rows).pieces()))
        await connection.copy_to_table(
            "metric_chunk", source=as_source(pieces), columns=COLUMNS, format="binary"
        )
        await connection.execute(_SQL["merged_until"], *_merged_until(merges))


async def of_neighbours_with_open(connection: Connection, merges: Sequence[Merge]) -> list[Merge]:
    """Cut merges where other chunks lie between theirs, and let them begin with the open ones that are worth it."""
    between: dict[SeriesKey, list[ChunkKey]] = defaultdict(list)
    if wide := [merge for merge in merges if merge.may_lie_over]:
        for row in await connection.fetch(_SQL["between"], *_spans(wide)):
            key = ChunkKey(wide[row["number"] - 1].series, row["first_position"], row["part"])
            between[key.series].append(key)
    cut = [piece for merge in merges for piece in of_neighbours(merge, between[merge.series])]
    before: list[list[Before]] = [[] for _ in cut]
    firsts = [merge.keys[0] for merge in cut]
    for row in await connection.fetch(_SQL["before"], *_columns(firsts), OPEN_CHUNKS_MAX):
        key = ChunkKey(firsts[row["number"] - 1].series, row["first_position"], row["part"])
        before[row["number"] - 1].append(Before(key, row["count"], row["is_open"]))
    return list(map(with_open, cut, before))


def _merged_until(merges: Sequence[Merge]) -> tuple[list[Any], ...]:
    lasts = [merge.keys[-1] for merge in merges]
    return (
        [key.series.run_id for key in lasts],
        [key.series.writer_id for key in lasts],
        [key.first_position + 1 for key in lasts],
    )


def _spans(merges: Sequence[Merge]) -> tuple[list[Any], ...]:
    """From which fresh chunk to which one each merge goes."""
    lasts = [merge.keys[-1] for merge in merges]
    return (
        *_columns([merge.keys[0] for merge in merges]),
        [key.first_position for key in lasts],
        [key.part for key in lasts],
    )


def _in_order(rows: Sequence[Any]) -> list[Any]:
    return sorted(rows, key=itemgetter("number", "first_position", "part"))


def _are_all(rows: Sequence[Any], merges: Sequence[Merge]) -> bool:
    """Tell whether these are the chunks of the merges: each has as many as it wants."""
    counts = np.bincount([row["number"] - 1 for row in rows], minlength=len(merges))
    return bool(np.array_equal(counts, [len(merge.all_keys) for merge in merges]))


def _columns(keys: Sequence[ChunkKey]) -> tuple[list[Any], ...]:
    return (
        [key.series.run_id for key in keys],
        [key.series.writer_id for key in keys],
        [key.series.metric_id for key in keys],
        [key.first_position for key in keys],
        [key.part for key in keys],
    )


def merged_rows(merges: Sequence[Merge], ordered: Sequence[Mapping[str, Any]]) -> ChunkRows:
    """Build the rows that replace these, which are in order of the merges and of their keys."""
    points = joined_points(ordered)
    owners = np.repeat(np.arange(len(merges)), [len(each.all_keys) for each in merges])
    counts = np.array([row["count"] for row in ordered], np.int64)
    piece = SeriesPoints(counts, points.steps, points.timestamps_ms, points.values)
    chunks = build_chunks(join_series([piece], [owners])[0])
    return ChunkRows(chunks, list(_row_keys(merges, chunks.series)), compacted=True)


def _row_keys(merges: Sequence[Merge], series: np.ndarray[Any, Any]) -> Iterator[RowKey]:
    for each, outputs in zip(merges, np.bincount(series).tolist(), strict=True):
        run_id, writer_id, metric_id = each.series
        for key in merged_keys(each.all_keys, outputs):
            yield run_id.bytes, metric_id, writer_id.bytes, key.first_position, key.part
