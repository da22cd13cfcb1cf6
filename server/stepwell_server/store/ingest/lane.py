"""A lane: one transaction after the other for some of the runs, and the next one made ready meanwhile."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from stepwell_server.errors import InvalidArgumentError, StepwellError, UnavailableError
from stepwell_server.model.ingest import NO_POINTS, Batch, Committed, NotJoined, Outcome, Rejection
from stepwell_server.process.logger import get_logger
from stepwell_server.process.telemetry import (
    COMMIT_BATCHES,
    COMMIT_SECONDS,
    COMMITS_FAILED,
    ENTRIES_COMMITTED,
    NOT_JOINED,
    POINTS_COMMITTED,
    REJECTED,
)
from stepwell_server.store.ingest.fair_queue import FairQueue
from stepwell_server.store.ingest.pressure import PACE_S, Pressure
from stepwell_server.store.ingest.waiting import Waiting

# What one transaction takes, at most: 24 MiB, a million points; larger ones are not faster and keep others waiting.
GROUP_BYTES_MAX = 24 * 1024 * 1024
# So much is worth preparing while the last transaction runs: 3 MiB, 131,072 points. Less waits for more to gather.
PREPARE_EARLY_BYTES_MIN = 3 * 1024 * 1024
# Small pieces of several writers wait for each other for PACE_S.
PACED_WRITERS_MIN = 4  # within PACE_S; a lone writer may be waiting for its commit before it goes on
PACED_POINTS_MAX = 16  # of each series, on average
# Nothing came for so long: everybody may be waiting for us, so nobody is waited for.
SILENCE_S = 0.02
# What a lane lets wait at most where compaction is behind: 16 MiB, 20,000 batches of ten points. More is committed.
HELD_BYTES_MAX = 16 * 1024 * 1024
# Deadlocks and serialization failures are tried again at once, this many times in all.
COMMIT_TRIES_MAX = 5

# The batch itself cannot be stored, however often it is tried.
_BAD_DATA = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)

Outcomes = list[Outcome | StepwellError]

_log = get_logger(__name__)


class GroupStore(Protocol):
    """Stores groups of batches, each in one transaction."""

    async def prepare(self, batches: Sequence[Batch]) -> Any:
        """Do what can be done before the transaction, and return what `commit` takes.

        Raises UnavailableError, or what the database raises about the data.
        """
        ...

    async def commit(self, prepared: Any) -> Outcomes:
        """Commit what joins; one outcome for each batch, in order. Raises as `prepare`; then nothing is stored."""
        ...


class Crowd:
    """How many writers sent something lately: in this window of time, or in the one before it."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._until_s = 0.0
        self._now: set[UUID] = set()
        self._before = 0

    @property
    def size(self) -> int:
        """The number of writers."""
        return max(self._before, len(self._now))

    def see(self, writer_id: UUID, time_s: float) -> None:
        """Note that a writer sent something."""
        if time_s >= self._until_s:
            self._before = len(self._now) if time_s < self._until_s + self._window_s else 0
            self._now = set()
            self._until_s = time_s + self._window_s
        self._now.add(writer_id)


