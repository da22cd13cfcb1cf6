"""Whether compaction keeps up with very many slow writers: its debt, while their small chunks come at their rate.

Each writer is one of `workloads.thousand_slow_runs`: ten metrics once a second, so ten chunks of one point. Their
clients, and what servers do to take their batches, would need more than two cores; so here nobody is a client. The
rows come from this program (`flocks.py`), through as many lanes as the servers would have, by the two statements of a
commit that matter to compaction. The servers only merge. Where compaction is behind, lanes let small pieces wait, as
those of servers do, and what is logged meanwhile comes in larger batches, as clients send it.

A series is merged once in some WAVE_S, so the debt of writers that began together is a wave. Here they began evenly
over such a time, and what is left of the wave is averaged away in windows of WINDOW_S. Where commits are slowed, a
level has to be found first: the first window begins after WARM_S.

Whether the debt grows is told by the line through the windows' means, and by how surely that is known: its slope lies
in an interval that is as wide as the means stray from the line (Student's t, SURE of all cases). The debt does not
grow where all of it is below GROWS of what comes, and grows where all is above; in between nothing is shown, and a
longer run may tell. Costs by window tell whether it would go on so.
"""

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.measuring.surroundings import Costs
from benchmarks.scale.calibration import opened
from benchmarks.scale.draining import new_database
from benchmarks.scale.flocks import INTERVAL_S, SHAPE, Commits, Flock, logging
from benchmarks.scale.servers import Servers, open_folder, servers
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.pressure import PACE_S
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.upkeep.compactor import compaction_state
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX

# Writers that log in step.
GROUP = 133
# From a merge of a series to its next one: 24 chunks, in whole rounds of some 10 to 20 s.
WAVE_S = 40.0
# As long as a round where commits are slowed, which is a wave then.
WINDOW_S = 60.0
# Until the rounds have found their length, in three or four of them.
WARM_S = 240.0
SAMPLE_S = 5.0
GROWS = 0.01
SURE = 0.95
SMALL = "SELECT count(*) FROM metric_chunk WHERE NOT compacted AND count < 3000"
# Points that are stored, and how far their writers are: as many, since they log nothing but points.
STORED = (
    "SELECT (SELECT sum(count) FROM metric_chunk) AS points, (SELECT sum(position) FROM writer) AS positions"
)
DATABASE, COPY = "begun", "debt"


@dataclass(frozen=True, slots=True)
class Sample:
    """The debt that the last rounds left, how far compaction is behind, how long commits wait; and sums so far."""

    second: float
    debt: int
    behind_s: float
    pace_s: float
    came: int
    postgres_s: float
    servers_s: float


