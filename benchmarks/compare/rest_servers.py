"""MLflow's REST interface of three servers on one PostgreSQL, one after the other, in one run; prints JSON.

    python -m benchmarks.compare.rest_servers [--quick] [--without-fasttrackml] [--rows chart]

Stepwell, MLflow 3 and FastTrackML (which has the first two rows only) get the same requests on a connection that is
kept; the PostgreSQL is Stepwell's embedded one with fsync. `--quick` takes smaller databases and files and less than
five minutes; the environments of the others are made before, once. Rows:

* `log_batch`: batches of 1,000 points, one client and four, in points a second
* `log_metric`: one point a request, one after the other
* `search`: the latest 100 of --runs runs with all that they logged
* `chart`: 320 points or a few more each of 5 runs of --points points, never the same ones; `chart, again`: the same
* `artifact`: one file of --artifact-mib through the server, up and down, with the memory of its processes
* `door`: what HTTP adds to the memory of an idle Stepwell server
* `plugin`: mlflow.log_metric with our plugin, and our part of it

`--rows` measures only some of them.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from benchmarks.compare.__main__ import BATCH, CLIENTS, postgres
from benchmarks.compare.peers import MLFLOW_3, PEERS, running_process
from benchmarks.compare.reading import fill_mlflow, fill_stepwell
from benchmarks.compare.rest import log_batches
from benchmarks.compare.rest_calls import Server
from benchmarks.loads.seeded_runs import seed
from benchmarks.measuring.surroundings import family, process_name, resident_mib, surroundings
from benchmarks.search import copy_to_mlflow, database
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import named

OURS = "stepwell_http"
CHART_RUNS = 5
PLUGIN_CALLS = 2_000
(FASTTRACKML,) = (peer for peer in PEERS if peer.name == "fasttrackml")

QUICK = {"runs": 10_000, "points": 10_000, "artifact_mib": 256, "batches": 20, "calls": 100, "rounds": 10}
WHOLE = {"runs": 100_000, "points": 50_000, "artifact_mib": 1_024, "batches": 100, "calls": 500, "rounds": 20}
# How many times as many batches ours gets: all should take some seconds.
OUR_BATCHES = 20
EACH_RUN = {"params": 10, "metrics": 10, "tags": 5}

ROWS = ("log_batch", "log_metric", "search", "chart", "artifact", "door", "plugin")

Sizes = dict[str, int]
Rows = dict[str, Any]
Measures = dict[str, Callable[[], Any]]
Chosen = Sequence[str]


def logging_rows(port: int, server: Server, sizes: Sizes, batches: int) -> Measures:
    """What all three servers can."""

    def batches_of(clients: int) -> Rows:
        log_batches(port, 1, BATCH, 2)  # warm
        return log_batches(port, clients, BATCH, batches)

    found: Measures = {f"log_batch, {clients} clients": partial(batches_of, clients) for clients in CLIENTS}
    return {**found, "log_metric": lambda: server.log_metric(sizes["calls"])}


def all_rows(port: int, server: Server, run_ids: list[str], sizes: Sizes, batches: int) -> Measures:
    """What a whole server of MLflow's can."""
    return {
        **logging_rows(port, server, sizes, batches),
        "search": lambda: server.search(sizes["rounds"]),
        "chart": lambda: server.chart(run_ids, sizes["rounds"], again=False),
        "chart, again": lambda: server.chart(run_ids, sizes["rounds"], again=True),
        "artifact": lambda: server.artifact(sizes["artifact_mib"] << 20),
    }


async def measured(measures: Measures, chosen: Chosen) -> Rows:
    """Measure the rows that are chosen, one after the other."""
    return {
        row: await asyncio.to_thread(measure)
        for row, measure in measures.items()
        if row.partition(",")[0] in chosen
    }


async def of_stepwell(store: str, sizes: Sizes, chosen: Chosen) -> Rows:
    """Ours, on a database with runs and series."""
    url = await database(store, OURS)
    await migrate(url)
    await seed(url, runs=sizes["runs"], **EACH_RUN)
    run_ids = await fill_stepwell(url, [sizes["points"]] * CHART_RUNS)
    with tempfile.TemporaryDirectory() as data, ServerProcess("--store", url, "--data", data) as process:
        port = int(urlsplit(process.url).port or 0)
        server = Server(port, process.process.pid, await _seeded_experiment(url))
        batches = sizes["batches"] * OUR_BATCHES
        measures = all_rows(port, server, run_ids, sizes, batches)
        measures["plugin"] = lambda: _plugin_calls(process.tracking_uri)
        return await measured(measures, chosen)


