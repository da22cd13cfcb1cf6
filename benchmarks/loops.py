"""Training loops as people write them: processes that call `log_metric` as fast as it takes the points.

Every process logs its points and then waits until the server has committed all of them with fsync. The clock runs
from the first log call to the last commit.
"""

import multiprocessing
import time
from typing import Any


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