class Lane:
    """Settles what is put into it, in groups; `release` is told of every group that is settled."""

    def __init__(
        self, store: GroupStore, release: Callable[[Sequence[Waiting]], None], pressure: Pressure
    ) -> None:
        self._store = store
        self._pressure = pressure
        self._release = release
        self._queue = FairQueue()
        self._crowd = Crowd(PACE_S)
        self._changed = asyncio.Event()
        self._closing = False
        self._last_start_s = 0.0
        self._unsettled: list[Sequence[Waiting]] = []

    def put(self, waiting: Waiting) -> None:
        """Queue a batch."""
        self._queue.put(waiting)
        self._crowd.see(waiting.batch.writer_id, waiting.arrived_s)
        self._changed.set()

    def close(self) -> None:
        """Let `run` end when everything that is queued is settled."""
        self._closing = True
        self._changed.set()

    async def run(self) -> None:
        """Settle groups until the lane is closed; a cancellation settles everybody at once."""
        committing: asyncio.Task[None] | None = None
        try:
            while await self._work_arrives():
                await self._pace()
                if committing is not None and self._queue.size < PREPARE_EARLY_BYTES_MIN:
                    await committing
                group = self._queue.take(GROUP_BYTES_MAX)
                self._unsettled.append(group)
                preparing = asyncio.create_task(self._store.prepare([waiting.batch for waiting in group]))
                try:
                    await asyncio.wait([preparing])
                    if committing is not None:
                        await committing
                except asyncio.CancelledError:
                    preparing.cancel()
                    raise
                committing = asyncio.create_task(self._settle(group, preparing))
            if committing is not None:
                await committing
        finally:
            if committing is not None:
                committing.cancel()
            self._give_up()

    async def _work_arrives(self) -> bool:
        """Wait for a batch; False when the lane is closed and empty."""
        while not self._queue.batches and not self._closing:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._queue.batches)

    async def _pace(self) -> None:
        """Wait while only many small pieces are there and the last transaction is not long ago."""
        pressure = self._pressure
        while self._is_paced() and (left_s := self._last_start_s + pressure.pace_s - time.monotonic()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(min(left_s, SILENCE_S)):
                    await self._changed.wait()
            except TimeoutError:
                if not pressure.is_on:
                    break
        self._last_start_s = time.monotonic()

    def _is_paced(self) -> bool:
        queue = self._queue
        if self._closing or queue.points >= PACED_POINTS_MAX * queue.series:
            return False
        if self._pressure.is_on:
            return queue.size < HELD_BYTES_MAX
        return not queue.entries and self._crowd.size >= PACED_WRITERS_MIN

    async def _settle(self, group: Sequence[Waiting], preparing: asyncio.Task[Any]) -> None:
        outcomes = await self._outcomes(group, preparing)
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.settle(outcome)
        count_outcomes(outcomes)
        self._unsettled.remove(group)
        self._release(group)

    async def _outcomes(self, group: Sequence[Waiting], preparing: asyncio.Task[Any]) -> Outcomes:
        try:
            return await self._commit_with_retries(await preparing)
        except UnavailableError as error:
            _log.warning("commit failed, the database is not available", error=str(error), batches=len(group))
            return [UnavailableError(str(error)) for _ in group]
        except Exception as error:  # noqa: BLE001 - whatever it is, every waiter is settled
            if len(group) > 1:
                # One of them is bad: each for itself, so that its neighbours don't suffer.
                return [outcome for waiting in group for outcome in await self._alone(waiting)]
            return [await self._reject(group[0].batch, error)]

    async def _alone(self, waiting: Waiting) -> Outcomes:
        return await self._outcomes([waiting], asyncio.create_task(self._store.prepare([waiting.batch])))

    async def _commit_with_retries(self, prepared: Any) -> Outcomes:
        for _ in range(COMMIT_TRIES_MAX - 1):
            try:
                return await self._commit(prepared)
            except UnavailableError as error:
                # Only what the database itself rolled back, for another's sake, is worth a try at once.
                if not isinstance(error.__cause__, asyncpg.TransactionRollbackError):
                    raise
        return await self._commit(prepared)

    async def _commit(self, prepared: Any) -> Outcomes:
        with COMMITS_FAILED.count_exceptions(), COMMIT_SECONDS.time():
            outcomes = await self._store.commit(prepared)
        COMMIT_BATCHES.observe(len(outcomes))
        return outcomes

    async def _reject(self, batch: Batch, error: Exception) -> Outcome | StepwellError:
        """Move the writer past a batch that the database refuses, and say what was refused."""
        if not isinstance(error, _BAD_DATA):
            _log.error("commit failed", run_id=batch.run_id.hex, exc_info=error)
            return StepwellError(f"the batch at position {batch.first_position} could not be committed")
        _log.warning("batch refused by the database", run_id=batch.run_id.hex, error=str(error))
        count = len(batch.points) + len(batch.entries)
        reason = f"the database cannot store this batch: {error}"
        rejection = Rejection(batch.first_position, count, "", InvalidArgumentError.error_code, reason)
        refused = (*batch.refused, rejection)
        try:
            empty = await self._store.prepare([replace(batch, points=NO_POINTS, entries=(), refused=refused)])
            (outcome,) = await self._commit(empty)
        except UnavailableError as unavailable:
            return unavailable
        return outcome

    def _give_up(self) -> None:
        """Cancelled: what is under way may be committed or not; the clients will ask where they stand."""
        for group in (*self._unsettled, list(self._queue)):
            for waiting in group:
                waiting.settle(
                    UnavailableError("the server stopped before the batch was committed; send it again")
                )


def count_outcomes(outcomes: Outcomes) -> None:
    """Add what a group came to to the server's figures."""
    committed = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    POINTS_COMMITTED.inc(sum(outcome.points for outcome in committed))
    ENTRIES_COMMITTED.inc(sum(outcome.entries for outcome in committed))
    REJECTED.inc(sum(rejection.count for outcome in committed for rejection in outcome.rejections))
    NOT_JOINED.inc(sum(isinstance(outcome, NotJoined) for outcome in outcomes))
