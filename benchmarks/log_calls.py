"""What a log call costs the training loop, with the server up, down and slow; and what the client takes of memory.

    python -m benchmarks.log_calls [--calls 1000000] [--memory-points 20000000] [--only up,down,slow,slowdown,memory]

Every call is timed by itself, in a process of its own that is pinned to one core while the server has the other. The
timer's own cost (about 0.05 us) is in the figures. What was logged is durable against `kill -9` when a call returns:
it is in the page cache of the kernel. Prints one line of JSON for each workload.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.surroundings import surroundings
from tests.harness.processes import ServerProcess
from tests.harness.proxy import Proxy

NOBODY = "grpc://127.0.0.1:1"
SLOW_BYTES_PER_S = 200_000
MB = 1_000_000


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
    clock, taken = time.perf_counter_ns, array("q", bytes(8 * calls))
    for step in range(calls):
        begun = clock()
        call(step)
        taken[step] = clock() - begun
    return {
        "calls": calls,
        "microseconds": percentiles(taken),
        "above_5_ms": sum(each > 5_000_000 for each in taken),
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


def slowdown(steps: int) -> dict[str, Any]:
    """How much longer a loop of steps of 1 ms takes when each logs 10 metrics. Work and waiting, half each."""
    import stepwell

    metrics = {f"metric_{number}": number / 3 for number in range(10)}

    def work() -> None:
        until = time.perf_counter() + 0.0005
        while time.perf_counter() < until:
            pass
        time.sleep(0.0005)

    def loop(log: Callable[[int], object]) -> float:
        begun = time.perf_counter()
        for step in range(steps):
            work()
            log(step)
        return time.perf_counter() - begun

    with stepwell.start_run():
        stepwell.log_metrics(metrics, step=0)
        plain, logged = [], []
        for _ in range(5):
            plain.append(loop(lambda _: None))
            logged.append(loop(lambda step: stepwell.log_metrics(metrics, step=step)))
    percent = 100 * (min(logged) / min(plain) - 1)
    return {
        "steps": steps,
        "plain_s": min(plain),
        "logged_s": min(logged),
        "slowdown_percent": round(percent, 2),
    }


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


def child(workload: str, count: int) -> None:
    """Run one workload in this process, on the last core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    result = WORKLOADS[workload](count)
    sys.stdout.write(json.dumps(result) + "\n")


def measure(workload: str, count: int, server: str, tracking_uri: str) -> None:
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
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
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
        )
    )


def main() -> None:
    """Start a server, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--memory-points", type=int, default=20_000_000)
    parser.add_argument("--only", default="up,down,slow,slowdown,memory")
    parser.add_argument("--child", choices=list(WORKLOADS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.calls)
        return
    only = arguments.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        with ServerProcess("--data", f"{folder}/data") as server, Proxy(server.port) as proxy:
            proxy.slow(SLOW_BYTES_PER_S)
            uris = {"up": server.tracking_uri, "down": NOBODY, "slow": proxy.tracking_uri}
            for state in (each for each in uris if each in only):
                measure("log_metric", arguments.calls, state, uris[state])
                measure("log_metrics of 20 keys", arguments.calls // 20, state, uris[state])
            if "slowdown" in only:
                measure("1 ms steps with 10 metrics", 2_000, "up", server.tracking_uri)
            if "memory" in only:
                measure("memory", arguments.memory_points, "down", NOBODY)


if __name__ == "__main__":
    main()
