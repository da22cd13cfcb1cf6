"""Group commit: a bounded queue, one transaction for all that gathered during the last one, settle every waiter.

The queue is bounded in bytes. Who submits beyond that waits, so a slow database is felt by the clients (whose spools
hold their points) and not by this process's memory.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import asyncpg
import structlog

from stepwell_server.errors import InvalidArgumentError, StepwellError, UnavailableError
from stepwell_server.model import (
    NO_POINTS,
    Batch,
    Committed,
    NotJoined,
    Outcome,
    ParamEntry,
    Rejection,
    StatusEntry,
    TagEntry,
)
from stepwell_server.store.budget import ByteBudget
from stepwell_server.telemetry import (
    BATCH_POINTS,
    COMMIT_BATCHES,
    COMMIT_SECONDS,
    COMMITS_FAILED,
    ENTRIES_COMMITTED,
    LAG_SECONDS,
    NOT_JOINED,
    POINTS_COMMITTED,
    QUEUE_BATCHES,
    QUEUE_BYTES,
    REJECTED,
)

# What waits for the database, at most: 64 MiB, some 2.7 million points.
QUEUE_BYTES_MAX = 64 * 1024 * 1024
# What one transaction takes, at most: 24 MiB, a million points; larger ones are not faster and keep others waiting.
GROUP_BYTES_MAX = 24 * 1024 * 1024
# A point is a step, a time and a value; a batch costs some objects beside that.
POINT_BYTES = 24
BATCH_BYTES = 512
ENTRY_BYTES = 200
# Deadlocks and serialization failures are tried again at once, this many times in all.
COMMIT_TRIES_MAX = 5

CommitGroup = Callable[[Sequence[Batch]], Awaitable[list[Outcome | StepwellError]]]

# The batch itself cannot be stored, however often it is tried.
_BAD_DATA = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)

_log = structlog.get_logger(__name__)


def batch_bytes(batch: Batch) -> int:
    """What a batch takes of the queue's memory, in bytes."""
    texts = sum(map(_text_bytes, batch.entries))
    return BATCH_BYTES + POINT_BYTES * len(batch.points) + ENTRY_BYTES * len(batch.entries) + texts


def _text_bytes(entry: ParamEntry | TagEntry | StatusEntry) -> int:
    return 0 if isinstance(entry, StatusEntry) else len(entry.key) + len(entry.value)


@dataclass(slots=True)
class Waiting:
    """A batch in the queue and the one who waits for it."""

    batch: Batch
    size: int
    arrived_s: float = field(default_factory=time.monotonic)
    settled: asyncio.Future[Outcome] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, outcome: Outcome | BaseException) -> None:
        """Hand over the outcome, unless nobody waits any more."""
        LAG_SECONDS.observe(time.monotonic() - self.arrived_s)
        if self.settled.done():
            return
        if isinstance(outcome, BaseException):
            self.settled.set_exception(outcome)
            self.settled.exception()  # marks it as seen: the stream may be gone
        else:
            self.settled.set_result(outcome)


def count_outcomes(outcomes: Sequence[Outcome | StepwellError]) -> None:
    """Add what a group came to to the server's figures."""
    committed = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    POINTS_COMMITTED.inc(sum(outcome.points for outcome in committed))
    ENTRIES_COMMITTED.inc(sum(outcome.entries for outcome in committed))
    REJECTED.inc(sum(rejection.count for outcome in committed for rejection in outcome.rejections))
    NOT_JOINED.inc(sum(isinstance(outcome, NotJoined) for outcome in outcomes))


