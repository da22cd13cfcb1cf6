"""Training loops as people write them: processes that call `log_metric` as fast as it takes the points.

    python -m benchmarks.ingest [--processes 2] [--points 1000000] [--metrics 5] [--store postgresql://...]

Every process logs its points and then waits until the server has committed all of them with fsync. The clock runs
from the first log call to the last commit. Prints JSON.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring.surroundings import surroundings
from tests.harness.servers.processes import ServerProcess


def train(number: int, tracking_uri: str, points: int, metrics: int, results: Any) -> None:
    """Log `points` points of `metrics` metrics, one at a time."""
    import stepwell

    stepwell.set_tracking_uri(tracking_uri)
    with stepwell.start_run(run_name=f"benchmark {number}") as run:
        keys = [f"metric_{index}" for index in range(metrics)]
        started = time.time()
        for step in range(points // metrics):
            for key in keys:
                stepwell.log_metric(key, step * 0.5, step=step)
        logged = time.time()
        receipt = stepwell.flush(timeout=600)
        results.put(
            {"started": started, "logged": logged, "committed": time.time(), "points": receipt.committed}
        )
    assert run.info.run_id


def log_metric_loops(tracking_uri: str, processes: int, points: int, metrics: int) -> dict[str, Any]:
    """Run the loops side by side, `points` points each, and time them together."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    settings = (tracking_uri, points, metrics, results)
    started_processes = [
        context.Process(target=train, args=(number, *settings)) for number in range(processes)
    ]
    for process in started_processes:
        process.start()
    reports = [results.get(timeout=900) for _ in started_processes]
    for process in started_processes:
        process.join()
    started = min(report["started"] for report in reports)
    committed = max(report["committed"] for report in reports)
    total = sum(report["points"] for report in reports)
    call_s = sum(report["logged"] - report["started"] for report in reports) / (processes * points)
    return {
        "points": total,
        "seconds": round(committed - started, 3),
        "points_per_second": round(total / (committed - started)),
        "microseconds_per_call": round(call_s * 1e6, 3),
    }


def main() -> None:
    """Start a server, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--points", type=int, default=1_000_000, help="of each process")
    parser.add_argument("--metrics", type=int, default=5, help="of each process")
    parser.add_argument("--store", help="a PostgreSQL to use instead of the embedded one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        options = ["--store", arguments.store] if arguments.store else ["--data", f"{folder}/data"]
        with ServerProcess(*options) as server:
            result = log_metric_loops(
                server.tracking_uri, arguments.processes, arguments.points, arguments.metrics
            )
    shape = {"processes": arguments.processes, "points": arguments.points, "metrics": arguments.metrics}
    durable = "committed to PostgreSQL with fsync"
    print(
        json.dumps({"workload": "log_metric loops", **shape, "durable": durable, **result, **surroundings()})
    )


if __name__ == "__main__":
    main()
