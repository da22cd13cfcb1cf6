"""Chunks that one border of a bucket cuts: their two sides, from their blocks and the few points around the border."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stepwell_server.model import Int64s
from stepwell_server.reading import SeriesName
from stepwell_server.store.blocks import BLOCK, BLOCK_POINTS
from stepwell_server.store.chunk_points import chunk_values
from stepwell_server.store.pool import Connection
from stepwell_server.store.sampling import GROUPS_PER_SERIES, Fragments
from stepwell_server.store.sql import load
from stepwell_server.store.summaries import ChunkSummaries

_SQL = load("sampling")


async def cut_once(
    connection: Connection,
    chunks: ChunkSummaries,
    places: Int64s,
    names: Sequence[SeriesName],
    borders: Int64s,
    buckets: Int64s,
) -> Fragments:
    """Return two fragments for each chunk at `places`: its points below its border, and the others.

    The chunks have blocks and evenly spaced, distinct steps; `borders[i]` is above the first step of chunk i and not
    above its last; `buckets[i]` is the bucket that begins there. `y` is not known, see `OpenedChunk`.
    """
    cuts = _first_at_or_above(chunks, places, borders)
    starts = np.minimum(cuts // BLOCK_POINTS * BLOCK_POINTS, cuts - 1)
    ends = np.minimum((cuts // BLOCK_POINTS + 1) * BLOCK_POINTS, chunks.count[places])
    keys = chunks.keys(places, names)
    rows = await connection.fetch(_SQL["open_edges"], *keys, (starts + 1).tolist(), ends.tolist())
    parts = _Parts()
    around = np.empty((len(places), 2))
    for row in rows:
        number = row["number"] - 1
        start, cut = int(starts[number]), int(cuts[number])
        values = chunk_values(row)
        around[number] = values[cut - start - 1], values[cut - start]
        parts.add(np.frombuffer(row["blocks"], BLOCK), values, start, cut)
    return parts.fragments(chunks, places, cuts, buckets, around)


def _first_at_or_above(chunks: ChunkSummaries, places: Int64s, borders: Int64s) -> Int64s:
    """The place within each chunk of its first step that is not below the border; exact over all of int64."""
    distance = borders.view(np.uint64) - chunks.step_min[places].view(np.uint64)
    stride = chunks.step_stride[places].astype(np.uint64)
    return (distance // stride + (distance % stride > 0)).astype(np.int64)


class _Parts:
    """Gathers what lies below and above the borders: whole blocks, and single points beside the border."""

    def __init__(self) -> None:
        self._low: list[Any] = []
        self._high: list[Any] = []
        self._sum: list[Any] = []
        self._lengths: list[int] = []

    def add(self, blocks: Any, values: Any, start: int, cut: int) -> None:
        """Take a chunk: its blocks, the points from `start` to the end of the block of `cut`, and where it is cut."""
        block = cut // BLOCK_POINTS
        points = values[block * BLOCK_POINTS - start :]
        for pieces, name in ((self._low, "minimum"), (self._high, "maximum"), (self._sum, "sum")):
            column = blocks[name]
            pieces += (column[:block], points, column[block + 1 :])
        below = block + cut - block * BLOCK_POINTS
        self._lengths += (below, len(blocks) - 1 + len(points) - below)

    def fragments(
        self, chunks: ChunkSummaries, places: Int64s, cuts: Int64s, buckets: Int64s, around: Any
    ) -> Fragments:
        """Return the fragments, first those below all borders, then those above."""
        starts = np.cumsum([0, *self._lengths[:-1]])
        order = np.concatenate([np.arange(0, len(starts), 2), np.arange(1, len(starts), 2)])
        low = np.minimum.reduceat(np.concatenate(self._low), starts)[order]
        high = np.maximum.reduceat(np.concatenate(self._high), starts)[order]
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduceat(np.concatenate(self._sum), starts)[order]
        groups = chunks.series[places] * GROUPS_PER_SERIES + buckets
        steps = chunks.step_min[places] + (cuts - 1) * chunks.step_stride[places]
        unknown = np.zeros(2 * len(places), np.int64)
        return Fragments(
            groups=np.concatenate([groups - 1, groups]),
            x_first=np.concatenate([chunks.step_min[places], steps + chunks.step_stride[places]]),
            y_first=unknown,
            value_first=np.concatenate([chunks.value_first[places], around[:, 1]]),
            x_last=np.concatenate([steps, chunks.step_max[places]]),
            y_last=unknown,
            value_last=np.concatenate([around[:, 0], chunks.value_last[places]]),
            value_min=low,
            value_max=high,
            value_sum=total,
            counts=np.concatenate([cuts, chunks.count[places] - cuts]),
            non_finite_counts=unknown,
        )