class GroupCommitWriter:
    """Gathers batches and commits them in groups, one group at a time. Use as `async with`."""

    def __init__(self, commit: CommitGroup, queue_bytes_max: int = QUEUE_BYTES_MAX) -> None:
        self._commit = commit
        self._budget = ByteBudget(queue_bytes_max)
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closing = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="group-commit")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, then stop; a cancellation stops at once and settles everybody."""
        self._closing = True
        self._arrived.set()
        try:
            await self._task
        finally:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def submit(self, batch: Batch) -> asyncio.Future[Outcome]:
        """Queue a batch; see `ports.BatchStore`."""
        BATCH_POINTS.observe(len(batch.points))
        size = batch_bytes(batch)
        await self._budget.take(size)
        if self._closing:
            self._budget.give_back(size)
            raise UnavailableError("the server is stopping; send the batch again to its successor")
        waiting = Waiting(batch, size)
        self._queue.append(waiting)
        self._arrived.set()
        QUEUE_BYTES.inc(size)
        QUEUE_BATCHES.inc()
        return waiting.settled

    async def _run(self) -> None:
        group: list[Waiting] = []
        try:
            while self._queue or not self._closing:
                await self._arrived.wait()
                group = self._take_group()
                if group:
                    await self._settle_group(group)
                    self._give_back(group)
        finally:
            # Cancelled: what is under way may be committed or not; the clients will ask where they stand.
            for waiting in (*group, *self._queue):
                waiting.settle(
                    UnavailableError("the server stopped before the batch was committed; send it again")
                )
            self._queue.clear()

    def _give_back(self, group: Sequence[Waiting]) -> None:
        size = sum(waiting.size for waiting in group)
        self._budget.give_back(size)
        QUEUE_BYTES.dec(size)
        QUEUE_BATCHES.dec(len(group))

    def _take_group(self) -> list[Waiting]:
        """The batches of the next transaction, in order of arrival; at least one if there is any."""
        group: list[Waiting] = []
        size = 0
        while self._queue and (not group or size + self._queue[0].size <= GROUP_BYTES_MAX):
            group.append(self._queue.popleft())
            size += group[-1].size
        if not self._queue and not self._closing:
            self._arrived.clear()
        return group

    async def _settle_group(self, group: Sequence[Waiting]) -> None:
        try:
            outcomes = await self._commit_with_retries([waiting.batch for waiting in group])
        except UnavailableError as error:
            _log.warning("commit failed, the database is not available", error=str(error), batches=len(group))
            outcomes = [UnavailableError(str(error)) for _ in group]
        except Exception as error:  # noqa: BLE001 - whatever it is, every waiter is settled
            if len(group) > 1:
                # One of them is bad: each for itself, so that its neighbours don't suffer.
                for waiting in group:
                    await self._settle_group([waiting])
                return
            outcomes = [await self._reject(group[0].batch, error)]
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.settle(outcome)
        count_outcomes(outcomes)

    async def _commit_with_retries(self, batches: Sequence[Batch]) -> list[Outcome | StepwellError]:
        for _ in range(COMMIT_TRIES_MAX - 1):
            try:
                return await self._measured_commit(batches)
            except UnavailableError as error:
                # Only what the database itself rolled back, for another's sake, is worth a try at once.
                if not isinstance(error.__cause__, asyncpg.TransactionRollbackError):
                    raise
        return await self._measured_commit(batches)

    async def _measured_commit(self, batches: Sequence[Batch]) -> list[Outcome | StepwellError]:
        COMMIT_BATCHES.observe(len(batches))
        with COMMITS_FAILED.count_exceptions(), COMMIT_SECONDS.time():
            return await self._commit(batches)

    async def _reject(self, batch: Batch, error: Exception) -> Outcome | StepwellError:
        """Move the writer past a batch that the database refuses, and say what was refused."""
        if not isinstance(error, _BAD_DATA):
            _log.error("commit failed", run_id=batch.run_id.hex, exc_info=error)
            return StepwellError(f"the batch at position {batch.first_position} could not be committed")
        _log.warning("batch refused by the database", run_id=batch.run_id.hex, error=str(error))
        try:
            (outcome,) = await self._commit([replace(batch, points=NO_POINTS, entries=())])
        except UnavailableError as unavailable:
            return unavailable
        if not isinstance(outcome, Committed):
            return outcome
        count = len(batch.points) + len(batch.entries)
        reason = f"the database cannot store this batch: {error}"
        rejection = Rejection(batch.first_position, count, "", InvalidArgumentError.error_code, reason)
        return Committed(outcome.position, 0, 0, (rejection,))
