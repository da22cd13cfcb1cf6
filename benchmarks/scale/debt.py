"""Whether compaction keeps up with very many slow writers: its debt, while their small chunks come at their rate.

Each writer is one of `workloads.thousand_slow_runs`: ten metrics once a second, so ten chunks of one point. Their
clients, and what servers do to take their batches, would need more than two cores; so here nobody is a client. The
rows come from this program (`flocks.py`), through as many lanes as the servers would have, by the two statements of a
commit that matter to compaction. The servers only merge. Where compaction is behind, lanes let small pieces wait, as
those of servers do, and what is logged meanwhile comes in larger batches, as clients send it.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.measuring.surroundings import Costs
from benchmarks.scale.calibration import opened
from benchmarks.scale.draining import new_database
from benchmarks.scale.flocks import INTERVAL_S, SHAPE, Commits, Flock, logging
from benchmarks.scale.servers import Servers, open_folder, servers
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.pressure import Pressure
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.upkeep.compactor import compaction_state
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX

# Writers that log in step.
GROUP = 133
# Until every series was merged once: half a minute in which chunks are left alone, a minute until there are 64 of
# them, and a round of compaction.
WARM_S = 150.0
SAMPLE_S = 5.0
# The debt grows, where more than this share of what comes is left.
GROWS = 0.01
SMALL = "SELECT count(*) FROM metric_chunk WHERE NOT compacted AND count < 3000"
# Points that are stored, and how far their writers are: as many, since they log nothing but points.
STORED = (
    "SELECT (SELECT sum(count) FROM metric_chunk) AS points, (SELECT sum(position) FROM writer) AS positions"
)
DATABASE, COPY = "begun", "debt"


@dataclass(slots=True)
class Samples:
    """By the time: the debt that the last rounds left, how far compaction was behind, how long commits waited."""

    seconds: list[float] = field(default_factory=list)
    debts: list[int] = field(default_factory=list)
    behind_s: list[int] = field(default_factory=list)
    paces_s: list[float] = field(default_factory=list)

    def slope(self) -> float:
        """Return how much the debt grows in a second."""
        return float(np.polyfit(self.seconds, self.debts, 1)[0])


async def owe(counts: list[int], writers: int, seconds: float) -> dict[str, Any]:
    """Measure each number of servers."""
    found: dict[str, Any] = {
        "writers": writers,
        "chunks_wanted_per_second": round(writers * SHAPE.metrics / INTERVAL_S),
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
    commits, costs = Commits(pool, MetricIds(pool)), Costs(os.getpid())
    for number, flock in enumerate(flocks):
        for _ in range(FRESH_CHUNKS_MAX * (number + 1) // len(flocks)):
            await commits.commit(await commits.prepare(flock.batches()))
    return flocks, costs.report()["postgresql_cpu_s"] / commits.chunks


async def _observe(
    pool: Pool, started: Servers, flocks: Sequence[Flock], seconds: float, cost: float
) -> dict[str, Any]:
    async with logging(pool, flocks, len(started.targets)) as (commits, log, pressure):
        await asyncio.sleep(WARM_S)
        wanted = sum(len(flock.identities) for flock in flocks) / INTERVAL_S
        came, points, transactions = commits.chunks, commits.points, commits.transactions
        before = await _small(pool)
        used, costs, own_s = started.cpu_seconds(), Costs(os.getpid()), time.process_time()
        log.lags_s.clear()
        samples, began = await _sample(pool, seconds, pressure)
        took_s = time.monotonic() - began
        used, postgres_s = started.cpu_seconds() - used, costs.report()["postgresql_cpu_s"]
        own_s = time.process_time() - own_s
        came, points = commits.chunks - came, commits.points - points
        transactions = commits.transactions - transactions
        lags_s = list(log.lags_s)
        merged = before + came - (after := await _small(pool))
    async with pool.connection() as connection:
        stored = await connection.fetchrow(STORED)
    acknowledged = sum(len(flock.identities) * flock.step * len(SHAPE) for flock in flocks)
    assert stored["points"] == stored["positions"] == acknowledged, (dict(stored), acknowledged)
    rate = came / took_s
    return {
        "seconds": round(took_s),
        "points_logged_per_second": round(wanted * len(SHAPE)),
        "points_committed_per_second": round(points / took_s),
        "points_acknowledged_and_stored_once": acknowledged,
        "chunks_per_second": round(rate),
        "merged_per_second": round(merged / took_s),
        "small_chunks_before_and_after": [before, after],
        "debt": samples.debts,
        "debt_slope_per_second": round(samples.slope()),
        "debt_slope_share": round(samples.slope() / rate, 4),
        "debt_grows": samples.slope() > GROWS * rate,
        "compaction_behind_s": samples.behind_s,
        "commit_pace_s": samples.paces_s,
        "lag_s_p50_p99_max": [round(float(np.percentile(lags_s, each)), 2) for each in (50, 99, 100)],
        "transactions_per_second": round(transactions / took_s, 1),
        "server_core_us_of_a_merged_chunk": round(used / merged * 1e6, 1),
        "postgresql_core_us_of_a_merged_chunk": round((postgres_s - cost * came) / merged * 1e6, 1),
        "servers_core_share": round(used / took_s, 2),
        "postgresql_core_share": round(postgres_s / took_s, 2),
        "this_program_core_share": round(own_s / took_s, 2),
    }


async def _sample(pool: Pool, seconds: float, pressure: Pressure) -> tuple[Samples, float]:
    """Look every SAMPLE_S; returns also when that began."""
    samples, began = Samples(), time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        async with pool.connection() as connection:
            state = await compaction_state(connection)
        samples.seconds.append(now)
        samples.debts.append(state.fresh_chunks)
        samples.behind_s.append(round(state.round_age_s))
        samples.paces_s.append(round(pressure.pace_s, 1))
        await asyncio.sleep(SAMPLE_S)
    return samples, began


async def _small(pool: Pool) -> int:
    async with pool.connection() as connection:
        return int(await connection.fetchval(SMALL))