async def _seeded_experiment(url: str) -> str:
    connection = await asyncpg.connect(url)
    found = await connection.fetchval("SELECT experiment_id FROM experiment WHERE name = 'seeded'")
    await connection.close()
    return str(found)


def _plugin_calls(uri: str) -> Rows:
    command = [sys.executable, str(Path(__file__).with_name("plugin_calls.py")), uri, str(PLUGIN_CALLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: Rows = json.loads(done.stdout.splitlines()[-1])
    return found


async def of_mlflow(store: str, sizes: Sizes, chosen: Chosen) -> Rows:
    """MLflow's server, which makes its tables, on a database with the same."""
    url = await database(store, "mlflow")
    with running_process(MLFLOW_3, url) as (port, process_id):
        await copy_to_mlflow(named(store, OURS), url)
        run_ids = await fill_mlflow(url, [sizes["points"]] * CHART_RUNS)
        server = Server(port, process_id)
        return await measured(all_rows(port, server, run_ids, sizes, sizes["batches"]), chosen)


async def of_fasttrackml(store: str, sizes: Sizes, chosen: Chosen) -> Rows:
    """FastTrackML, on an empty database."""
    url = await database(store, "fasttrackml")
    with running_process(FASTTRACKML, url) as (port, process_id):
        batches = sizes["batches"] * 5
        return await measured(logging_rows(port, Server(port, process_id), sizes, batches), chosen)


async def door(store: str) -> Rows:
    """Memory of an idle server with HTTP and without, in MiB."""
    without = await asyncio.to_thread(_idle_mib, await database(store, "without_http"), "--no-http")
    with_it = await asyncio.to_thread(_idle_mib, await database(store, "with_http"))
    return {"without_http_mib": without, "with_http_mib": with_it, "adds_mib": round(with_it - without, 1)}


def _idle_mib(url: str, *options: str) -> float:
    """What a server has when it was asked for its health, where HTTP is on."""
    with (
        tempfile.TemporaryDirectory() as data,
        ServerProcess("--store", url, "--data", data, *options) as process,
    ):
        if not options:
            urllib.request.urlopen(f"{process.url}/health").read()
        members = [it for it in family(process.process.pid) if not process_name(it).startswith("postgres")]
        return round(resident_mib(members), 1)


def ratios(found: dict[str, Rows]) -> dict[str, float]:
    """How many times as good ours is, row by row."""
    ours = found["stepwell"]
    result = {}
    for name, rows in found.items():
        for row, theirs in rows.items() if name != "stepwell" else ():
            mine = ours[row]
            if "points_per_second" in theirs:
                result[f"{row}: points a second to {name}"] = (
                    mine["points_per_second"] / theirs["points_per_second"]
                )
            elif "p50_ms" in theirs:
                result[f"{row}: {name}'s time to ours"] = theirs["p50_ms"] / mine["p50_ms"]
            else:
                for way in ("up", "down"):
                    key = f"{way}_mib_per_s"
                    result[f"{row} {way}: speed to {name}"] = mine[key] / theirs[key]
    return {key: round(value, 2) for key, value in result.items()}


async def run(sizes: Sizes, chosen: Chosen, *, fasttrackml: bool) -> Rows:
    """All that is chosen, one after the other."""
    async with postgres() as store:
        found = {
            "stepwell": await of_stepwell(store, sizes, chosen),
            "mlflow3": await of_mlflow(store, sizes, chosen),
        }
        if fasttrackml:
            found["fasttrackml"] = await of_fasttrackml(store, sizes, chosen)
        result = {"ratios": ratios(found), **found}
        return {**result, "door": await door(store)} if "door" in chosen else result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--without-fasttrackml", action="store_true")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, help="only these")
    for name, size in WHOLE.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, help=f"{size:,}; with --quick {QUICK[name]:,}"
        )
    arguments = vars(parser.parse_args())
    quick, without = arguments.pop("quick"), arguments.pop("without_fasttrackml")
    chosen = arguments.pop("rows")
    sizes = (QUICK if quick else WHOLE) | {name: size for name, size in arguments.items() if size}
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    result = asyncio.run(run(sizes, chosen, fasttrackml=not without))
    print(json.dumps({"workload": "MLflow's REST interface", "sizes": sizes, **result, **surroundings()}))


if __name__ == "__main__":
    main()
