"""Does a database that has grown still take points as fast as an empty one? A proxy of 50 million points."""

from typing import Any
from urllib.parse import urlsplit

from benchmarks.streams import Shape
from benchmarks.workloads import BULK_POINTS, in_processes

GROWN_POINTS = 50_000_000
PROBE = Shape(20, 50)
PROBE_BATCHES = 2_000


def growth(uri: str, scale: float) -> dict[str, Any]:
    """Probe with batches of 1,000 points and with bulk, fill the database, probe again."""
    target = urlsplit(uri).netloc
    before = _probe(target, scale)
    filling = in_processes(target, 2, Shape(1, BULK_POINTS), int(GROWN_POINTS * scale / 2 / BULK_POINTS))
    small = in_processes(target, 4, PROBE, int(5_000 * scale))
    after = _probe(target, scale)
    return {
        "points_between": filling["points"] + small["points"],
        "filling_points_per_second": filling["points_per_second"],
        "before": before,
        "after": after,
        "ratio": {kind: round(after[kind] / before[kind], 2) for kind in before},
    }


def _probe(target: str, scale: float) -> dict[str, int]:
    return {
        "batches of 1,000": in_processes(target, 1, PROBE, int(PROBE_BATCHES * max(scale, 0.5)))[
            "points_per_second"
        ],
        "bulk": in_processes(target, 1, Shape(1, BULK_POINTS), max(16, int(60 * scale)))["points_per_second"],
    }
