"""Does a database that has grown still take points as fast as an empty one?

    python -m benchmarks.growth FOLDER fill --points 1000000000
    python -m benchmarks.growth FOLDER probe

The grown database is in FOLDER. Filling is a step of its own, so that it may take its time; `probe` measures an empty
database and the grown one in turns, and needs the machine for itself. `python -m benchmarks` probes, fills and probes
one database with a smaller number of points.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import grpc

from benchmarks.loads.streams import Shape
from benchmarks.loads.workloads import BULK_POINTS, in_processes
from benchmarks.measuring.surroundings import surroundings
from stepwell_server.maintenance import compact_everything
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.embedded import running_url
from stepwell_server.store.postgres.pool import SESSION_SETTINGS, Pool
from tests.harness.servers.processes import ServerProcess

PROXY_POINTS = 50_000_000
BULK, SMALL = Shape(1, BULK_POINTS), Shape(20, 50)
# What a probe sends, and how often; its result is the median.
PROBE_BATCHES = {"batches of 1,000": (SMALL, 2_000), "bulk": (BULK, 60)}
PROBES = 5
VACUUM_S = 900.0
# One in fifty points comes in small batches; each round of filling has runs of its own.
SMALL_SHARE = 0.02
FILLING_CLIENTS = 2
ROUND_POINTS = 25_000_000
# As many go through the server; what is beyond is copied inside the database.
SENT_POINTS_MAX = 250_000_000

STORED_POINTS = "SELECT coalesce(sum(count), 0)::bigint FROM metric_latest"
COPIED_TABLES = ("run", "writer", "metric_latest", "metric_chunk")
COLUMNS_OF_RUNS = """
    SELECT attrelid::regclass::text AS table, string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns
    FROM pg_attribute
    WHERE attrelid = ANY ($1::text[]::regclass[]) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
      AND attname <> 'run_id'
    GROUP BY attrelid
"""

Found = dict[str, list[int]]


def growth(uri: str, store: str, points: int, scale: float) -> dict[str, Any]:
    """Probe, fill the database with so many points, and probe again."""
    target = urlsplit(uri).netloc
    before = probe(target, store, scale)
    fill(target, store, points)
    between = asyncio.run(_stored_points(store))
    return {"points_between": between, **compared(before, probe(target, store, scale))}


def compared(before: Found, after: Found) -> dict[str, Any]:
    """Put the probes of an empty and of a grown database beside each other."""
    ratio = {
        kind: round(statistics.median(after[kind]) / statistics.median(before[kind]), 2) for kind in before
    }
    return {"empty": before, "grown": after, "ratio": ratio}


def fill(target: str, store: str, points: int) -> None:
    """Store so many points: the first through the server, most of them in large batches, then copies of these runs.

    The copies are made by the database, under new ids; so the rows are those of the server, and come with less work.
    """
    while (missing := min(points, SENT_POINTS_MAX) - asyncio.run(_stored_points(store))) > 0:
        for shape, share in ((BULK, 1 - SMALL_SHARE), (SMALL, SMALL_SHARE)):
            count = min(missing, ROUND_POINTS) * share / FILLING_CLIENTS
            with suppress(
                grpc.aio.AioRpcError, multiprocessing.TimeoutError
            ):  # a round that breaks is made up for
                in_processes(target, FILLING_CLIENTS, shape, max(1, math.ceil(count / len(shape))))
    asyncio.run(_multiply(store, points))


async def _multiply(store: str, points: int) -> None:
    """Copy runs until so many points are stored, each in one transaction."""
    connection = await asyncpg.connect(store)
    try:
        stored = int(await connection.fetchval(STORED_POINTS))
        runs = await connection.fetch(
            "SELECT run_id, sum(count)::bigint AS points FROM metric_latest GROUP BY run_id"
        )
        columns = {
            row["table"]: row["columns"] for row in await connection.fetch(COLUMNS_OF_RUNS, COPIED_TABLES)
        }
        for run in cycle(runs):
            if stored >= points:
                return
            async with connection.transaction():
                copy_id = uuid4()
                for table in COPIED_TABLES:
                    await connection.execute(
                        f"INSERT INTO {table} (run_id, {columns[table]}) SELECT $2, {columns[table]}"
                        f" FROM {table} WHERE run_id = $1",
                        run["run_id"],
                        copy_id,
                    )
            stored += run["points"]
            print(f"{stored:,} points", file=sys.stderr, flush=True)
    finally:
        await connection.close()


def probe(target: str, store: str, scale: float, times: int = PROBES) -> Found:
    """Measure with small and with large batches, when nothing waits for compaction, vacuum or checkpoint: points/s."""
    asyncio.run(_settle(store))
    found: Found = {kind: [] for kind in PROBE_BATCHES}
    for _ in range(times):
        for kind, (shape, batches) in PROBE_BATCHES.items():
            result = in_processes(target, 1, shape, max(16, int(batches * scale)))
            found[kind].append(result["points_per_second"])
    return found


async def _settle(store: str) -> None:
    async with asyncpg.create_pool(
        store, server_settings=SESSION_SETTINGS, min_size=1, max_size=2
    ) as connections:
        await compact_everything(Pool(connections))
        await connections.execute("VACUUM (ANALYZE)", timeout=VACUUM_S)
        await connections.execute("CHECKPOINT", timeout=VACUUM_S)


async def _stored_points(store: str) -> int:
    return int(await _ask(store, STORED_POINTS))


async def _ask(store: str, question: str) -> Any:
    connection = await asyncpg.connect(store)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@contextmanager
def server_in(folder: Path) -> Iterator[tuple[str, str]]:
    """A server on the database in a folder; yields its address and its store."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
    with ServerProcess("--data", str(folder / "data")) as server:
        store = running_url(folder / "data")
        assert store is not None
        yield f"127.0.0.1:{server.port}", store


def probe_in_turns(grown: Path) -> dict[str, Any]:
    """Probe an empty database and the grown one, one at a time in turns."""
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory(prefix="stepwell-growth-") as empty:
        for _ in range(PROBES):
            for name, folder in (("empty", Path(empty)), ("grown", grown)):
                with server_in(folder) as (target, store):
                    each = probe(target, store, scale=1.0, times=1)
                for kind, rates in each.items():
                    found.setdefault(name, {}).setdefault(kind, []).extend(rates)
    return compared(found["empty"], found["grown"])


def main() -> None:
    """Take one step and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the grown database is, or will be")
    parser.add_argument("step", choices=["fill", "probe"])
    parser.add_argument("--points", type=int, default=1_000_000_000, help="how many to fill in")
    arguments = parser.parse_args()
    set_up_logs("text", "warning")
    report: dict[str, Any] = surroundings()
    with server_in(arguments.folder) as (target, store):
        if arguments.step == "fill":
            fill(target, store, arguments.points)
        report["points"] = asyncio.run(_stored_points(store))
        report["database_bytes"] = asyncio.run(_ask(store, "SELECT pg_database_size(current_database())"))
    if arguments.step == "probe":
        report |= probe_in_turns(arguments.folder)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
