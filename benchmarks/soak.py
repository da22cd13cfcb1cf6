"""Does the server's memory stay flat under full load? Clients send as fast as it goes while it is watched.

One client sends large batches and three send small ones, each in rounds: a new run on a new connection, so that what
the server keeps of runs and connections would show, too. A stream that breaks is counted, and the next round begins.

The disk stays bounded: whenever the stored chunks pass STORED_BYTES_MAX, the table is emptied with TRUNCATE, as if
the runs had been deleted. Ingest waits for that moment; the server's memory does not know what is stored.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc

from benchmarks.loads.streams import Shape, as_fast_as_it_goes
from benchmarks.loads.workloads import BULK_POINTS
from benchmarks.measuring.surroundings import family, process_name, resident_mib

FULL_LOAD_S = 600.0
# Each client's batch, and how many make a round: some ten seconds.
LOADS = ((Shape(1, BULK_POINTS), 100), *[(Shape(20, 50), 2_000)] * 3)
STORED_BYTES_MAX = 6 * 2**30
SAMPLE_S = 1.0
# A longer step is a machine that stood still (a frozen container, a laptop that slept); it counts as this much.
STEP_MAX_S = 2.0
PERIOD_S = 600.0
LOOK_AT_DISK_S = 10.0
ROUND_BREAK_S = 1.0


def soak(uri: str, store: str, process_id: int, seconds: float) -> dict[str, Any]:
    """Load the server for so many seconds and watch its memory and that of its workers."""
    context = multiprocessing.get_context("spawn")
    stop, points, broken = context.Event(), context.Value("q", 0), context.Value("q", 0)
    loads = [
        context.Process(target=_load, args=(urlsplit(uri).netloc, shape, batches, stop, points, broken))
        for shape, batches in LOADS
    ]
    for load in loads:
        load.start()
    try:
        times, mib, emptied = _watch(store, process_id, seconds)
        sent = points.value
    finally:
        stop.set()
        for load in loads:
            load.join()
    return {
        "seconds_of_load": round(times[-1]),
        "points": sent,
        "points_per_second": round(sent / times[-1]),
        "broken_streams": broken.value,
        "times_emptied": emptied,
        **_summary(times, mib),
    }


def _watch(store: str, process_id: int, seconds: float) -> tuple[list[float], list[float], int]:
    """Return for each sample the seconds of load until then and the server's MiB; how often the table was emptied."""
    times, mib, emptied = [0.0], [_server_mib(process_id)], 0
    disk_due_s = LOOK_AT_DISK_S
    before = time.monotonic()
    while times[-1] < seconds:
        time.sleep(SAMPLE_S)
        now = time.monotonic()
        times.append(times[-1] + min(now - before, STEP_MAX_S))
        before = now
        mib.append(_server_mib(process_id))
        if times[-1] >= disk_due_s:
            emptied += asyncio.run(_empty_when_large(store))
            disk_due_s = times[-1] + LOOK_AT_DISK_S
    return times, mib, emptied


def _summary(times: Sequence[float], mib: Sequence[float]) -> dict[str, Any]:
    half = next(number for number, each in enumerate(times) if each >= times[-1] / 2)
    periods: dict[int, list[float]] = {}
    for when, each in zip(times[:-1], mib, strict=False):
        periods.setdefault(int(when / PERIOD_S), []).append(each)
    return {
        "server_mib_first_half_max": round(max(mib[:half])),
        "server_mib_second_half_median": round(statistics.median(mib[half:])),
        "server_mib_second_half_max": round(max(mib[half:])),
        "server_mib_max_of_each_10_minutes": [round(max(each)) for each in periods.values()],
        "server_mib_median_of_each_10_minutes": [round(statistics.median(each)) for each in periods.values()],
    }


def _server_mib(process_id: int) -> float:
    """The server with its workers; PostgreSQL's processes are not its memory."""
    return resident_mib(
        [each for each in family(process_id) if not process_name(each).startswith("postgres")]
    )


async def _empty_when_large(store: str) -> bool:
    connection = await asyncpg.connect(store)
    try:
        size: int = await connection.fetchval("SELECT pg_total_relation_size('metric_chunk')")
        if size > STORED_BYTES_MAX:
            await connection.execute("TRUNCATE metric_chunk")
        return size > STORED_BYTES_MAX
    finally:
        await connection.close()


def _load(
    target: str,
    shape: Shape,
    batches: int,
    stop: Event,
    points: "Synchronized[int]",
    broken: "Synchronized[int]",
) -> None:
    """Send round after round until told to stop; what a broken round sent is not counted."""
    while not stop.is_set():
        try:
            found = asyncio.run(as_fast_as_it_goes(target, 1, shape, batches))
        except grpc.aio.AioRpcError:
            time.sleep(ROUND_BREAK_S)
            with broken.get_lock():
                broken.value += 1
        else:
            with points.get_lock():
                points.value += found["points"]
