"""Stepwell, MLflow's server, FastTrackML and plain COPY on one PostgreSQL, one after the other, in one run.

    python -m benchmarks.compare [--quick] [--markdown FILE]

The PostgreSQL is Stepwell's embedded one with its settings, so all have the same; fsync is on. The peers are installed
from PyPI into .venv-compare. Prints JSON.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.compare.peers import PEERS, Peer, environment_of, running_peer
from benchmarks.compare.rest import log_batches
from benchmarks.compare.table import write_comparison
from benchmarks.loads.streams import Shape
from benchmarks.loads.workloads import BULK_POINTS, Result, in_processes
from benchmarks.measuring.surroundings import surroundings
from benchmarks.stations import copying
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import named

BATCH = Shape(20, 50)
BULK = Shape(1, BULK_POINTS)
CLIENTS = (1, 4)
# Batches of each client: some ten seconds of each server's work.
STEPWELL_BATCHES, COPY_BATCHES = 4_000, 500
PEER_BATCHES = {"mlflow": 30, "fasttrackml": 200}
TABLES_OF_POINTS = {"mlflow": ("metrics", "latest_metrics"), "fasttrackml": ("metrics", "latest_metrics")}

Measure = Callable[[str], dict[str, Any]]


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder for the time of the context that PostgreSQL may enter as a user of its own."""
    with tempfile.TemporaryDirectory(prefix="stepwell-compare-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """One PostgreSQL for all, with fsync."""
    with public_folder() as folder:
        async with EmbeddedPostgres(folder, Deadline(10)) as embedded:
            yield embedded.url


async def with_database(store: str, name: str, measure: Measure) -> dict[str, Any]:
    """Make a database, measure in it, and drop it."""
    connection = await asyncpg.connect(store)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        try:
            return await asyncio.to_thread(measure, named(store, name))
        finally:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            await connection.execute("CHECKPOINT")  # what one left to be written is not the next one's burden
    finally:
        await connection.close()


def of_stepwell(batches: int) -> Measure:
    """Stepwell's server in a process of its own."""

    def measure(store: str) -> dict[str, Any]:
        with ServerProcess("--store", store) as server:
            target = f"127.0.0.1:{server.port}"
            in_processes(target, 1, BATCH, 20)  # warm
            found: dict[str, Any] = {
                f"{clients} clients": in_processes(target, clients, BATCH, batches) for clients in CLIENTS
            }
            found["bulk"] = in_processes(target, 1, BULK, max(16, batches // 40))
        return {"durable": "committed to PostgreSQL with fsync", **found}

    return measure


def of_peer(peer: Peer, batches: int) -> Measure:
    """A peer's server in a process of its own."""

    def measure(store: str) -> dict[str, Any]:
        with running_peer(peer, store) as port:
            log_batches(port, 1, BATCH, 2)  # warm
            found: dict[str, Any] = {
                f"{clients} clients": log_batches(port, clients, BATCH, batches) for clients in CLIENTS
            }
        points = sum(result["points"] for result in found.values()) + 2 * len(BATCH)
        return {"durable": peer.durable, "bytes_per_point": asyncio.run(_bytes(store, peer, points)), **found}

    return measure


async def _bytes(store: str, peer: Peer, points: int) -> float:
    connection = await asyncpg.connect(store)
    try:
        sizes = [
            await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", table)
            for table in TABLES_OF_POINTS[peer.name]
        ]
    finally:
        await connection.close()
    return round(sum(sizes) / points, 1)


def of_copy(transactions: int) -> Measure:
    """COPY of the chunks of the same batches, on one connection, with nothing else: the limit."""

    def measure(store: str) -> dict[str, Any]:
        asyncio.run(migrate(store))
        return {
            "durable": "committed to PostgreSQL with fsync",
            "1 clients": asyncio.run(copying(store, BATCH, 5 * transactions)),
            "bulk": asyncio.run(copying(store, BULK, max(16, transactions // 5))),
        }

    return measure


def ratios(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """What the goals of speed are about."""

    def rate(name: str, kind: str) -> float:
        result: Result = found[name][kind]
        return float(result["points_per_second"])

    return {
        **{
            f"to {peer.name}, {clients} clients": round(
                rate("stepwell", f"{clients} clients") / rate(peer.name, f"{clients} clients"), 1
            )
            for peer in PEERS
            for clients in CLIENTS
        },
        "bulk to COPY of the same chunks": round(rate("stepwell", "bulk") / rate("copy", "bulk"), 2),
    }


async def compare(scale: float) -> dict[str, dict[str, Any]]:
    """Measure one after the other."""
    measures: dict[str, Measure] = {
        "stepwell": of_stepwell(int(STEPWELL_BATCHES * scale)),
        "copy": of_copy(int(COPY_BATCHES * scale)),
        **{peer.name: of_peer(peer, max(5, int(PEER_BATCHES[peer.name] * scale))) for peer in PEERS},
    }
    found = {}
    async with postgres() as store:
        for name, measure in measures.items():
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            found[name] = await with_database(store, f"compare_{name}", measure)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    parser.add_argument("--markdown", type=Path, help="write the table into this file too")
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    for peer in PEERS:
        environment_of(peer)
    around = surroundings()
    found = asyncio.run(compare(0.2 if arguments.quick else 1.0))
    report = {
        **around,
        "batch": "1,000 points: 20 metrics with 50 points each",
        "results": found,
        "ratios": ratios(found),
    }
    print(json.dumps(report, indent=1))
    if arguments.markdown:
        write_comparison(arguments.markdown, report)


if __name__ == "__main__":
    main()
