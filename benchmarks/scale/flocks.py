"""Very many slow writers in one process: without clients and streams, but paced and pushed back as these are."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.loads.streams import Shape
from stepwell.delivery.shipper import BATCHES_ON_THE_WAY_MAX
from stepwell_server.model.ingest import Batch, Committed, Outcome, Points, WriterIdentity
from stepwell_server.store.chunks.rows import COLUMNS, as_source
from stepwell_server.store.ingest.chains import Chain, chain
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import advance_positions
from stepwell_server.store.ingest.preparing import PreparedPoints, prepare
from stepwell_server.store.ingest.pressure import Pressure
from stepwell_server.store.ingest.writer import LANES, GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.upkeep.compactor import compaction_state

SHAPE = Shape(10, 1)
INTERVAL_S = 1.0
# Servers look how far compaction is behind whenever they look for a range.
LOOK_S = 1.0


@dataclass(slots=True)
class Flock:
    """Writers that log in step, SHAPE every INTERVAL_S, from so many seconds on."""

    identities: Sequence[WriterIdentity]
    step: int = 0
    begins_in_s: float = 0.0

    def batches(self, steps: int = 1) -> list[Batch]:
        """Return the next batch of each, with what it logged at so many times."""
        times = np.tile(np.arange(self.step, self.step + steps), SHAPE.metrics)
        values = np.random.default_rng(self.step).standard_normal(len(times)).astype(np.float32)
        points = Points(
            [f"metric_{number}" for number in range(SHAPE.metrics)],
            np.full(SHAPE.metrics, steps, np.int64),
            times,
            1_700_000_000_000 + 1_000 * times,
            values.astype(np.float64),
        )
        first = self.step * len(SHAPE)
        self.step += steps
        end = self.step * len(SHAPE)
        return [Batch(it.run_id, it.writer_id, first, end, points, ()) for it in self.identities]


@dataclass(frozen=True, slots=True)
class _Prepared:
    batches: Sequence[Batch]
    chains: Sequence[Chain]
    points: PreparedPoints


@dataclass(slots=True)
class Commits:
    """Commits by the two statements that matter to compaction: positions, COPY. Counts chunks and transactions."""

    pool: Pool
    metric_ids: MetricIds
    chunks: int = 0
    points: int = 0
    transactions: int = 0

    async def prepare(self, batches: Sequence[Batch]) -> _Prepared:
        """See `lane.GroupStore`."""
        chains = chain(batches)
        ids = await self.metric_ids.resolve(batches[0].points.keys)
        prepared = await asyncio.to_thread(prepare, chains, ids)
        assert prepared is not None
        return _Prepared(batches, chains, prepared)

    async def commit(self, prepared: _Prepared) -> list[Outcome | Any]:
        """See `lane.GroupStore`."""
        async with self.pool.transaction() as connection:
            moved = await advance_positions(connection, prepared.chains)
            assert len(moved) == len(prepared.chains), "somebody else logged"
            source = as_source(prepared.points.pieces)
            await connection.copy_to_table("metric_chunk", source=source, columns=COLUMNS, format="binary")
        self.chunks += prepared.points.chunks
        self.points += sum(len(batch.points) for batch in prepared.batches)
        self.transactions += 1
        return [Committed(batch.end_position, len(batch.points), 0) for batch in prepared.batches]


@dataclass(slots=True)
class Logging:
    """Flocks that log by the clock, whatever becomes of it; what is not on the way to its commit is spooled."""

    writer: GroupCommitWriter
    flocks: Sequence[Flock]
    lags_s: list[float] = field(default_factory=list)
    ending: bool = False

    async def run(self) -> None:
        """Log until `ending`, and until all of it is acknowledged."""
        began_s = time.monotonic()
        await asyncio.gather(
            *[
                self._log(flock, began_s + flock.begins_in_s + INTERVAL_S * number / len(self.flocks))
                for number, flock in enumerate(self.flocks)
            ]
        )

    async def _log(self, flock: Flock, began_s: float) -> None:
        first, sent = flock.step, set[asyncio.Task[None]]()
        while not self.ending or sent:
            logged = first + int((time.monotonic() - began_s) / INTERVAL_S)
            if logged > flock.step and len(sent) < BATCHES_ON_THE_WAY_MAX and not self.ending:
                born_s = began_s + (flock.step - first + 1) * INTERVAL_S
                sent.add(asyncio.create_task(self._send(flock.batches(logged - flock.step), born_s)))
            next_s = max(0.0, began_s + (logged - first + 1) * INTERVAL_S - time.monotonic())
            if sent:
                done, sent = await asyncio.wait(sent, timeout=next_s, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
            else:
                await asyncio.sleep(next_s)

    async def _send(self, batches: Sequence[Batch], born_s: float) -> None:
        settled = [await self.writer.submit(batch) for batch in batches]
        for outcome in settled:
            assert isinstance(await outcome, Committed), outcome
        self.lags_s.append(time.monotonic() - born_s)


@asynccontextmanager
async def logging(
    pool: Pool, flocks: Sequence[Flock], servers: int
) -> AsyncIterator[tuple[Commits, Logging, Pressure]]:
    """Log through as many lanes as so many servers have, and as slowly as they let it."""
    commits, pressure = Commits(pool, MetricIds(pool)), Pressure()
    watching = asyncio.create_task(_watch(pool, pressure))
    try:
        async with GroupCommitWriter(commits, lanes=LANES * servers, pressure=pressure) as writer:
            log = Logging(writer, flocks)
            running = asyncio.create_task(log.run())
            try:
                yield commits, log, pressure
            finally:
                log.ending = True
                await running
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch(pool: Pool, pressure: Pressure) -> None:
    """Let pressure know what the compactor of a server would tell it."""
    began_s = time.monotonic()
    while True:
        async with pool.connection() as connection:
            behind_s = (await compaction_state(connection)).round_age_s
        pressure.note(min(behind_s, time.monotonic() - began_s))
        await asyncio.sleep(LOOK_S)
