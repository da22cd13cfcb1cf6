"""Arrays as people log them: a process that calls `log_series` as fast as it takes them."""

import multiprocessing
import time
from typing import Any

import numpy as np

ARRAY_POINTS = 1_000_000


def log_series_loop(tracking_uri: str, arrays: int, kind: str) -> dict[str, Any]:
    """Log so many arrays of a million points of one metric; the clock runs from the first call to the last commit.

    `kind` is float32 or float64, for the values; every point has a time of its own.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_log, (tracking_uri, arrays, kind))


def _log(tracking_uri: str, arrays: int, kind: str) -> dict[str, Any]:
    import stepwell

    stepwell.set_tracking_uri(tracking_uri)
    values = np.random.default_rng(0).standard_normal(ARRAY_POINTS)
    if kind == "float32":
        values = values.astype(np.float32).astype(np.float64)
    with stepwell.start_run(run_name="arrays"):
        started = time.monotonic()
        for number in range(arrays):
            steps = np.arange(number * ARRAY_POINTS, (number + 1) * ARRAY_POINTS)
            stepwell.log_series("loss", values, steps=steps, timestamps=1_700_000_000_000 + steps)
        logged = time.monotonic()
        receipt = stepwell.flush(timeout=600)
        committed = time.monotonic()
    assert receipt.committed == arrays * ARRAY_POINTS, receipt
    return {
        "points": receipt.committed,
        "seconds": round(committed - started, 3),
        "seconds_until_logged": round(logged - started, 3),
        "points_per_second": round(receipt.committed / (committed - started)),
    }
