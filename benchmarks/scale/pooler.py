"""What a transaction pooler takes: the same ingest through PgBouncer and directly, in turns, on one PostgreSQL."""

import asyncio
import os
import statistics
from collections.abc import Callable
from typing import Any

import asyncpg

from benchmarks.loads.streams import Shape
from benchmarks.loads.workloads import BULK_POINTS, in_processes
from benchmarks.measuring.surroundings import cpu_seconds, family, process_name
from benchmarks.scale.servers import Servers, open_folder, servers
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.upkeep.compactor import set_paused
from tests.harness.store.pgbouncer import running_pgbouncer

# As many connections to the database as one server may open: a pooler is for more servers, not for fewer connections.
POOLER_CONNECTIONS = 20
# What makes most transactions, and what makes the largest.
WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "batches of 1,000, four clients": lambda target: in_processes(target, 4, Shape(20, 50), 500),
    "batches of 20, four clients": lambda target: in_processes(target, 4, Shape(20, 1), 1_500),
    "large messages": lambda target: in_processes(target, 1, Shape(1, BULK_POINTS), 40),
}


async def compare(rounds: int) -> dict[str, Any]:
    """Measure in turns; the ratio of each workload is the median of those of its rounds."""
    with open_folder() as folder:
        async with EmbeddedPostgres(folder, Deadline(60)) as postgres:
            with (
                running_pgbouncer(postgres.url, size=POOLER_CONNECTIONS, round_robin=False) as pgbouncer,
                servers(postgres.url, 1) as direct,
                servers(pgbouncer.url(postgres.url), 1) as pooled,
            ):
                connection = await asyncpg.connect(postgres.url)
                await set_paused(connection, True)  # compaction would be counted for whoever's turn it is
                await connection.close()
                return {
                    name: await asyncio.to_thread(_turns, work, {"direct": direct, "pooled": pooled}, rounds)
                    for name, work in WORKLOADS.items()
                }


def _turns(work: Callable[[str], dict[str, Any]], ways: dict[str, Servers], rounds: int) -> dict[str, Any]:
    rates: dict[str, list[int]] = {way: [] for way in ways}
    costs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way in list(ways) if number % 2 else reversed(list(ways)):
            before = _used(ways[way])
            done = work(ways[way].targets[0])
            if not number:  # the first one opens connections and fills caches
                continue
            rates[way].append(done["points_per_second"])
            after = _used(ways[way])
            costs[way].append({it: (after[it] - before[it]) / done["points"] * 1e9 for it in after})
    ratios = [pooled / direct for direct, pooled in zip(rates["direct"], rates["pooled"], strict=True)]
    return {
        "points_per_second": rates,
        "ratios": [round(ratio, 2) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 2),
        "core_ns_of_a_point": {
            way: {it: round(statistics.median(each[it] for each in costs[way])) for it in costs[way][0]}
            for way in ways
        },
    }


def _used(started: Servers) -> dict[str, float]:
    """Return the processor seconds of the server, of PostgreSQL and of PgBouncer."""
    named: dict[str, list[int]] = {"postgres": [], "pgbouncer": []}
    for member in family(os.getpid()):
        for name in named:
            if process_name(member).startswith(name):
                named[name].append(member)
    return {"server": started.cpu_seconds(), **{name: cpu_seconds(its) for name, its in named.items()}}
