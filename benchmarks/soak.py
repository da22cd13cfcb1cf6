"""Does the server's memory stay flat under full load? Clients send as fast as it goes while it is watched."""

import multiprocessing
import statistics
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.streams import Shape
from benchmarks.surroundings import family, process_name, resident_mib
from benchmarks.workloads import BULK_POINTS, in_processes

FULL_LOAD_S = 600
ROUND_BATCHES = 200


def soak(uri: str, process_id: int, scale: float) -> dict[str, Any]:
    """Load the server for ten minutes (times the scale): large batches from one client, small ones from three."""
    target = urlsplit(uri).netloc
    stop_at = time.time() + FULL_LOAD_S * scale
    context = multiprocessing.get_context("spawn")
    loads = [
        context.Process(target=_load, args=(target, shape, clients, stop_at))
        for shape, clients in ((Shape(1, BULK_POINTS), 1), (Shape(20, 50), 3))
    ]
    for load in loads:
        load.start()
    found: list[float] = []
    while any(load.is_alive() for load in loads):
        found.append(resident_mib([process_id, *_workers(process_id)]))
        time.sleep(1.0)
    half = found[len(found) // 2 :]
    return {
        "seconds": round(FULL_LOAD_S * scale),
        "server_mib_first_half_max": round(max(found[: len(found) // 2])),
        "server_mib_second_half_median": round(statistics.median(half)),
        "server_mib_second_half_max": round(max(half)),
    }


def _workers(process_id: int) -> list[int]:
    """The Python processes below the server; PostgreSQL's are not its memory."""
    return [each for each in family(process_id)[1:] if not process_name(each).startswith("postgres")]


def _load(target: str, shape: Shape, clients: int, stop_at: float) -> None:
    while time.time() < stop_at:
        in_processes(target, clients, shape, ROUND_BATCHES)
