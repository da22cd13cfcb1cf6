"""Whether compaction keeps up with very many slow writers: its debt, while their small chunks come at their rate.

Each writer is one of `workloads.thousand_slow_runs`: ten metrics once a second, so ten chunks of one point. Their
clients, and what servers do to take their batches, would need more than two cores; so here nobody is a client. The
rows come from this program, by the two statements of a commit that matter to compaction (positions, COPY), in
transactions of as many writers as the lanes of three servers gather, at the pace of the clock. The servers only merge.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.loads.streams import Shape
from benchmarks.measuring.surroundings import Costs
from benchmarks.scale.calibration import opened
from benchmarks.scale.draining import new_database
from benchmarks.scale.servers import Servers, open_folder, servers
from stepwell_server.model.ingest import Batch, Points, WriterIdentity
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.chunks.rows import COLUMNS, as_source
from stepwell_server.store.ingest.chains import chain
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import advance_positions
from stepwell_server.store.ingest.preparing import prepare
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX

SHAPE = Shape(10, 1)
INTERVAL_S = 1.0
# Writers of one transaction: two lanes of three servers commit five times a second each.
GROUP = 133
# Until every series was merged once: half a minute in which chunks are left alone, a minute until there are 64 of
# them, and a round of compaction.
WARM_S = 150.0
SAMPLE_S = 5.0
# The debt grows, where more than this share of what comes is left.
GROWS = 0.01
DEBT = "SELECT sum(fresh_chunks) FROM compaction_range"
SMALL = "SELECT count(*) FROM metric_chunk WHERE NOT compacted AND count < 3000"
DATABASE, COPY = "begun", "debt"


@dataclass(slots=True)
class Flock:
    """Writers that log in step: one transaction has a batch of each."""

    identities: Sequence[WriterIdentity]
    step: int = 0

    def batches(self) -> list[Batch]:
        """Return the next batch of each."""
        steps = np.full(SHAPE.metrics, self.step, np.int64)
        values = np.random.default_rng(self.step).standard_normal(SHAPE.metrics).astype(np.float32)
        points = Points(
            [f"metric_{number}" for number in range(SHAPE.metrics)],
            np.ones(SHAPE.metrics, np.int64),
            steps,
            1_700_000_000_000 + 1_000 * steps,
            values.astype(np.float64),
        )
        first = self.step * len(SHAPE)
        self.step += 1
        return [
            Batch(it.run_id, it.writer_id, first, first + len(SHAPE), points, ()) for it in self.identities
        ]


@dataclass(slots=True)
class Samples:
    """The debt by the time, and how far behind the clock the chunks came."""

    seconds: list[float] = field(default_factory=list)
    debts: list[int] = field(default_factory=list)

    def slope(self) -> float:
        """Return how much the debt grows in a second."""
        return float(np.polyfit(self.seconds, self.debts, 1)[0])


async def owe(counts: list[int], writers: int, seconds: float) -> dict[str, Any]:
    """Measure each number of servers."""
    found: dict[str, Any] = {
        "writers": writers,
        "chunks_wanted_per_second": round(writers * len(SHAPE) / INTERVAL_S),
    }
    with open_folder() as folder:
        async with EmbeddedPostgres(folder, Deadline(60)) as postgres:
            begun = await new_database(postgres.url, DATABASE)
            await migrate(begun)
            async with open_pool(begun, Deadline(60)) as pool:
                flocks, cost = await _begin(pool, writers)
            found["postgresql_core_us_of_a_chunk_that_comes"] = round(cost * 1e6, 1)
            for count in counts:
                store = await new_database(postgres.url, COPY, DATABASE)
                again = [Flock(each.identities, each.step) for each in flocks]
                async with open_pool(store, Deadline(60)) as pool:
                    with servers(store, count) as started:
                        found[f"{count} servers"] = await _observe(pool, started, again, seconds, cost)
    return found


async def _begin(pool: Pool, writers: int) -> tuple[list[Flock], float]:
    """Let all writers have begun at different times in the last minute; returns PostgreSQL's core seconds a chunk."""
    flocks = [Flock(await opened(pool, min(GROUP, writers - start))) for start in range(0, writers, GROUP)]
    commits = _Commits(pool)
    costs, chunks = Costs(os.getpid()), 0
    for number, flock in enumerate(flocks):
        for _ in range(FRESH_CHUNKS_MAX * (number + 1) // len(flocks)):
            chunks += await commits.commit(flock)
    return flocks, costs.report()["postgresql_cpu_s"] / chunks


class _Commits:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._metric_ids = MetricIds(pool)
        self.chunks = 0
        self.behind_s = 0.0

    async def commit(self, flock: Flock) -> int:
        """Commit the next batch of each writer; returns the chunks."""
        chains = chain(flock.batches())
        ids = await self._metric_ids.resolve(chains[0].batches[0].points.keys)
        prepared = await asyncio.to_thread(prepare, chains, ids)
        assert prepared is not None
        async with self._pool.transaction() as connection:
            moved = await advance_positions(connection, chains)
            assert len(moved) == len(chains), "somebody else logged"
            await connection.copy_to_table(
                "metric_chunk", source=as_source(prepared.pieces), columns=COLUMNS, format="binary"
            )
        self.chunks += prepared.chunks
        return prepared.chunks

    async def keep_pace(self, flocks: Sequence[Flock]) -> None:
        """Commit all flocks every INTERVAL_S, one after the other, for ever."""
        due = time.monotonic()
        while True:
            for flock in flocks:
                due += INTERVAL_S / len(flocks)
                late_s = time.monotonic() - due
                self.behind_s = max(self.behind_s, late_s)
                await asyncio.sleep(max(0.0, -late_s))
                await self.commit(flock)


async def _observe(
    pool: Pool, started: Servers, flocks: Sequence[Flock], seconds: float, cost: float
) -> dict[str, Any]:
    commits = _Commits(pool)
    logging = asyncio.create_task(commits.keep_pace(flocks))
    try:
        await asyncio.sleep(WARM_S)
        before = await _small(pool)
        came, used, costs = commits.chunks, started.cpu_seconds(), Costs(os.getpid())
        samples, began = await _sample(pool, seconds, logging)
        took_s = time.monotonic() - began
        used, postgres_s = started.cpu_seconds() - used, costs.report()["postgresql_cpu_s"]
        came = commits.chunks - came
        merged = before + came - await _small(pool)
    finally:
        logging.cancel()
    rate = came / took_s
    return {
        "seconds": round(took_s),
        "chunks_per_second": round(rate),
        "most_behind_s": round(commits.behind_s, 1),
        "merged_per_second": round(merged / took_s),
        "debt": samples.debts,
        "debt_slope_per_second": round(samples.slope()),
        "debt_slope_share": round(samples.slope() / rate, 4),
        "debt_grows": samples.slope() > GROWS * rate,
        "small_chunks_before_and_after": [before, before + came - merged],
        "server_core_us_of_a_merged_chunk": round(used / merged * 1e6, 1),
        "postgresql_core_us_of_a_merged_chunk": round((postgres_s - cost * came) / merged * 1e6, 1),
        "servers_core_share": round(used / took_s, 2),
        "postgresql_core_share": round(postgres_s / took_s, 2),
    }


async def _sample(pool: Pool, seconds: float, logging: asyncio.Task[None]) -> tuple[Samples, float]:
    """Look at the debt every SAMPLE_S; returns also when that began."""
    samples, began = Samples(), time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        assert not logging.done(), logging.exception()
        async with pool.connection() as connection:
            samples.debts.append(int(await connection.fetchval(DEBT)))
        samples.seconds.append(now)
        await asyncio.sleep(SAMPLE_S)
    return samples, began


async def _small(pool: Pool) -> int:
    async with pool.connection() as connection:
        return int(await connection.fetchval(SMALL))
