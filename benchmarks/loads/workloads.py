"""The workloads, shaped like real training. Each is seeded, and takes the tracking URI and a scale.

The scale is 1 for the full measurement and smaller for a quick look; it shortens a workload and changes nothing else.
"""

import asyncio
import multiprocessing
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.arrays import log_series_loop
from benchmarks.ingest import log_metric_loops
from benchmarks.loads.streams import Shape, as_fast_as_it_goes, at_a_rate

Result = dict[str, Any]
Workload = Callable[[str, float], Result]

# The pieces in which steady loops send what they log: a fourth of what the client lingers, and so the harder case.
FLUSH_S = 0.05
# What one message holds at most, near its 8 MiB: the best case for arrays.
BULK_POINTS = 131_072


def one_fast_loop(uri: str, scale: float) -> Result:
    """One process that logs 5 metrics as fast as log_metric takes them."""
    return log_metric_loops(uri, 1, int(1_000_000 * scale), 5)


def two_fast_loops(uri: str, scale: float) -> Result:
    """Two processes that log 5 metrics each as fast as log_metric takes them."""
    return log_metric_loops(uri, 2, int(1_000_000 * scale), 5)


def sixteen_jobs(uri: str, scale: float) -> Result:
    """16 jobs with 20 metrics at 100 Hz (32,000 points/s), in the pieces that the client makes of it."""
    shape = Shape(metrics=20, points=round(100 * FLUSH_S))
    return _run(at_a_rate(_target(uri), 16, shape, FLUSH_S, FLUSH_S, 40 * scale))


def sixty_four_ranks(uri: str, scale: float) -> Result:
    """64 ranks that log the same 20 metrics into one run, 50 points of each a batch, as fast as it goes."""
    return _run(as_fast_as_it_goes(_target(uri), 64, Shape(20, 50), max(2, int(30 * scale)), one_run=True))


def thousand_slow_runs(uri: str, scale: float) -> Result:
    """1,000 connected runs that log 10 metrics once a second each (10,000 points/s, all in pieces of one point)."""
    return _run(at_a_rate(_target(uri), 1_000, Shape(10, 1), 1.0, FLUSH_S, 40 * scale))


def one_slow_run(uri: str, scale: float) -> Result:
    """One run that logs 10 metrics once, waits for their commit, and goes on: what a commit of few points costs."""
    return _run(
        as_fast_as_it_goes(_target(uri), 1, Shape(10, 1), max(50, int(1_000 * scale)), under_way_max=1)
    )


def five_thousand_metrics(uri: str, scale: float) -> Result:
    """One run with 5,000 metrics that logs all of them every 10 s; here every 2 s, to see more of them."""
    return _run(at_a_rate(_target(uri), 1, Shape(5_000, 1), 2.0, FLUSH_S, max(10, 40 * scale)))


def array_bulk_load(uri: str, scale: float) -> Result:
    """One process that calls `log_series` with arrays of a million points of one metric, float32 values."""
    return log_series_loop(uri, max(4, int(40 * scale)), "float32")


def array_bulk_load_float64(uri: str, scale: float) -> Result:
    """The same with values that need 64 bits."""
    return log_series_loop(uri, max(4, int(40 * scale)), "float64")


def large_messages(uri: str, scale: float) -> Result:
    """The most that the wire gives: one client that sends messages of 131,072 points made from numpy columns."""
    return in_processes(_target(uri), 1, Shape(1, BULK_POINTS), max(8, int(160 * scale)))


def batches_of_1000_one_client(uri: str, scale: float) -> Result:
    """One client that sends batches of 1,000 points: 20 metrics with 50 points each."""
    return in_processes(_target(uri), 1, Shape(20, 50), int(3_000 * scale))


def batches_of_1000_four_clients(uri: str, scale: float) -> Result:
    """Four clients, in processes and runs of their own, that send such batches."""
    return in_processes(_target(uri), 4, Shape(20, 50), int(1_500 * scale))


WORKLOADS: dict[str, Workload] = {
    workload.__name__: workload
    for workload in (
        one_fast_loop,
        two_fast_loops,
        sixteen_jobs,
        sixty_four_ranks,
        thousand_slow_runs,
        one_slow_run,
        five_thousand_metrics,
        array_bulk_load,
        array_bulk_load_float64,
        large_messages,
        batches_of_1000_one_client,
        batches_of_1000_four_clients,
    )
}


def _target(uri: str) -> str:
    return urlsplit(uri).netloc


def _run(work: Any) -> Result:
    result: Result = asyncio.run(work)
    return result


def in_processes(target: str, clients: int, shape: Shape, batches: int) -> Result:
    """Let clients in processes of their own send as fast as it goes; the rate is over the longest."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(clients) as pool:
        pool.map(abs, range(clients))  # all processes are up before the clock runs
        jobs = [pool.apply_async(_client, (target, number, shape, batches)) for number in range(clients)]
        reports = [job.get(900) for job in jobs]
    seconds = max(report["seconds"] for report in reports)
    points = sum(report["points"] for report in reports)
    return {
        "points": points,
        "seconds": seconds,
        "points_per_second": round(points / seconds),
        "lag_p99_ms": max(report["lag_p99_ms"] for report in reports),
    }


def _client(target: str, number: int, shape: Shape, batches: int) -> Result:
    return _run(as_fast_as_it_goes(target, 1, shape, batches, seed=number))
