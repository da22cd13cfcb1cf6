"""What a log call costs the training loop, with the server up, down and slow; and what the client takes of memory.

    python -m benchmarks.log_calls [--calls 10000000] [--memory-points 100000000] [--only up,down,slow,slowdown,memory]

Every call is timed by itself, in a process of its own that is pinned to one core while the server has the others. The
timer's own cost (about 0.05 us) is in the figures. What was logged is durable against `kill -9` when a call returns:
it is in the page cache of the kernel. Prints one line of JSON for each workload.

`above_5_ms` counts all such calls; `above_5_ms_without_others` those that took as long without the time in which other
processes of the machine had the core (core_watch.py).
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring.core_watch import CoreWatch
from benchmarks.measuring.surroundings import surroundings
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess

NOBODY = "grpc://127.0.0.1:1"
SLOW_BYTES_PER_S = 200_000
MB = 1_000_000
STALL_NS = 5_000_000
MARK_EVERY = 4_096  # calls; the call after a mark is slower
STEPS_PER_ROUND = 2_000
_BLOCK = bytes(1_000)  # short enough that hashing it keeps the interpreter


def percentiles(nanoseconds: "array[int]") -> dict[str, float]:
    """Minimum, median, 99 %, 99.9 % and maximum, in microseconds."""
    ordered = sorted(nanoseconds)
    count = len(ordered)
    at = {
        "min": 0,
        "median": count // 2,
        "p99": int(count * 0.99),
        "p99.9": int(count * 0.999),
        "max": count - 1,
    }
    return {name: round(ordered[index] / 1_000, 3) for name, index in at.items()}


def time_calls(calls: int, call: Callable[[int], None]) -> dict[str, Any]:
    """Time each call."""
    clock, taken, watch, stalls = time.perf_counter_ns, array("q", bytes(8 * calls)), CoreWatch(), []
    for step in range(calls):
        if step % MARK_EVERY == 0:
            watch.mark()
        begun = clock()
        call(step)
        taken[step] = took = clock() - begun
        if took > STALL_NS:
            stalls.append(took - watch.others_ns())
            watch.mark()
    return {
        "calls": calls,
        "microseconds": percentiles(taken),
        "above_5_ms": len(stalls),
        "above_5_ms_without_others": sum(ours > STALL_NS for ours in stalls),
    }


def log_metric_calls(calls: int) -> dict[str, Any]:
    """One point a call."""
    import stepwell

    log_metric = stepwell.log_metric
    with stepwell.start_run():
        log_metric("loss", 0.5, step=0)
        return time_calls(calls, lambda step: log_metric("loss", 0.5, step=step))  # type: ignore[func-returns-value]


def log_metrics_calls(calls: int) -> dict[str, Any]:
    """Twenty points a call."""
    import stepwell

    metrics = {f"metric_{number}": number / 3 for number in range(20)}
    with stepwell.start_run():
        stepwell.log_metrics(metrics, step=0)
        return time_calls(calls, lambda step: stepwell.log_metrics(metrics, step=step))  # type: ignore[func-returns-value]


def slowdown(rounds: int) -> dict[str, Any]:
    """How much longer a loop of steps of 1 ms takes when each logs 10 metrics. A step computes and waits, half each.

    Rounds of 2,000 steps, with and without logging in turn; the figure is the median of the ratios of neighbours. What
    a round logged is delivered before the next begins. The steps compute in native code, as training does, and once
    more in a loop of Python: see `_python_loop`.
    """
    native = _slowdown(rounds, _native_work)
    python = _slowdown(rounds, _python_loop)
    return {
        "rounds": rounds,
        "steps_per_round": STEPS_PER_ROUND,
        **native,
        **{f"{name}_of_a_python_loop": value for name, value in python.items()},
    }


def _slowdown(rounds: int, compute: Callable[[int], None]) -> dict[str, Any]:
    import stepwell

    metrics = {f"metric_{number}": number / 3 for number in range(10)}
    amount = _half_a_millisecond(compute)

    def loop(log: Callable[[int], object]) -> float:
        begun = time.perf_counter()
        for step in range(STEPS_PER_ROUND):
            compute(amount)
            time.sleep(0.0005)
            log(step)
        return time.perf_counter() - begun

    def logged_loop() -> float:
        taken = loop(lambda step: stepwell.log_metrics(metrics, step=step))
        stepwell.flush()
        return taken

    with stepwell.start_run():
        logged_loop()
        pairs = [
            (logged_loop(), loop(lambda _: None)) if turn % 2 else (loop(lambda _: None), logged_loop())[::-1]
            for turn in range(rounds)
        ]
    percent = [100 * (logged / plain - 1) for logged, plain in pairs]
    lower, median, upper = statistics.quantiles(percent, n=4)
    return {
        "plain_step_ms": round(statistics.median(plain for _, plain in pairs) / STEPS_PER_ROUND * 1_000, 4),
        "slowdown_percent": round(median, 2),
        "slowdown_percent_quartiles": [round(lower, 2), round(upper, 2)],
    }


def _native_work(amount: int) -> None:
    """Short calls of native code that keep the interpreter to themselves; as much processor time each time."""
    for _ in range(amount):
        hashlib.sha256(_BLOCK)


def _python_loop(amount: int) -> None:
    """The interpreter in a tight loop.

    Its speed depends on what ran before: on this project's machine it takes 0 to 40 % longer where some other Python
    code (a loop over a `zip` will do) ran between two rounds of it, because the processor predicts its branches worse.
    """
    total = 0.0
    for number in range(amount):
        total += number


def _half_a_millisecond(compute: Callable[[int], None]) -> int:
    """How much of that takes 0.5 ms here: the fastest of many."""
    trial = 1_000
    return round(trial * 0.0005 / min(_seconds(compute, trial) for _ in range(200)))


def _seconds(compute: Callable[[int], None], amount: int) -> float:
    begun = time.perf_counter()
    compute(amount)
    return time.perf_counter() - begun


def memory(points: int) -> dict[str, Any]:
    """Resident memory of an empty Python with grpcio, and of one that logs, as it goes on."""
    import grpc  # noqa: F401 - what is compared with

    empty = resident_bytes()
    import stepwell

    taken = []
    with stepwell.start_run():
        for tenth in range(10):
            for step in range(points // 10):
                stepwell.log_metric("loss", 0.5, step=step)
            taken.append(round((resident_bytes() - empty) / MB, 1))
            assert tenth < 10
    return {"points": points, "megabytes_above_grpcio": taken}


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


WORKLOADS = {
    "log_metric": log_metric_calls,
    "log_metrics of 20 keys": log_metrics_calls,
    "1 ms steps with 10 metrics": slowdown,
    "memory": memory,
}


def child(workload: str, count: int, core: int) -> None:
    """Run one workload in this process, on one core."""
    os.sched_setaffinity(0, {core})
    result = WORKLOADS[workload](count)
    sys.stdout.write(json.dumps(result) + "\n")


def leave_a_core() -> int:
    """Keep the server, and whatever else is started from here, from the last core, which is returned."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores - {max(cores)} or cores)
    return max(cores)