def windows_of(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """Cut samples into windows; what is left over at the end counts in none."""
    size = round(WINDOW_S / SAMPLE_S)
    return [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]


def window_report(window: Sequence[Sample]) -> dict[str, Any]:
    """Tell the level of the debt in a window, and what keeping it there took."""
    first, last = window[0], window[-1]
    took_s = last.second - first.second
    return {
        "from_s": round(first.second),
        "debt_mean": round(_mean_debt(window)),
        "debt_max": max(each.debt for each in window),
        "behind_s_max": round(max(each.behind_s for each in window), 1),
        "chunks_per_second": round((last.came - first.came) / took_s),
        "postgresql_core_share": round((last.postgres_s - first.postgres_s) / took_s, 2),
        "servers_core_share": round((last.servers_s - first.servers_s) / took_s, 2),
    }


def growth_per_second(windows: Sequence[Sequence[Sample]]) -> tuple[float, float] | None:
    """Return how much the debt rises in a second, and how far that may be off; None of fewer than three windows."""
    freedom = len(windows) - 2
    if freedom < 1:
        return None
    seconds = np.array([each[0].second for each in windows])
    means = np.array([_mean_debt(each) for each in windows])
    slope, level = np.polyfit(seconds, means, 1)
    strays = means - (slope * seconds + level)
    error = math.sqrt((strays**2).sum() / freedom / ((seconds - seconds.mean()) ** 2).sum())
    return float(slope), student_quantile(freedom, (1 + SURE) / 2) * error


def student_quantile(freedom: int, share: float) -> float:
    """Return below what this share of Student's t lies; of a million drawn ones, so to a hundredth."""
    return float(np.quantile(np.random.default_rng(1).standard_t(freedom, 1_000_000), share))


def _mean_debt(window: Sequence[Sample]) -> float:
    return sum(each.debt for each in window) / len(window)


def judged(windows: Sequence[Sequence[Sample]]) -> dict[str, Any]:
    """Tell whether the debt grows over these windows, by what comes meanwhile; empty for fewer than three."""
    found = growth_per_second(windows)
    if found is None:
        return {}
    first, last = windows[0][0], windows[-1][-1]
    rate = (last.came - first.came) / (last.second - first.second)
    growth, off = (each / rate for each in found)
    if growth + off <= GROWS:
        verdict = "the debt does not grow"
    elif growth - off > GROWS:
        verdict = "the debt grows"
    else:
        verdict = "not shown whether the debt grows"
    return {
        "debt_means": [round(_mean_debt(each)) for each in windows],
        "chunks_per_second": round(rate),
        "debt_growth_share": round(growth, 4),
        "debt_growth_share_from_to": [round(growth - off, 4), round(growth + off, 4)],
        "verdict": f"{verdict}: {growth:+.1%} of what comes, between {growth - off:+.1%} and {growth + off:+.1%}",
    }


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
                again = [replace(each) for each in flocks]
                async with open_pool(store, Deadline(60)) as pool:
                    with servers(store, count) as started:
                        found[f"{count} servers"] = await _observe(pool, started, again, seconds, cost)
    return found


async def _begin(pool: Pool, writers: int) -> tuple[list[Flock], float]:
    """Let writers begin evenly over a wave, the last ones later; returns PostgreSQL's core seconds a chunk."""
    flocks = [Flock(await opened(pool, min(GROUP, writers - start))) for start in range(0, writers, GROUP)]
    commits, costs = Commits(pool, MetricIds(pool)), Costs(os.getpid())
    for number, flock in enumerate(flocks):
        # A series with FRESH_CHUNKS_MAX is the next to be merged.
        age = FRESH_CHUNKS_MAX - WAVE_S / INTERVAL_S * number / len(flocks)
        flock.begins_in_s = max(0.0, -age * INTERVAL_S)
        for _ in range(round(age)):
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
        began = time.monotonic()
        samples = [
            Sample(
                second,
                *seen,
                pressure.pace_s,
                commits.chunks,
                costs.report()["postgresql_cpu_s"],
                started.cpu_seconds(),
            )
            async for second, seen in _seen(pool, seconds)
        ]
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
    rate, windows = came / took_s, windows_of(samples)
    return {
        "seconds": round(took_s),
        "points_logged_per_second": round(wanted * len(SHAPE)),
        "points_committed_per_second": round(points / took_s),
        "points_acknowledged_and_stored_once": acknowledged,
        "chunks_per_second": round(rate),
        "merged_per_second": round(merged / took_s),
        "small_chunks_before_and_after": [before, after],
        "windows": [window_report(each) for each in windows],
        **judged(windows),
        "commits_were_slowed": max(each.pace_s for each in samples) > PACE_S,
        "debt": [each.debt for each in samples],
        "compaction_behind_s": [round(each.behind_s) for each in samples],
        "commit_pace_s": [round(each.pace_s, 1) for each in samples],
        "lag_s_p50_p99_max": [round(float(np.percentile(lags_s, each)), 2) for each in (50, 99, 100)],
        "transactions_per_second": round(transactions / took_s, 1),
        "server_core_us_of_a_merged_chunk": round(used / merged * 1e6, 1),
        "postgresql_core_us_of_a_merged_chunk": round((postgres_s - cost * came) / merged * 1e6, 1),
        "servers_core_share": round(used / took_s, 2),
        "postgresql_core_share": round(postgres_s / took_s, 2),
        "this_program_core_share": round(own_s / took_s, 2),
    }


async def _seen(pool: Pool, seconds: float) -> AsyncIterator[tuple[float, tuple[int, float]]]:
    """Look every SAMPLE_S: yields the second, and the debt and how far compaction is behind."""
    began = time.monotonic()
    for number in range(int(seconds / SAMPLE_S) + 1):
        await asyncio.sleep(began + number * SAMPLE_S - time.monotonic())
        async with pool.connection() as connection:
            state = await compaction_state(connection)
        yield time.monotonic() - began, (state.fresh_chunks, state.round_age_s)


async def _small(pool: Pool) -> int:
    async with pool.connection() as connection:
        return int(await connection.fetchval(SMALL))
