"""Searches among many runs: Stepwell, and MLflow's server on the same PostgreSQL with the same data.

    python -m benchmarks.search [--runs 100000] [--rounds 100] [--without-mlflow]

PostgreSQL is Stepwell's embedded one with fsync; client, server and PostgreSQL share this machine. Each search has
thresholds of its own, drawn from a seeded generator, so that no round finds what another has found. MLflow is asked
through its REST interface, without its Python client. Prints JSON.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.compare.peers import PEERS, running_peer
from benchmarks.loads.seeded_runs import EXPERIMENT_NAME, add_size_options, seed
from benchmarks.measuring.surroundings import cpu_seconds, family, surroundings
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import named

PAGE_SIZE = 100
FAR_PAGE = 500
MLFLOW_ROUNDS_MAX = 20  # each takes its time
COLUMNS = {
    "params": ["param_00", "param_01", "param_05"],
    "metrics": ["metric_00", "metric_01", "metric_02", "metric_10"],
    "tags": ["mlflow.runName", "tag_01", "tag_05"],
}
WIDE = "metrics.metric_00 < 0.95 AND metrics.metric_01 > 0.05 AND params.param_01 != 'word 3'"
ORDER = ["metrics.metric_02 DESC"]

# What MLflow's tables are filled with, from ours, in its own types.
MLFLOW_COPIES = {
    "runs": """
        SELECT encode(uuid_send(run_id), 'hex') AS run_uuid, name, 'LOCAL' AS source_type, user_name AS user_id,
               (ARRAY['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'])[status] AS status,
               start_time_ms AS start_time, end_time_ms AS end_time, lifecycle_stage, '' AS artifact_uri,
               0 AS experiment_id
        FROM run
    """,
    "latest_metrics": """
        SELECT metric.name AS key, CASE WHEN value = 'NaN' THEN 0 ELSE value END AS value,
               timestamp_ms AS timestamp, step, value = 'NaN' AS is_nan, encode(uuid_send(run_id), 'hex') AS run_uuid
        FROM metric_latest JOIN metric USING (metric_id)
    """,
    "params": "SELECT key, value, encode(uuid_send(run_id), 'hex') AS run_uuid FROM param",
    "tags": "SELECT key, value, encode(uuid_send(run_id), 'hex') AS run_uuid FROM tag",
}


def some_filter(number: int) -> str:
    """Two metrics and a param: between 1 and 7 of a hundred runs fulfil it."""
    generator = random.Random(f"filter {number}")
    below, above = generator.uniform(0.4, 0.9), generator.uniform(0.1, 0.6)
    word = generator.randrange(10)
    return f"metrics.metric_00 < {below:.4f} AND metrics.metric_01 > {above:.4f} AND params.param_01 = 'word {word}'"


def timed(rounds: int, call: Callable[[int], Any]) -> dict[str, Any]:
    """Call a function again and again; milliseconds."""
    call(-1)  # connections and caches
    taken = []
    spent = cpu_seconds(family(os.getpid()))
    for number in range(rounds):
        began = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - began) * 1_000)
    spent = cpu_seconds(family(os.getpid())) - spent
    taken.sort()
    return {
        "rounds": rounds,
        # Of client, server and PostgreSQL together: what it takes when nobody else uses the machine.
        "cpu_ms": round(spent / rounds * 1_000, 2),
        "p50_ms": round(taken[len(taken) // 2], 2),
        "p99_ms": round(taken[min(len(taken) - 1, round(len(taken) * 0.99))], 2),
        "max_ms": round(taken[-1], 2),
    }


def calls(tracking_uri: str) -> dict[str, Callable[[int], Any]]:
    """Return everything of the table, by name, through the client; each call has a number of its own."""
    import stepwell

    client = stepwell.StepwellClient(tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT_NAME)
    assert experiment is not None
    where = [experiment.experiment_id]

    def search(filter_: str, token: str | None = None, **columns: Any) -> Any:
        return client.search_runs(where, filter_, 1, PAGE_SIZE, ORDER, token, **columns)

    found: dict[str, Callable[[int], Any]] = {
        "filter, order, 10 columns": lambda n: search(some_filter(n), **COLUMNS),
        "filter, order, all columns": lambda n: search(some_filter(n)),
        "wide filter, page 1": lambda n: search(WIDE, **COLUMNS),
    }
    far = token_of(FAR_PAGE, lambda token: search(WIDE, token, params=[], metrics=[], tags=[]).token)
    if far is not None:
        found[f"wide filter, page {FAR_PAGE}"] = lambda n: search(WIDE, far, **COLUMNS)
    run_id = client.create_run(where[0]).info.run_id

    def log_params(number: int) -> None:
        params = [stepwell.Param(f"param {number}/{each}", "x") for each in range(100)]
        client.log_batch(run_id, params=params, synchronous=True)

    return {
        **found,
        "create run": lambda n: client.create_run(where[0]),
        "set tag": lambda n: client.set_tag(run_id, f"tag {n}", "x", synchronous=True),
        "log 100 params": log_params,
    }


def measure_stepwell(tracking_uri: str, rounds: int) -> dict[str, Any]:
    """Everything of the table."""
    return {name: timed(rounds, call) for name, call in calls(tracking_uri).items()}


def token_of(page: int, next_token: Callable[[str | None], str | None]) -> str | None:
    """Return the token that asks for a page, counted from 1; None if there are not so many."""
    token = None
    for _ in range(page - 1):
        token = next_token(token)
        if token is None:
            return None
    return token


def measure_mlflow(port: int, rounds: int) -> dict[str, Any]:
    """The first search, through REST."""

    def search(number: int) -> None:
        asked = {
            "experiment_ids": ["0"],
            "filter": some_filter(number),
            "max_results": PAGE_SIZE,
            "order_by": ORDER,
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            assert json.load(answer)["runs"]

    return timed(rounds, search)


async def copy_to_mlflow(ours: str, theirs: str) -> None:
    """Fill MLflow's tables with the runs of our database."""
    with tempfile.TemporaryDirectory() as folder:
        for table, query in MLFLOW_COPIES.items():
            file = f"{folder}/{table}"
            source = await asyncpg.connect(ours)
            attributes = (await source.prepare(query)).get_attributes()
            await source.copy_from_query(query, output=file)
            await source.close()
            target = await asyncpg.connect(theirs)
            columns = [attribute.name for attribute in attributes]
            await target.copy_to_table(table, source=file, columns=columns)
            await target.close()
    target = await asyncpg.connect(theirs)
    await target.execute("VACUUM ANALYZE")
    await target.close()


