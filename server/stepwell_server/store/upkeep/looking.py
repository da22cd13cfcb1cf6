"""What a round looks at: first how much each writer has, then the chunks of those that may have enough.

The index of fresh chunks tells how many there are; what they hold is in their rows, each in another page than its
neighbours. So counting costs PostgreSQL 0.05 us a chunk, and reading 1 us, or several times that where the table is
larger than its memory. A chunk of a writer at work waits until its series has some more: meanwhile it is counted, and
read once or twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load
from stepwell_server.store.upkeep.plan import (
    FRESH_CHUNKS_MAX,
    QUIET_MS,
    FreshSeries,
    SeriesKey,
    Writer,
    chunks_until_due,
)

# Who watches a run reads what is new from its small chunks, and a merge mixes old and new points. So chunks are left
# alone for this time: a watcher that reconnects within it goes on without a repeat.
SETTLE_S = 10.0
# Chunks that are counted at once: 8 ms.
COUNTED_CHUNKS_MAX = 65_536
# A writer of which so many chunks come while they settle has enough in each round.
DUE_CHUNKS_MAX = 2 * FRESH_CHUNKS_MAX

_SQL = load("compaction")
_ID_BITS = 128


@dataclass(frozen=True, slots=True)
class FreshWriter:
    """A writer that has fresh chunks: so many, and so many of the series that has most."""

    key: Writer
    chunks: int
    fullest: int
    quiet_ms: int


async def count_fresh(
    connection: Connection, start: Writer, end: UUID
) -> tuple[list[FreshWriter], Writer | None]:
    """Count a page of fresh chunks, from a writer to a run; returns also where the next page starts, or None."""
    rows = await connection.fetch(_SQL["fresh_writers"], *start, end, COUNTED_CHUNKS_MAX)
    found = [
        FreshWriter((row["run_id"], row["writer_id"]), row["chunks"], row["fullest"], row["quiet_ms"])
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


async def read_fresh(
    connection: Connection,
    writers: Sequence[FreshWriter],
    start: SeriesKey,
    chunks_max: int,
    settle_s: float,
) -> list[FreshSeries]:
    """Read what has settled of the fresh chunks of these writers, from a series on; so many at most, it may be cut."""
    run_ids, writer_ids = zip(*(each.key for each in writers), strict=True)
    rows = await connection.fetch(
        _SQL["fresh_chunks"], run_ids, writer_ids, *start, chunks_max, round(settle_s * 1_000)
    )
    return [
        FreshSeries(
            SeriesKey(row["run_id"], row["writer_id"], row["metric_id"]),
            row["first_positions"],
            row["parts"],
            row["counts"],
            row["quiet_ms"],
            row["step_max"] - row["step_min"] + 1,
        )
        for row in rows
    ]


@dataclass(slots=True)
class Outlook:
    """What is known of the writers of a range that have fresh chunks: when they are worth the next look.

    Nothing of a writer at work is due before its fullest series has so many chunks. Of one that nobody looked at
    nothing is known; whoever takes over a range looks at all of it once.
    """

    _due_chunks: dict[Writer, int] = field(default_factory=dict)
    _met: dict[Writer, int] = field(default_factory=dict)

    def is_worth_a_look(self, writer: FreshWriter) -> bool:
        """Tell whether anything of a writer may be due, whose round this is."""
        due_chunks = self._met[writer.key] = self._due_chunks.get(writer.key, 1)
        return writer.fullest >= due_chunks or writer.quiet_ms >= QUIET_MS

    def note(self, writer: FreshWriter, settled: Collection[FreshSeries], *, merged: bool) -> None:
        """Remember what a look came to: as many chunks as have not settled will not have settled then."""
        if settled:
            unsettled = max(0, writer.fullest - max(map(len, settled)))
            due_chunks = min(chunks_until_due(each, merged=merged) for each in settled) + unsettled
            self._met[writer.key] = min(due_chunks, DUE_CHUNKS_MAX)

    def end_round(self) -> None:
        """Forget the writers that this round did not meet."""
        self._due_chunks, self._met = self._met, {}
