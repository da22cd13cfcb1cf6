"""Group commit: a bounded queue, one transaction for all that gathered during the last one, settle every waiter.

The queue is bounded in bytes, for each run and in all. Who submits beyond that waits, so a slow database is felt by
the clients (whose spools hold their points) and not by this process's memory, and a greedy run by itself only. Runs
are spread over lanes (`lane.py`), which commit side by side; what one run logs stays in order in its lane. Where a
database has several nodes, runs that lie together have a lane of their own: so no transaction needs two phases.
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
from stepwell_server.store.ingest.places import Places
from stepwell_server.store.ingest.pressure import Pressure
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
# Of a database of several nodes, one for each place where runs lie. With more places some share a lane, which costs
# time: their transactions are committed in two phases.
PLACED_LANES_MAX = 128


class GroupCommitWriter:
    """Gathers batches and commits them in groups. Use as `async with`."""

    def __init__(
        self,
        store: GroupStore,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        run_bytes_max: int = RUN_QUEUE_BYTES_MAX,
        lanes: int = LANES,
        places: Places | None = None,
        pressure: Pressure | None = None,
    ) -> None:
        """`places` says where runs lie, if there is more than one place; else they are spread over `lanes`.

        `pressure` slows commits while compaction is behind.
        """
        self._budget = ByteBudget(queue_bytes_max)
        self._run_bytes_max = run_bytes_max
        self._waiting_bytes = 0
        self._run_budgets: dict[UUID, ByteBudget] = {}
        self._store = store
        self._places = places
        self._pressure = pressure or Pressure()
        self._lanes_max = PLACED_LANES_MAX if places else lanes
        # By number; a lane begins with its first batch.
        self._lanes: dict[int, tuple[Lane, asyncio.Task[None]]] = {}
        self._closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, then stop; a cancellation stops at once and settles everybody."""
        self._closing = True
        tasks = [task for _, task in self._lanes.values()]
        for lane, _ in self._lanes.values():
            lane.close()
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def submit(self, batch: Batch) -> asyncio.Future[Outcome]:
        """Queue a batch; see `ports.BatchStore`."""
        BATCH_POINTS.observe(len(batch.points))
        place = hash(batch.run_id) if self._places is None else await self._places.of(batch.run_id)
        waiting = await self._admit(batch)
        lane = None if self._closing else self._lane(place % self._lanes_max)
        if lane is None:
            self._release([waiting])
            raise UnavailableError("the server is stopping; send the batch again to its successor")
        lane.put(waiting)
        return waiting.settled

    def _lane(self, number: int) -> Lane | None:
        """Return a lane that runs; None for one that has ended."""
        if number not in self._lanes:
            lane = Lane(self._store, self._release, self._pressure)
            self._lanes[number] = lane, asyncio.create_task(lane.run(), name=f"commit lane {number}")
        lane, task = self._lanes[number]
        return None if task.done() else lane

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
