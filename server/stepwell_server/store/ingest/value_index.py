"""Settling: brings latest values into the index that searches walk along, in the background.

A commit moves latest values without touching the index, which would double its cost, and notes that the run is
unsettled; searches look at such runs beside the index. Some seconds later the run is settled: its values go into the
index at once. A run that is still at work becomes unsettled again with its next commit.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from stepwell_server.process.rounds import Rounds
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import by_run, load

# How long a run stays unsettled at least: what a run at work costs the index is one update a metric in this time.
SETTLE_AFTER_MS = 30_000
# From the end of one round to the start of the next.
ROUND_PAUSE_S = 5.0
# Runs of one transaction; with a thousand metrics each, it takes about a second.
RUNS_MAX = 100
# Runs that are looked at for these: others, which settle at the same time, have locked the first ones.
PASSED_MAX = 4 * RUNS_MAX

_SQL = load("value_index")


class Settler(Rounds):
    """Settles what is due while the context lasts. Several servers share the work: each passes over locked runs."""

    name = "settling"

    def __init__(self, pool: Pool, after_ms: int = SETTLE_AFTER_MS, pause_s: float = ROUND_PAUSE_S) -> None:
        super().__init__(pause_s)
        self._pool = pool
        self._after_ms = after_ms

    async def round(self) -> None:
        """Settle all that is due."""
        while await settle(self._pool, self._after_ms):
            pass


async def settle(pool: Pool, after_ms: int) -> int:
    """Settle up to RUNS_MAX runs that have been unsettled for `after_ms`, in one transaction; returns how many.

    Runs of which a commit is under way are left for later. No commit waits for long, and none is missed: it needs
    its writer, which is locked here, or opens a new one, for which it needs the run.
    """
    async with pool.transaction() as connection:
        quiet = await _quiet(connection, await _lock_due(connection, after_ms))
        if quiet:
            await connection.execute(_SQL["index_values"], quiet)
            await connection.execute(_SQL["settle"], quiet)
    return len(quiet)


async def _lock_due(connection: Connection, after_ms: int) -> list[UUID]:
    """Lock up to RUNS_MAX runs that are due; returns these."""
    due = [row["run_id"] for row in await connection.fetch(_SQL["due"], after_ms, PASSED_MAX)]
    locked: list[UUID] = []
    while due and len(locked) < RUNS_MAX:
        some = due[: RUNS_MAX - len(locked)]
        due = due[len(some) :]
        locked += [row["run_id"] for row in await connection.fetchmany(_SQL["lock"], by_run(some))]
    return locked


async def _quiet(connection: Connection, run_ids: Sequence[UUID]) -> list[UUID]:
    """Return the runs whose writers are all locked here."""
    if not run_ids:
        return []
    rows = await connection.fetchmany(_SQL["lock_writers"], by_run(run_ids))
    locked = Counter(row["run_id"] for row in rows)
    rows = await connection.fetch(_SQL["count_writers"], run_ids)
    writers = {row["run_id"]: row["writers"] for row in rows}
    return [run_id for run_id in run_ids if locked[run_id] == writers.get(run_id, 0)]


async def unsettle(connection: Connection, run_ids: Sequence[UUID]) -> None:
    """Note that latest values of runs changed. For a transaction that has locked the writers."""
    await connection.executemany(_SQL["unsettle"], by_run(run_ids))
