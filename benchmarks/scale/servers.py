"""Several servers on one database: lags at the same load, and every point once while writers move and servers die."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.loads.streams import Lags, Shape
from benchmarks.measuring.surroundings import cpu_seconds, family
from benchmarks.scale.moving import MovingWriter
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from tests.harness.servers.processes import ServerProcess

SHAPE = Shape(10, 20)
INTERVAL_S = 0.5
STAY_S = 2.0
KILL_EVERY_S = 10.0
FOR_EVER_S = 3_600.0
STORED = """
    SELECT count(*) AS points, count(DISTINCT (run_id, key, step)) AS different FROM metric_points
    WHERE run_id = ANY ($1::uuid[])
"""


class Servers:
    """Servers of one database, on ports that they keep."""

    def __init__(self, store: str, count: int) -> None:
        self._store = store
        self._running = [ServerProcess("--store", store, "--no-http") for _ in range(count)]
        self.targets = [f"127.0.0.1:{server.port}" for server in self._running]

    def kill_one(self, number: int) -> None:
        """Kill a server as kill -9 does, and start it again."""
        server = self._running[number]
        port = str(server.port)
        server.kill()
        server.close()
        self._running[number] = ServerProcess("--store", self._store, "--no-http", "--grpc-port", port)

    def cpu_seconds(self) -> float:
        """Return what those that run have used."""
        return sum(cpu_seconds(family(server.process.pid)) for server in self._running)

    def close(self) -> None:
        """End them."""
        for server in self._running:
            server.close()


@contextmanager
def servers(store: str, count: int) -> Iterator[Servers]:
    """Start servers of one database."""
    started = Servers(store, count)
    try:
        yield started
    finally:
        started.close()


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder for a database whose PostgreSQL may run as a user of its own."""
    with tempfile.TemporaryDirectory(prefix="stepwell-scale-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def measure(counts: list[int], writers: int, seconds: float) -> dict[str, Any]:
    """Measure each number of servers at the same load, then the last one with moves and kills."""
    found: dict[str, Any] = {}
    with open_folder() as folder:
        async with EmbeddedPostgres(folder, Deadline(60)) as postgres:
            for count in counts:
                with servers(postgres.url, count) as started:
                    found[f"{count} servers"] = await _load(
                        postgres.url, started, writers, seconds, FOR_EVER_S
                    )
            with servers(postgres.url, counts[-1]) as started:
                killing = asyncio.create_task(_kill(started))
                try:
                    moved = await _load(postgres.url, started, writers, seconds, STAY_S)
                finally:
                    killing.cancel()
                found[f"{counts[-1]} servers, writers that move, kills"] = moved
    first, last = (found[f"{count} servers"]["lag_p99_ms"] for count in (counts[0], counts[-1]))
    return {**found, "p99_ratio": round(last / first, 2)}


async def _load(store: str, started: Servers, writers: int, seconds: float, stay_s: float) -> dict[str, Any]:
    lags = Lags()
    opened = [MovingWriter(SHAPE, number, lags) for number in range(writers)]
    batches = int(seconds / INTERVAL_S)
    used, start_s = started.cpu_seconds(), time.monotonic() + 1
    await asyncio.gather(
        *[
            writer.log(started.targets, batches, INTERVAL_S, stay_s, start_s + INTERVAL_S * number / writers)
            for number, writer in enumerate(opened)
        ]
    )
    took_s = time.monotonic() - start_s
    connection = await asyncpg.connect(store)
    try:
        row = await connection.fetchrow(STORED, [writer.run_id for writer in opened])
    finally:
        await connection.close()
    wanted = writers * batches * len(SHAPE)
    assert (row["points"], row["different"]) == (wanted, wanted), (dict(row), wanted)
    return {
        "points": wanted,
        "seconds": round(took_s, 1),
        "moves": sum(writer.moves for writer in opened),
        "servers_core_share": round((started.cpu_seconds() - used) / took_s, 2),
        **lags.report(),
    }


async def _kill(started: Servers) -> None:
    """Kill one server after the other."""
    chosen = random.Random(1)
    while True:
        await asyncio.sleep(KILL_EVERY_S)
        await asyncio.to_thread(started.kill_one, chosen.randrange(len(started.targets)))
