"""Which chunks are merged, and when. Pure decisions, no I/O.

A series' *fresh* chunks are the small ones that commits made. They are merged when they are many, when their points
fill a chunk, or when their writer has been quiet; together with the *open* chunks before them, which merges made and
could not fill. An open chunk that is much larger than what comes to it waits for more: with 24 points at a time, a
point is written eight times until its chunk is full, and not eighty.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple, TypeVar
from uuid import UUID

from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX, SMALL_POINTS_MAX

# Fresh chunks of a series whose writer is still at work wait until they are so many, or fill a chunk. Fewer than come
# in a round where commits are slowed (`ingest/pressure.py`), so that each round merges what came in the last one.
FRESH_CHUNKS_MAX = 24
# A writer that has committed nothing for a minute is not expected to fill its chunks soon.
QUIET_MS = 60_000
# One transaction takes in at most 31,896 points (3 MB as rows, columns and rows again), but always a pair of chunks, or
# all that goes into one merge. Twice as many take as long, and more memory.
MERGE_POINTS_MAX = 8 * CHUNK_POINTS_MAX
# While its writer is at work, an open chunk waits until what comes behind it has a fourth of its points. So each open
# chunk of a series has more than four times the points of the next one, and there are few.
OPEN_RATIO = 4
OPEN_CHUNKS_MAX = math.ceil(math.log(CHUNK_POINTS_MAX, OPEN_RATIO))

Item = TypeVar("Item")
Writer = tuple[UUID, UUID]


class SeriesKey(NamedTuple):
    """Points of one metric of one writer."""

    run_id: UUID
    writer_id: UUID
    metric_id: int

    @property
    def writer(self) -> Writer:
        """Who wrote them."""
        return self.run_id, self.writer_id


class ChunkKey(NamedTuple):
    """One row of metric_chunk."""

    series: SeriesKey
    first_position: int
    part: int


@dataclass(frozen=True, slots=True)
class FreshSeries:
    """The small chunks of one series that no merge has seen, in order of their keys; of each a number of the columns.

    Its writer's last commit was `quiet_ms` ago. From the least to the greatest there are `steps`.
    """

    series: SeriesKey
    first_positions: Sequence[int]
    parts: Sequence[int]
    counts: Sequence[int]
    quiet_ms: int
    steps: int

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, slots=True)
class Before:
    """A chunk that comes before a merge. It is open where a merge made it that could not fill it."""

    key: ChunkKey
    points: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Merge:
    """Fresh chunks of one series, in order of their keys, that become fewer ones, with the open ones before them.

    When its writer is `at_rest`, it takes all of these, however large they are. Where the steps have room for that, it
    `may_lie_over` large chunks between its own.
    """

    keys: Sequence[ChunkKey]
    counts: Sequence[int]
    at_rest: bool
    may_lie_over: bool
    open_keys: Sequence[ChunkKey] = ()
    open_points: int = 0

    @property
    def series(self) -> SeriesKey:
        """Whose chunks they are."""
        return self.keys[0].series

    @property
    def points(self) -> int:
        """How many points the fresh ones have."""
        return sum(self.counts)

    @property
    def all_keys(self) -> list[ChunkKey]:
        """The open chunks and the fresh ones."""
        return [*self.open_keys, *self.keys]

    @property
    def all_points(self) -> int:
        """How many points they have."""
        return self.open_points + self.points


def wanted_merges(fresh: Iterable[FreshSeries], *, at_once: bool = False) -> Iterator[Merge]:
    """Yield the merges that are due among fresh chunks; `at_once` waits for nothing."""
    for each in fresh:
        if at_once or is_due(each):
            may_lie_over = len(each) > 1 and each.steps >= SMALL_POINTS_MAX
            for keys, counts in _bounded(each):
                yield Merge(keys, counts, at_once or each.quiet_ms >= QUIET_MS, may_lie_over)


def is_due(fresh: FreshSeries) -> bool:
    """Tell whether the fresh chunks of a series are worth a merge now."""
    return (
        len(fresh) >= FRESH_CHUNKS_MAX or fresh.quiet_ms >= QUIET_MS or sum(fresh.counts) >= CHUNK_POINTS_MAX
    )


def chunks_until_due(fresh: FreshSeries, *, merged: bool) -> int:
    """Return how many fresh chunks make a series due, if those that come are as large as the largest one now.

    When its chunks were just `merged`, it begins with none.
    """
    chunks, points = (0, 0) if merged else (len(fresh), sum(fresh.counts))
    more = max(0, -(-(CHUNK_POINTS_MAX - points) // max(fresh.counts)))
    return min(FRESH_CHUNKS_MAX, chunks + more)


def _bounded(fresh: FreshSeries) -> Iterator[tuple[list[ChunkKey], list[int]]]:
    """Cut what one transaction could not hold."""
    keys: list[ChunkKey] = []
    counts: list[int] = []
    points = 0
    for number, count in enumerate(fresh.counts):
        if keys and points + count > MERGE_POINTS_MAX:
            yield keys, counts
            keys, counts, points = [], [], 0
        keys.append(ChunkKey(fresh.series, fresh.first_positions[number], fresh.parts[number]))
        counts.append(count)
        points += count
    yield keys, counts


def of_neighbours(merge: Merge, between: Sequence[ChunkKey]) -> Iterator[Merge]:
    """Cut a merge where other chunks lie between its own: `between`, in order.

    What were merged over those, a chart would have to open them all, to sort its points among theirs.
    """
    numbered = zip(merge.keys, merge.counts, strict=True)
    for _, group in groupby(numbered, lambda each: bisect_left(between, each[0])):
        keys, counts = zip(*group, strict=True)
        yield replace(merge, keys=keys, counts=counts)


def with_open(merge: Merge, before: Iterable[Before]) -> Merge:
    """Let a merge begin with the open ones of the chunks `before` it, of which the last comes first."""
    keys: list[ChunkKey] = []
    points = 0
    for each in before:
        if not each.is_open or (not merge.at_rest and each.points > OPEN_RATIO * (merge.points + points)):
            break
        keys.insert(0, each.key)
        points += each.points
    return replace(merge, open_keys=keys, open_points=points)


def transactions(merges: Iterable[Merge]) -> Iterator[list[Merge]]:
    """Put merges together that one transaction can hold."""
    return grouped(merges, lambda merge: merge.all_points, MERGE_POINTS_MAX)


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
