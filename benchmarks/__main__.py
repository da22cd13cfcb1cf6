"""Measure Stepwell: seeded workloads end to end, each station of the trip alone, the disk, and growth.

    python -m benchmarks [--quick] [--only NAME ...] [--workers N] [--store postgresql://...] [--markdown FILE]
                         [--soak-seconds S] [--growth-points N]

Prints JSON. `--markdown` also writes the table of benchmarks/README.md between its marks.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.disk import disk_after_compaction
from benchmarks.growth import PROXY_POINTS, growth
from benchmarks.loads.workloads import WORKLOADS
from benchmarks.measuring.surroundings import Costs, surroundings
from benchmarks.measuring.table import write_table
from benchmarks.soak import FULL_LOAD_S, soak
from benchmarks.stations import all_stations
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.embedded import running_url
from tests.harness.servers.processes import ServerProcess

QUICK_SCALE = 0.1
DURABLE = "committed to PostgreSQL with fsync"

Measurement = Callable[[argparse.Namespace, float], dict[str, Any]]


@contextmanager
def fresh_server(arguments: argparse.Namespace) -> Iterator[tuple[ServerProcess, str]]:
    """A server of its own on an embedded PostgreSQL of its own (or the given one), with fsync; yields its store too."""
    with tempfile.TemporaryDirectory(prefix="stepwell-benchmark-") as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        store = ["--store", arguments.store] if arguments.store else ["--data", f"{folder}/data"]
        with ServerProcess(*store, "--workers", str(arguments.workers)) as server:
            url = arguments.store or running_url(Path(folder) / "data")
            assert url is not None
            yield server, url


def workload(name: str) -> Measurement:
    """Run a workload against a fresh server, and say what it cost there."""

    def measure(arguments: argparse.Namespace, scale: float) -> dict[str, Any]:
        with fresh_server(arguments) as (server, _):
            costs = Costs(server.process.pid)
            return {**WORKLOADS[name](server.tracking_uri, scale), **costs.report()}

    return measure


def stations(arguments: argparse.Namespace, scale: float) -> dict[str, Any]:
    """Every station alone."""
    with fresh_server(arguments) as (_, store):
        return {"stations": all_stations(store, scale)}


def disk(arguments: argparse.Namespace, scale: float) -> dict[str, Any]:
    """Bytes a point after compaction."""
    found = {}
    for kind in ("float32", "float64"):
        with fresh_server(arguments) as (server, store):
            found[kind] = disk_after_compaction(server.tracking_uri, store, kind, scale)
    return found


def grown(arguments: argparse.Namespace, scale: float) -> dict[str, Any]:
    """Throughput of an empty database and of a grown one."""
    points = arguments.growth_points or int(PROXY_POINTS * scale)
    with fresh_server(arguments) as (server, store):
        return growth(server.tracking_uri, store, points, scale)


def memory(arguments: argparse.Namespace, scale: float) -> dict[str, Any]:
    """The server's memory under full load."""
    seconds = arguments.soak_seconds or FULL_LOAD_S * scale
    with fresh_server(arguments) as (server, store):
        return soak(server.tracking_uri, store, server.process.pid, seconds)


MEASUREMENTS: dict[str, Measurement] = {
    **{name: workload(name) for name in WORKLOADS},
    "stations": stations,
    "disk": disk,
    "growth": grown,
    "memory": memory,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--store", help="an empty database of your own PostgreSQL instead of the embedded one"
    )
    parser.add_argument("--soak-seconds", type=float, help="length of `memory`; ten minutes without it")
    parser.add_argument("--growth-points", type=int, help="points of `growth`; 50 million without it")
    parser.add_argument("--markdown", type=Path, help="write the table into this file too")
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    scale = QUICK_SCALE if arguments.quick else 1.0
    report: dict[str, Any] = {
        **surroundings(),
        "workers": arguments.workers,
        "scale": scale,
        "durable": DURABLE,
        "postgresql": "given" if arguments.store else "embedded, settings of store/embedded_settings.py",
        "results": {},
    }
    for name in arguments.only:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        report["results"][name] = MEASUREMENTS[name](arguments, scale)
    print(json.dumps(report, indent=1))
    if arguments.markdown:
        write_table(arguments.markdown, report)


if __name__ == "__main__":
    main()
