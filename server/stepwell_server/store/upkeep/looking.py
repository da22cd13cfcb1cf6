"""What a round looks at: first how much each writer has, then the chunks of those that may have enough.

The index of fresh chunks tells how many there are; what they hold is in their rows, each in another page than its
neighbours. So counting costs PostgreSQL 0.05 us a chunk, and reading 1 us, or several times that where the table is
larger than its memory. A chunk of a writer at work waits for a minute and more until it is due: meanwhile it is
counted, and read once or twice.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from stepwell_server.model.series import INT64_MAX
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load
from stepwell_server.store.upkeep.plan import (
    QUIET_MS,
    UNSETTLED_CHUNKS_MAX,
    FreshSeries,
    SeriesKey,
    chunks_until_due,
)
from stepwell_server.store.upkeep.ranges import number_of
from stepwell_server.store.upkeep.settling import Settling, Writer

# Chunks that are counted at once: 8 ms.
COUNTED_CHUNKS_MAX = 65_536

_SQL = load("compaction")
_ID_BITS = 128


@dataclass(frozen=True, slots=True)
class FreshWriter:
    """A writer that has fresh chunks: so many, and so many of the series that has most."""

    key: Writer
    chunks: int
    fullest: int
    position: int
    quiet_ms: int


async def count_fresh(
    connection: Connection, start: Writer, end: UUID
) -> tuple[list[FreshWriter], Writer | None]:
    """Count a page of fresh chunks, from a writer to a run; returns also where the next page starts, or None."""
    rows = await connection.fetch(_SQL["fresh_writers"], *start, end, COUNTED_CHUNKS_MAX)
    found = [
        FreshWriter(
            (row["run_id"], row["writer_id"]), row["chunks"], row["fullest"], row["position"], row["quiet_ms"]
        )
        for row in rows
    ]
    if sum(each.chunks for each in found) < COUNTED_CHUNKS_MAX:
        return found, None
    # The page may have cut the last one, which is counted with the next page; unless it fills this one alone.
    return (found[:-1], found[-1].key) if len(found) > 1 else (found, _after(found[0].key))


def _after(writer: Writer) -> Writer | None:
    number = (writer[0].int << _ID_BITS | writer[1].int) + 1
    if number >> 2 * _ID_BITS:
        return None
    return UUID(int=number >> _ID_BITS), UUID(int=number & (1 << _ID_BITS) - 1)


def is_worth_a_look(writer: FreshWriter, settling: Sequence[Settling] | None) -> bool:
    """Tell whether anything of a writer may be due; `settling`, that of each range, takes note of it."""
    if settling is None:
        return True
    seen = settling[number_of(writer.key[0])]
    seen.note(writer.key, writer.position, writer.fullest)
    return (
        writer.fullest >= UNSETTLED_CHUNKS_MAX
        or seen.may_be_due(writer.key)
        or (writer.quiet_ms >= QUIET_MS and seen.settled_position(writer.key) > 0)
    )


async def read_fresh(
    connection: Connection,
    writers: Sequence[FreshWriter],
    start: SeriesKey,
    chunks_max: int,
    settling: Sequence[Settling] | None,
) -> list[FreshSeries]:
    """Read what there is of the fresh chunks of these writers, from a series on; at most so many, so it may be cut."""
    run_ids, writer_ids = zip(*(each.key for each in writers), strict=True)
    rows = await connection.fetch(_SQL["fresh_chunks"], run_ids, writer_ids, *start, chunks_max)
    return list(_series(rows, settling))


def _series(rows: Sequence[Any], settling: Sequence[Settling] | None) -> Iterator[FreshSeries]:
    """Yield the chunks of rows by series, which come writer by writer."""
    for writer, of_writer in groupby(rows, lambda row: (row["run_id"], row["writer_id"])):
        settled = INT64_MAX
        if settling is not None:
            settled = settling[number_of(writer[0])].settled_position(writer)
        for row in of_writer:
            series, positions = SeriesKey(*writer, row["metric_id"]), row["first_positions"]
            is_settled = bisect_left(positions, settled)
            steps = row["step_max"] - row["step_min"] + 1
            yield FreshSeries(
                series, positions, row["parts"], row["counts"], row["quiet_ms"], is_settled, steps
            )


def remember(settling: Sequence[Settling] | None, fresh: Sequence[FreshSeries], merged: set[Writer]) -> None:
    """Note when what was read is worth another look; `merged` are the writers of which something was merged."""
    if settling is None:
        return
    for writer, of_writer in groupby(fresh, lambda each: (each.series.run_id, each.series.writer_id)):
        is_merged = writer in merged
        due_chunks = min(chunks_until_due(each, merged=is_merged) for each in of_writer)
        settling[number_of(writer[0])].expect(writer, due_chunks, merged=is_merged)
