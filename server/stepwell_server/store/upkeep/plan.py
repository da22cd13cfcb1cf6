"""Which chunks are merged, and when. Pure decisions, no I/O.

A series' *fresh* chunks are the small ones that commits made. They are merged when they are many, when their points
fill a chunk, or when their writer has been quiet; together with the series' last merged chunk while that is not full.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from uuid import UUID

from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX

# Fresh chunks of a series whose writer is still at work wait until they are so many, or fill a chunk.
FRESH_CHUNKS_MAX = 64
# A series with so many fresh chunks is merged although watchers may not have read all of them: they start anew.
UNSETTLED_CHUNKS_MAX = 1_024
# A writer that has committed nothing for a minute is not expected to fill its chunks soon.
QUIET_MS = 60_000
# One transaction takes in at most 31,896 points (3 MB as rows, columns and rows again), but always a pair of chunks.
# Twice as many take as long, and more memory.
MERGE_POINTS_MAX = 8 * CHUNK_POINTS_MAX

Item = TypeVar("Item")


class SeriesKey(NamedTuple):
    """Points of one metric of one writer."""

    run_id: UUID
    writer_id: UUID
    metric_id: int


class ChunkKey(NamedTuple):
    """One row of metric_chunk."""

    series: SeriesKey
    first_position: int
    part: int


@dataclass(frozen=True, slots=True)
class FreshSeries:
    """The small chunks of one series that no merge has seen, in order of their keys; of each a number of the columns.

    Its writer's last commit was `quiet_ms` ago; the first `settled` chunks have been there for a while, see `settling`.
    """

    series: SeriesKey
    first_positions: Sequence[int]
    parts: Sequence[int]
    counts: Sequence[int]
    quiet_ms: int
    settled: int

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, slots=True)
class Merge:
    """Chunks of one series, in order of their keys, that become fewer ones of `points` points in all."""

    keys: Sequence[ChunkKey]
    points: int

    @property
    def series(self) -> SeriesKey:
        """Whose chunks they are."""
        return self.keys[0].series


def wanted_merges(fresh: Iterable[FreshSeries], *, at_once: bool = False) -> Iterator[Merge]:
    """Yield the merges that are due among fresh chunks; `at_once` waits for nothing."""
    for each in fresh:
        size = len(each) if at_once or len(each) >= UNSETTLED_CHUNKS_MAX else each.settled
        if size and (at_once or is_due(each, size)):
            yield from _bounded(each, size)


def is_due(fresh: FreshSeries, size: int) -> bool:
    """Tell whether the first so many fresh chunks of a series are worth a merge now."""
    return (
        size >= FRESH_CHUNKS_MAX or fresh.quiet_ms >= QUIET_MS or sum(fresh.counts[:size]) >= CHUNK_POINTS_MAX
    )


def chunks_until_due(fresh: FreshSeries, *, merged: bool) -> int:
    """Return how many fresh chunks make a series due, if those that come are as large as the largest one now.

    When its chunks were just `merged`, it begins with none.
    """
    chunks, points = (0, 0) if merged else (len(fresh), sum(fresh.counts))
    more = max(0, -(-(CHUNK_POINTS_MAX - points) // max(fresh.counts)))
    return min(FRESH_CHUNKS_MAX, chunks + more)


def _bounded(fresh: FreshSeries, size: int) -> Iterator[Merge]:
    """Cut what one transaction could not hold."""
    keys: list[ChunkKey] = []
    points = 0
    for number in range(size):
        count = fresh.counts[number]
        if keys and points + count > MERGE_POINTS_MAX:
            yield Merge(keys, points)
            keys, points = [], 0
        keys.append(ChunkKey(fresh.series, fresh.first_positions[number], fresh.parts[number]))
        points += count
    yield Merge(keys, points)


def transactions(merges: Iterable[Merge]) -> Iterator[list[Merge]]:
    """Put merges together that one transaction can hold."""
    return grouped(merges, lambda merge: merge.points, MERGE_POINTS_MAX)


def grouped(items: Iterable[Item], size: Callable[[Item], int], size_max: int) -> Iterator[list[Item]]:
    """Put items together, in their order, up to a size; one that is larger stays alone."""
    group: list[Item] = []
    total = 0
    for each in items:
        if group and total + size(each) > size_max:
            yield group
            group, total = [], 0
        group.append(each)
        total += size(each)
    if group:
        yield group


def merged_keys(inputs: Sequence[ChunkKey], outputs: int) -> list[ChunkKey]:
    """Keys for the `outputs` chunks that replace `inputs`: theirs, and the last one's for the last.

    There are never more outputs than inputs, and keys that were taken stay unlike those of any other chunk. The
    last output, which alone may be small, so comes directly before what the writer adds later.
    """
    assert 1 <= outputs <= len(inputs)
    return [*inputs[: outputs - 1], inputs[-1]]
