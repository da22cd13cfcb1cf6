"""Who compacts what: ranges of run ids, each held by one process for a while.

A process goes on with the ranges that it had before; another's it takes when they are overdue, because that one ended
or cannot keep up. So busy processes shed ranges, and nobody counts them.
Nothing that is right depends on it: of two that merge the same chunks, one is undone.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

# As many processes can compact at once.
RANGES = 64
# A process that says nothing for so long has lost its ranges; a step of compaction takes well below a second.
HELD_S = 30.0
# It says so this often.
KEEP_EVERY_S = 5.0
# A range whose last round ended so many pauses ago is overdue.
OVERDUE_PAUSES = 2.0
# Ranges that are taken together had so few small chunks left, less than a page; a larger one is taken alone, so that
# others can take the next.
TOGETHER_CHUNKS_MAX = 2_048
# How often one looks whose range somebody else holds.
LOOK_S = 0.2

_SQL = load("compaction")
_BITS = 128 - (RANGES - 1).bit_length()


def first_run(number: int) -> UUID:
    """Return the least run id of a range."""
    return UUID(int=number << _BITS)


def last_run(number: int) -> UUID:
    """Return the greatest run id of a range."""
    return UUID(int=((number + 1) << _BITS) - 1)


def number_of(run_id: UUID) -> int:
    """Return the range of a run."""
    return run_id.int >> _BITS


def spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last ones of those that follow each other, of numbers in order."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


class Ranges:
    """The ranges, as one process sees them; it holds those in `held`."""

    def __init__(self, connection: Connection, holder: UUID | None = None) -> None:
        """A `holder` that comes again finds what it had before."""
        self.held: list[int] = []
        # How long ago the last round of those that were taken ended, of that which waited longest.
        self.rested_s = 0.0
        # What `take_due` saw of all ranges: small chunks that were left, the longest time since a round (0 if paused).
        self.fresh_chunks = 0
        self.behind_s = 0.0
        self._connection = connection
        self._holder = holder or uuid.uuid4()
        self._kept_s = 0.0

    async def take_due(self, pause_s: float) -> bool:
        """Hold what the last round of is long enough ago; tells whether there is any."""
        rows = await self._connection.fetch(_SQL["ranges"])
        self.fresh_chunks = sum(row["fresh_chunks"] for row in rows)
        self.behind_s = max(0 if row["is_paused"] else row["rested_ms"] for row in rows) / 1_000
        numbers = due(rows, self._holder, pause_s * 1_000)
        self.rested_s = max((rows[number]["rested_ms"] for number in numbers), default=0) / 1_000
        await self._take(rows, numbers)
        return bool(self.held)

    async def wait_for(self, numbers: Collection[int]) -> None:
        """Hold those of these ranges that nobody else does, as soon as there is one."""
        while not self.held:
            rows = await self._connection.fetch(_SQL["ranges"])
            free = [number for number in numbers if not rows[number]["is_held"]]
            await (self._take(rows, free) if free else asyncio.sleep(LOOK_S))

    async def keep(self) -> bool:
        """Hold on to what is held; tells whether it is still all of it."""
        if time.monotonic() - self._kept_s < KEEP_EVERY_S:
            return True
        kept = await self._for_each("keep_range", {number: (round(HELD_S * 1_000),) for number in self.held})
        return kept == set(self.held)

    async def end_round(self, left_chunks: Mapping[int, int]) -> None:
        """Note that rounds of these ranges are done, with so many small chunks left, and let others have them."""
        await self._for_each("end_round", {number: (left,) for number, left in left_chunks.items()})
        self.held = [number for number in self.held if number not in left_chunks]

    async def let_go(self, numbers: Collection[int]) -> None:
        """Let others take some of what is held."""
        await self._for_each("leave_range", dict.fromkeys(numbers, ()))
        self.held = [number for number in self.held if number not in numbers]

    async def leave(self) -> None:
        """Let others take what this process holds, also what it may hold without knowing it."""
        await self._connection.execute(_SQL["leave_ranges"], self._holder)
        self.held = []

    async def _take(self, rows: Sequence[Any], numbers: Collection[int]) -> None:
        seen = {number: (round(HELD_S * 1_000), rows[number]["held_until_time_ms"]) for number in numbers}
        self.held = sorted(await self._for_each("take_range", seen))

    async def _for_each(self, query: str, arguments: Mapping[int, Sequence[Any]]) -> set[int]:
        """Do it for each range, in one transaction; returns those for which it was so."""
        async with self._relaxed():
            rows = await self._connection.fetchmany(
                _SQL[query],
                # All take them in this order, so nobody waits in a circle.
                [(number, self._holder, *arguments[number]) for number in sorted(arguments)],
            )
        self._kept_s = time.monotonic()
        return {row["range"] for row in rows}

    @asynccontextmanager
    async def _relaxed(self) -> AsyncIterator[None]:
        """Begin a transaction that nobody needs after a crash of the machine, so that nothing waits for the disk."""
        async with self._connection.transaction():
            await self._connection.execute("SET LOCAL synchronous_commit = off")
            yield


def due(rows: Sequence[Any], holder: UUID, pause_ms: float) -> list[int]:
    """Return the numbers of the ranges that a process may take together, the longest neglected one first.

    `rows` are all ranges in order: is_paused, is_held, holder, rested_ms, fresh_chunks.
    """
    found = sorted(
        (-row["rested_ms"], number) for number, row in enumerate(rows) if _is_due(row, holder, pause_ms)
    )
    together: list[int] = []
    chunks = 0
    for _, number in found:
        if together and number < together[0]:
            # They are done in order, and those that are not begun may be let go: never that which waited longest.
            continue
        chunks += rows[number]["fresh_chunks"]
        if together and chunks > TOGETHER_CHUNKS_MAX:
            break
        together.append(number)
    return together


def _is_due(row: Mapping[str, Any], holder: UUID, pause_ms: float) -> bool:
    if row["is_paused"] or row["is_held"]:
        return False
    return bool(row["rested_ms"] >= pause_ms * (1 if row["holder"] in (None, holder) else OVERDUE_PAUSES))
