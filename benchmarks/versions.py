"""Two versions of the server beside each other: the same work in turns, and what it costs in processor time.

    git worktree add /somewhere COMMIT
    python -m benchmarks.versions /somewhere [--kinds ingest reading search] [--rounds 5] [--ingest sixteen_jobs ...]

Both servers have an embedded PostgreSQL of their own, with the same data; the clients are those of this version. What
the other version imports and this one does not may be on PYTHONPATH.

Ingest is some of `loads/workloads.py`, in processor microseconds for 1,000 points; reading and search are the calls of
`reading.py`, of series of up to `--longest` points, and of `search.py`, among `--runs` runs, in milliseconds a call:
processor time, and the median by the client's clock. Series are read as they were logged, and again when each version
has compacted them; meanwhile neither compaction nor PostgreSQL's own upkeep has anything to do.

Prints JSON, with the ratios of this version to the other one: of the medians, and of server and PostgreSQL together in
each round; so a machine that is busy with other things counts for both.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

import stepwell
from benchmarks import reading, search
from benchmarks.loads import seeded_runs
from benchmarks.loads.workloads import WORKLOADS
from benchmarks.measuring.surroundings import Costs, surroundings
from stepwell_server.store.postgres.embedded import running_url
from tests.harness.servers.processes import ServerProcess, neutral_environment

HERE = Path(__file__).parents[1]
VERSIONS = ("other", "this")
INGEST = ["sixteen_jobs", "thousand_slow_runs", "batches_of_1000_four_clients"]
# A version's turn is of so many calls as take this long; of slow ones, more.
TURN_S = 0.5
CALLS_MIN = 5
MANY_RUNS = 100
COMMAND = "from stepwell.cli import main; main()"  # also where a version is no module that runs
RUN_SIZES = {"params": 30, "metrics": 50, "tags": 10}

Figures = dict[str, float]
Call = Callable[[int], Any]


class Version:
    """A server of a working tree on an embedded PostgreSQL of its own."""

    def __init__(self, tree: Path, stack: ExitStack) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-versions-"))
        Path(folder).chmod(0o755)
        paths = [*(str(tree / part) for part in ("protos", "client", "server")), os.getenv("PYTHONPATH", "")]
        self._environment = {"PYTHONPATH": os.pathsep.join(paths)}
        self._server = stack.enter_context(
            ServerProcess("--data", folder, "--no-http", environment=self._environment)
        )
        self._folder = Path(folder)
        self.uri = self._server.tracking_uri

    def costs(self) -> Costs:
        """Begin to count what server and PostgreSQL use."""
        return Costs(self._server.process.pid)

    @property
    def _store(self) -> str:
        store = running_url(self._folder)
        assert store is not None
        return store

    def seed_runs(self, runs: int) -> None:
        """Fill the database, which is empty, with finished runs."""
        asyncio.run(seeded_runs.seed(self._store, runs=runs, **RUN_SIZES))

    def compaction(self, command: str) -> None:
        """Pause compaction, or run it now."""
        subprocess.run(
            [sys.executable, "-c", COMMAND, "compaction", command, "--store", self._store],
            env={**neutral_environment(), **self._environment},
            check=True,
            capture_output=True,
        )

    def tidy(self) -> None:
        """Do all that autovacuum would do later."""
        asyncio.run(_execute(self._store, "VACUUM ANALYZE"))

    def seed_series(self, longest: int) -> dict[str, list[str]]:
        """Log what `reading.seed` puts in, through the server; returns the runs."""
        stepwell.set_tracking_uri(self.uri)
        lengths = {"million": [1_000_000], "long": [longest // 10], "longest": [longest]}
        return {
            name: [self._log(points) for points in each]
            for name, each in {**lengths, "many": [100_000] * MANY_RUNS}.items()
        }

    def _log(self, points: int) -> str:
        random = np.random.default_rng(points)
        with stepwell.start_run() as run:
            values = random.standard_normal(points, np.float32).astype(np.float64)
            times = 1_700_000_000_000 + np.arange(points) + random.integers(0, 2, points).cumsum() // 1_000
            stepwell.log_series("loss", values, timestamps=times)
            assert stepwell.flush(timeout=600).complete
        return run.info.run_id


async def _execute(store: str, statement: str) -> None:
    connection = await asyncpg.connect(store)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("other", type=Path, help="a working tree of the other version")
    kinds = {"ingest": _ingest, "reading": _reading, "search": _search}
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=0.3, help="of ingest")
    parser.add_argument("--ingest", nargs="+", choices=WORKLOADS, default=INGEST)
    parser.add_argument("--longest", type=int, default=5_000_000, help="points of the longest series")
    parser.add_argument("--runs", type=int, default=20_000, help="that are searched")
    arguments = parser.parse_args()
    around, found = surroundings(), {}
    for kind in arguments.kinds:
        with ExitStack() as stack:
            versions = {
                name: Version(tree, stack)
                for name, tree in zip(VERSIONS, (arguments.other, HERE), strict=True)
            }
            found[kind] = kinds[kind](versions, arguments)
    print(json.dumps({**around, **found}, indent=2))


def _ingest(versions: Mapping[str, Version], arguments: argparse.Namespace) -> dict[str, Any]:
    def turn(name: str, version: str, number: int) -> Figures:
        scale = arguments.scale if number else arguments.scale / 5
        costs = versions[version].costs()
        return _costs_of(costs, WORKLOADS[name](versions[version].uri, scale)["points"] / 1_000, 1e6)

    return {name: _in_turns(partial(turn, name), arguments.rounds) for name in arguments.ingest}


def _reading(versions: Mapping[str, Version], arguments: argparse.Namespace) -> dict[str, Any]:
    for version in versions.values():
        version.compaction("pause")
    ids = {name: version.seed_series(arguments.longest) for name, version in versions.items()}
    reads = {
        name: reading.calls(version.uri, ids[name], arguments.longest) for name, version in versions.items()
    }
    numbered = {
        name: {each: lambda _, call=call: call() for each, call in its.items()} for name, its in reads.items()
    }
    found = {}
    for state in ("as_logged", "compacted"):
        for version in versions.values():
            if state == "compacted":
                version.compaction("run")
            version.tidy()
        found[state] = _calls_in_turns(versions, arguments.rounds, numbered)
    return found


def _search(versions: Mapping[str, Version], arguments: argparse.Namespace) -> dict[str, Any]:
    for version in versions.values():
        version.seed_runs(arguments.runs)
    searches = {name: search.calls(version.uri) for name, version in versions.items()}
    return _calls_in_turns(versions, arguments.rounds, searches)


def _calls_in_turns(
    versions: Mapping[str, Version], rounds: int, calls: Mapping[str, Mapping[str, Call]]
) -> dict[str, Any]:
    """Compare the calls, which both have by the same names."""

    def turn(name: str, times: int, version: str, number: int) -> Figures:
        costs, seconds = versions[version].costs(), []
        for each in range(times):
            began = time.perf_counter()
            calls[version][name](number * times + each)
            seconds.append(time.perf_counter() - began)
        return {**_costs_of(costs, times, 1e3), "clock": statistics.median(seconds) * 1e3}

    found = {}
    for name, call in calls["this"].items():
        call(-1)  # connections and caches
        began = time.perf_counter()
        call(-2)
        times = max(CALLS_MIN, math.ceil(TURN_S / (time.perf_counter() - began)))
        found[name] = {"calls_in_a_turn": times, **_in_turns(partial(turn, name, times), rounds)}
    return found


def _costs_of(costs: Costs, count: float, factor: float) -> Figures:
    used = costs.report()
    return {it: used[f"{it}_cpu_s"] / count * factor for it in ("server", "postgresql")}


def _in_turns(turn: Callable[[str, int], Figures], rounds: int) -> dict[str, Any]:
    """Let both versions have a turn in each round, the first of which fills caches and does not count."""
    found: dict[str, list[Figures]] = {version: [] for version in VERSIONS}
    for number in range(rounds + 1):
        for version in VERSIONS if number % 2 else reversed(VERSIONS):
            figures = turn(version, number)
            if number:
                found[version].append({**figures, "together": figures["server"] + figures["postgresql"]})
    medians = {
        version: {it: statistics.median(each[it] for each in its) for it in its[0]}
        for version, its in found.items()
    }
    pairs = zip(found["this"], found["other"], strict=True)
    return {
        **{
            version: {it: float(f"{figure:.4g}") for it, figure in its.items()}
            for version, its in medians.items()
        },
        "ratios": {it: round(medians["this"][it] / medians["other"][it], 3) for it in medians["this"]},
        "together_in_each_round": [round(this["together"] / other["together"], 2) for this, other in pairs],
    }


if __name__ == "__main__":
    main()