async def database(store: str, name: str) -> str:
    """Make a database and return its URL."""
    connection = await asyncpg.connect(store)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    return named(store, name)


async def measure(arguments: argparse.Namespace, store: str) -> dict[str, Any]:
    """Seed and measure, one server after the other."""
    ours = await database(store, "seeded")
    await migrate(ours)
    sizes = {name: getattr(arguments, name) for name in ("runs", "params", "metrics", "tags")}
    await seed(ours, **sizes)
    result: dict[str, Any] = {}
    with ServerProcess("--store", ours) as server:
        result["stepwell"] = await asyncio.to_thread(measure_stepwell, server.tracking_uri, arguments.rounds)
    if arguments.without_mlflow:
        return result
    theirs = await database(store, "mlflow")
    with running_peer(PEERS[0], theirs) as port:
        await copy_to_mlflow(ours, theirs)
        rounds = min(arguments.rounds, MLFLOW_ROUNDS_MAX)
        result["mlflow"] = {
            "filter, order, all columns": await asyncio.to_thread(measure_mlflow, port, rounds)
        }
    key = "filter, order, all columns"
    result["times_slower"] = round(result["mlflow"][key]["p50_ms"] / result["stepwell"][key]["p50_ms"], 1)
    return result


async def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure in a PostgreSQL of its own."""
    async with EmbeddedPostgres(folder, Deadline(30)) as postgres:
        return await measure(arguments, postgres.url)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--without-mlflow", action="store_true")
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    around = surroundings()
    with tempfile.TemporaryDirectory(prefix="stepwell-search-") as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        result = asyncio.run(run(arguments, Path(folder)))
    print(json.dumps({"workload": "search", **vars(arguments), **result, **around}))


if __name__ == "__main__":
    main()
