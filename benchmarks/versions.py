"""Two versions of the server beside each other: the same workloads in turns, and what they cost in processor time.

    git worktree add /somewhere COMMIT
    python -m benchmarks.versions /somewhere [--rounds 3] [--scale 0.3] [--only thousand_slow_runs ...]

Both servers have an embedded PostgreSQL of their own; the clients are those of this version. Prints JSON, with the
ratio of this version to the other one: of the medians, so a machine that is busy with other things counts for both.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.loads.workloads import WORKLOADS
from benchmarks.measuring.surroundings import Costs, surroundings
from tests.harness.servers.processes import ServerProcess

HERE = Path(__file__).parents[1]
ONLY = ["sixteen_jobs", "thousand_slow_runs", "batches_of_1000_four_clients"]
# Processor microseconds for a thousand points.
FIGURES = ("server", "postgresql")


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("other", type=Path, help="a working tree of the other version")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=ONLY)
    arguments = parser.parse_args()
    around = surroundings()
    with ExitStack() as stack:
        versions = {name: _server(tree, stack) for name, tree in (("other", arguments.other), ("this", HERE))}
        found = {name: _turns(name, versions, arguments.rounds, arguments.scale) for name in arguments.only}
    print(json.dumps({**around, "figures": "processor us for 1,000 points", **found}, indent=2))


def _server(tree: Path, stack: ExitStack) -> ServerProcess:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-versions-"))
    Path(folder).chmod(0o755)
    path = os.pathsep.join(str(tree / part) for part in ("protos", "client", "server"))
    return stack.enter_context(ServerProcess("--data", folder, "--no-http", environment={"PYTHONPATH": path}))


def _turns(name: str, versions: Mapping[str, ServerProcess], rounds: int, scale: float) -> dict[str, Any]:
    costs: dict[str, list[dict[str, float]]] = {version: [] for version in versions}
    for number in range(rounds + 1):
        for version in list(versions) if number % 2 else reversed(list(versions)):
            server = versions[version]
            before = Costs(server.process.pid)
            points = WORKLOADS[name](server.tracking_uri, scale if number else scale / 5)["points"]
            if number:  # the first one fills caches
                used = before.report()
                costs[version].append({it: used[f"{it}_cpu_s"] / points * 1e9 for it in FIGURES})
    medians = {
        version: {it: statistics.median(each[it] for each in its) for it in FIGURES}
        for version, its in costs.items()
    }
    rounded = {
        version: [{it: round(us) for it, us in each.items()} for each in its]
        for version, its in costs.items()
    }
    ratios = {it: round(medians["this"][it] / medians["other"][it], 3) for it in FIGURES}
    together = sum(medians["this"].values()) / sum(medians["other"].values())
    return {**rounded, "ratios": {**ratios, "together": round(together, 3)}}


if __name__ == "__main__":
    main()
