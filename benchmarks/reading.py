"""How long reading takes at the client: samples for charts, and whole histories.

    python -m benchmarks.reading [--longest 100000000] [--runs 100] [--repeats 7]

Seeds series by COPY into a database of its own, starts a server on it, and reads through `stepwell` in this process.
Every figure is the median of several calls, in milliseconds, after one call that nobody counts. Prints JSON.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

import stepwell
from benchmarks.loads.seeded_series import SeededRun, seed_run
from benchmarks.measuring.surroundings import surroundings
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.servers.processes import ServerProcess

STOP_S = 60.0


def milliseconds(call: Callable[[], Any], repeats: int) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return round(statistics.median(times[1:]) * 1_000, 1)


async def seed(store: str, arguments: argparse.Namespace) -> dict[str, list[SeededRun]]:
    """Fill the database."""
    await migrate(store)
    connection = await asyncpg.connect(store)
    seeded = {
        "million": [await seed_run(connection, 1_000_000)],
        "long": [await seed_run(connection, arguments.longest // 10)],
        "longest": [await seed_run(connection, arguments.longest)],
        "many": [await seed_run(connection, 100_000) for _ in range(arguments.runs)],
    }
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return seeded


def calls(uri: str, ids: Mapping[str, Sequence[str]], longest: int) -> dict[str, Callable[[], Any]]:
    """Return what is read of a server, by name: of runs like those of `seed`, `longest` being points of the longest."""
    one_percent = (longest // 2, longest // 2 + longest // 100 - 1)

    def sample(name: str, buckets: int, **options: Any) -> Callable[[], Any]:
        return lambda: stepwell.sample_series(ids[name], "loss", buckets=buckets, tracking_uri=uri, **options)

    return {
        "overview_long_1000_buckets": sample("long", 1_000),
        "overview_longest_1000_buckets": sample("longest", 1_000),
        "overview_longest_by_time_1000_buckets": sample("longest", 1_000, x_axis="time"),
        "zoom_into_1_percent_of_longest_1000_buckets": sample("longest", 1_000, x_range=one_percent),
        "many_runs_500_buckets": sample("many", 500),
        "history_of_a_million_points": lambda: stepwell.get_metric_series(
            ids["million"], "loss", tracking_uri=uri
        ),
    }


def measure(uri: str, seeded: dict[str, list[SeededRun]], repeats: int) -> dict[str, float]:
    """Read what was seeded."""
    ids = {name: [run.run_id.hex for run in runs] for name, runs in seeded.items()}
    reads = calls(uri, ids, seeded["longest"][0].points)
    return {f"{name}_ms": milliseconds(call, repeats) for name, call in reads.items()}


async def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seed, start a server, measure."""
    async with EmbeddedPostgres(folder, Deadline(STOP_S), fsync=False) as postgres:
        seeded = await seed(postgres.url, arguments)
        with ServerProcess("--store", postgres.url) as server:
            return await asyncio.to_thread(measure, server.tracking_uri, seeded, arguments.repeats)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--longest", type=int, default=100_000_000, help="points of the longest series")
    parser.add_argument("--runs", type=int, default=100, help="with 100,000 points each")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        result = asyncio.run(run(Path(folder), arguments))
    print(json.dumps({"workload": "reading", **vars(arguments), **result, **surroundings()}))


if __name__ == "__main__":
    main()