def measure(workload: str, count: int, server: str, tracking_uri: str, core: int) -> None:
    """Run a workload in a process of its own and print what it found."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "STEPWELL_TRACKING_URI": tracking_uri,
            "STEPWELL_SPOOL_DIR": folder,
            "STEPWELL_FLUSH_TIMEOUT_S": "1",
            "STEPWELL_EXIT_TIMEOUT_S": "1",
        }
        command = [sys.executable, "-m", "benchmarks.log_calls", "--child", workload, "--calls", str(count)]
        done = subprocess.run(
            [*command, "--core", str(core)], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    durable = "survives kill -9 of the process"
    print(
        json.dumps(
            {
                "workload": workload,
                "server": server,
                "durable": durable,
                **json.loads(done.stdout),
                **surroundings(),
            }
        ),
        flush=True,
    )


def main() -> None:
    """Start a server, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--memory-points", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="pairs of rounds of the slowdown")
    parser.add_argument("--only", default="up,down,slow,slowdown,memory")
    parser.add_argument("--child", choices=list(WORKLOADS), help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.calls, arguments.core)
        return
    only = arguments.only.split(",")
    core = leave_a_core()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        with ServerProcess("--data", f"{folder}/data") as server, Proxy(server.port) as proxy:
            proxy.slow(SLOW_BYTES_PER_S)
            uris = {"up": server.tracking_uri, "down": NOBODY, "slow": proxy.tracking_uri}
            for state in (each for each in uris if each in only):
                measure("log_metric", arguments.calls, state, uris[state], core)
                measure("log_metrics of 20 keys", arguments.calls // 20, state, uris[state], core)
            if "slowdown" in only:
                measure("1 ms steps with 10 metrics", arguments.rounds, "up", server.tracking_uri, core)
            if "memory" in only:
                measure("memory", arguments.memory_points, "down", NOBODY, core)


if __name__ == "__main__":
    main()
