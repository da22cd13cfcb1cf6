"""Group commit: a bounded queue, one transaction for all that gathered during the last one, settle every waiter.

The queue is bounded in bytes, for each run and in all. Who submits beyond that waits, so a slow database is felt by
the clients (whose spools hold their points) and not by this process's memory, and a greedy run by itself only. Runs
are spread over lanes (`lane.py`), which commit side by side; what one run logs stays in order in its lane.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from uuid import UUID

from stepwell_server.config import STREAM_WINDOW_BYTES
from stepwell_server.errors import ExhaustedError, UnavailableError
from stepwell_server.model.ingest import Batch, Outcome
from stepwell_server.process.byte_budget import ByteBudget
from stepwell_server.process.telemetry import BATCH_POINTS, QUEUE_BATCHES, QUEUE_BYTES
from stepwell_server.store.ingest.lane import GroupStore, Lane
from stepwell_server.store.ingest.waiting import Waiting, batch_bytes

# What waits for the database, at most: 64 MiB, some 2.7 million points.
QUEUE_BYTES_MAX = 64 * 1024 * 1024
# What one run may have of that: 24 MiB, a million points, so that two greedy runs leave room for the others.
RUN_QUEUE_BYTES_MAX = 24 * 1024 * 1024
# Batches that wait for the queue, at most, with what may stand behind each in its stream's window: 320 MiB. Beyond that
# streams are refused for a moment, and their clients send again what is in their spools.
WAITING_BYTES_MAX = 320 * 1024 * 1024
# Who logs little is not refused for those who log much: 2,700 points; they have as much again.
SMALL_BATCH_BYTES = 64 * 1024
RETRY_AFTER_S = 1.0
# One transaction waits for the disk while the other's points go to the database.
LANES = 2


class GroupCommitWriter:
    """Gathers batches and commits them in groups. Use as `async with`."""

    def __init__(
        self,
        store: GroupStore,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        run_bytes_max: int = RUN_QUEUE_BYTES_MAX,
        lanes: int = LANES,
    ) -> None:
        self._budget = ByteBudget(queue_bytes_max)
        self._run_bytes_max = run_bytes_max
        self._waiting_bytes = 0
        self._run_budgets: dict[UUID, ByteBudget] = {}
        self._lanes = [Lane(store, self._release) for _ in range(lanes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(lane.run(), name=f"commit lane {number}")
            for number, lane in enumerate(self._lanes)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, then stop; a cancellation stops at once and settles everybody."""
        self._closing = True
        for lane in self._lanes:
            lane.close()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def submit(self, batch: Batch) -> asyncio.Future[Outcome]:
        """Queue a batch; see `ports.BatchStore`."""
        BATCH_POINTS.observe(len(batch.points))
        number = hash(batch.run_id) % len(self._lanes)
        waiting = await self._admit(batch)
        if self._closing or self._tasks[number].done():
            self._release([waiting])
            raise UnavailableError("the server is stopping; send the batch again to its successor")
        self._lanes[number].put(waiting)
        return waiting.settled

    async def _admit(self, batch: Batch) -> Waiting:
        """Wait for room, first in the run's share and then in the whole queue."""
        size = batch_bytes(batch)
        of_run = self._run_budgets.setdefault(batch.run_id, ByteBudget(self._run_bytes_max))
        if not of_run.take_now(size):
            with self._waiting(size):
                await of_run.take(size)
        try:
            if not self._budget.take_now(size):
                with self._waiting(size):
                    await self._budget.take(size)
        except BaseException:
            self._give_back_of_run(batch.run_id, size)
            raise
        QUEUE_BYTES.inc(size)
        QUEUE_BATCHES.inc()
        return Waiting(batch, size)

    @contextmanager
    def _waiting(self, size: int) -> Iterator[None]:
        """Count a batch that waits; raises ExhaustedError when too much does already."""
        weight = 2 * size + STREAM_WINDOW_BYTES  # as a message and as columns
        limit = WAITING_BYTES_MAX * (2 if size <= SMALL_BATCH_BYTES else 1)
        if self._waiting_bytes + weight > limit and self._waiting_bytes:
            raise ExhaustedError(
                "the database cannot keep up with what is logged; send it again", RETRY_AFTER_S
            )
        self._waiting_bytes += weight
        try:
            yield
        finally:
            self._waiting_bytes -= weight

    def _release(self, group: Sequence[Waiting]) -> None:
        for waiting in group:
            self._give_back_of_run(waiting.batch.run_id, waiting.size)
        size = sum(waiting.size for waiting in group)
        self._budget.give_back(size)
        QUEUE_BYTES.dec(size)
        QUEUE_BATCHES.dec(len(group))

    def _give_back_of_run(self, run_id: UUID, size: int) -> None:
        of_run = self._run_budgets[run_id]
        of_run.give_back(size)
        if of_run.is_idle:
            del self._run_budgets[run_id]
