"""Chunks that borders of buckets cut: what lies between, from their blocks and the few points around the borders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import SeriesName
from stepwell_server.store.chunks.blocks import BLOCK, BLOCK_POINTS, NARROW_BLOCK, block_numbers
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.series.sampling import GROUPS_PER_SERIES, Fragments
from stepwell_server.store.series.summaries import ChunkSummaries
from stepwell_server.store.sql import load

_SQL = load("sampling")
_FLOAT32 = np.dtype([("length", ">i4"), ("value", ">f4")])
_FLOAT64 = np.dtype([("length", ">i4"), ("value", ">f8")])


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where borders cut chunks. Chunk `owners[i]` is cut before its point `points[i]`, where `buckets[i]` begins.

    In order of owner and point, each point once; `points[i]` is neither the first point nor behind the last.
    """

    owners: Int64s
    points: Int64s
    buckets: Int64s


def find_cuts(
    chunks: ChunkSummaries, places: Int64s, first: Int64s, last: Int64s, borders: Sequence[Int64s]
) -> Cuts:
    """Cut the chunks at `places`, whose steps are evenly spaced and distinct, where buckets first + 1 to last begin."""
    numbers = last - first
    owners = np.repeat(np.arange(len(places)), numbers)
    nth = np.arange(len(owners)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    buckets = first[owners] + 1 + nth
    offsets = np.cumsum([0, *map(len, borders[:-1])])
    at = np.concatenate(borders)[offsets[chunks.series[places]][owners] + buckets]
    points = _first_at_or_above(chunks, places[owners], at)
    # Of buckets that begin before the same point only the last one has it.
    distinct = np.append((owners[1:] != owners[:-1]) | (points[1:] != points[:-1]), True)
    return Cuts(owners[distinct], points[distinct], buckets[distinct])


def _first_at_or_above(chunks: ChunkSummaries, places: Int64s, borders: Int64s) -> Int64s:
    """The place within each chunk of its first step that is not below the border; exact over all of int64."""
    distance = borders.view(np.uint64) - chunks.step_min[places].view(np.uint64)
    stride = chunks.step_stride[places].astype(np.uint64)
    return (distance // stride + (distance % stride > 0)).astype(np.int64)


class BlockCut:
    """Cuts the chunks at `places`, whose first points are in the buckets `first`, by their blocks.

    `read` asks the database, `fragments` works on what it said.
    """

    def __init__(self, chunks: ChunkSummaries, places: Int64s, first: Int64s, cuts: Cuts) -> None:
        self._chunks = chunks
        self._places = places
        self._first = first
        self._cuts = cuts
        self._blocks = _Blocks(chunks.count[places], cuts)

    async def read(self, connection: Connection, names: Sequence[SeriesName]) -> Sequence[Any]:
        """Return the blocks of the chunks and the values around the borders."""
        keys = self._chunks.keys(self._places, names)
        rows: Sequence[Any] = await connection.fetch(
            _SQL["open_blocks"], *keys, *self._blocks.wanted(), BLOCK_POINTS
        )
        return rows

    def fragments(self, rows: Sequence[Any]) -> Fragments:
        """Return the fragments of the chunks. `y` is not known, see `OpenedChunk`."""
        chunks, places, cuts = self._chunks, self._places, self._cuts
        self._blocks.fill([row["blocks"] for row in rows], np.concatenate([_elements(row) for row in rows]))
        starts = _interleaved(np.zeros_like(places), cuts.points, cuts.owners)
        buckets = _interleaved(self._first, cuts.buckets, cuts.owners)
        owners = _interleaved(np.arange(len(places)), cuts.owners, cuts.owners)
        at = places[owners]
        begins = starts == 0
        ends = np.append(begins[1:], True)
        after: Int64s = np.where(ends, chunks.count[at], np.append(starts[1:], 0))
        low, high, total, value_first, value_last = self._blocks.summed_up(owners, starts)
        unknown = np.zeros(len(at), np.int64)
        return Fragments(
            groups=chunks.series[at] * GROUPS_PER_SERIES + buckets,
            x_first=chunks.step_min[at] + starts * chunks.step_stride[at],
            y_first=unknown,
            value_first=np.where(begins, chunks.value_first[at], value_first),
            x_last=chunks.step_min[at] + (after - 1) * chunks.step_stride[at],
            y_last=unknown,
            value_last=np.where(ends, chunks.value_last[at], value_last),
            value_min=low,
            value_max=high,
            value_sum=total,
            counts=after - starts,
            non_finite_counts=unknown,
        )


def _elements(row: Any) -> NDArray[Any]:
    """The values of the opened blocks of a chunk."""
    narrow = row["values_float32"]
    if narrow is not None:
        return np.frombuffer(narrow, _FLOAT32)["value"]
    return np.frombuffer(row["values_float64"], _FLOAT64)["value"]


def _interleaved(heads: Int64s, of_cuts: Int64s, owners: Int64s) -> Int64s:
    """Put the head of each chunk before what belongs to its cuts."""
    return np.insert(of_cuts, np.searchsorted(owners, np.arange(len(heads))), heads)


class _Blocks:
    """Chunks as items, one after the other: a block that no border is in or beside is one item, others one a point."""

    def __init__(self, counts: Int64s, cuts: Cuts) -> None:
        numbers = block_numbers(counts)
        self._bases = np.cumsum(numbers) - numbers
        self._opened = np.zeros(int(numbers.sum()), np.bool_)
        # The points on both sides of a border are given as they are.
        for beside in (cuts.points - 1, cuts.points):
            self._opened[self._bases[cuts.owners] + beside // BLOCK_POINTS] = True
        lengths = np.full(len(self._opened), BLOCK_POINTS)
        lengths[self._bases + numbers - 1] = counts - (numbers - 1) * BLOCK_POINTS
        self._lengths = np.where(self._opened, lengths, 1)
        self._items = np.cumsum(self._lengths) - self._lengths
        self._numbers = numbers

    def wanted(self) -> tuple[list[int], list[int], list[int]]:
        """For `open_blocks`: where opened blocks begin (third), and of each chunk its first and last among these."""
        opened = np.flatnonzero(self._opened)
        last = np.searchsorted(opened, self._bases + self._numbers)
        first = np.searchsorted(opened, self._bases) + 1
        starts = (opened - np.repeat(self._bases, last - first + 1)) * BLOCK_POINTS + 1
        return first.tolist(), last.tolist(), starts.tolist()

    def fill(self, summaries: Sequence[bytes], opened_values: NDArray[Any]) -> None:
        """Take the blocks of each chunk, all as BLOCK or all as NARROW_BLOCK, and the values of the opened blocks."""
        data = b"".join(summaries)
        narrow = len(data) == len(self._opened) * NARROW_BLOCK.itemsize
        blocks = np.frombuffer(data, NARROW_BLOCK if narrow else BLOCK)
        # One item for each point of an opened block; in the three columns only the items of other blocks differ.
        items = np.empty(int(self._lengths.sum()))
        items[np.repeat(self._opened, self._lengths)] = opened_values.astype(np.float64)
        closed = ~self._opened
        self._columns = [items, items.copy(), items.copy()]
        for column, name in zip(self._columns, ("minimum", "maximum", "sum"), strict=True):
            column[self._items[closed]] = blocks[name][closed]

    def summed_up(
        self, owners: Int64s, starts: Int64s
    ) -> tuple[Float64s, Float64s, Float64s, Float64s, Float64s]:
        """Return minimum, maximum, sum, first and last value of the pieces of chunks that begin at these points.

        The first value of a chunk's first piece and the last one of its last piece mean nothing.
        """
        blocks = self._bases[owners] + starts // BLOCK_POINTS
        items = self._items[blocks] + np.where(self._opened[blocks], starts % BLOCK_POINTS, 0)
        low, high, terms = self._columns
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduceat(terms, items)
        return (
            np.minimum.reduceat(low, items),
            np.maximum.reduceat(high, items),
            total,
            low[items],
            low[np.append(items[1:], len(low)) - 1],
        )
