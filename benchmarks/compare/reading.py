"""Reading one long series: Stepwell and MLflow's server on one PostgreSQL, each with the same points.

    python -m benchmarks.compare.reading [--points 100000] [--repeats 2]

The points are put into both databases by COPY, because MLflow's server would take long to log them. Read are a chart
(MLflow: get-history-bulk-interval, at most 2,500 sampled points; Stepwell: 500 buckets of all points) and the whole
history (MLflow: get-history, page by page). Every figure is the median after one call that nobody counts. Prints JSON.
"""

import argparse
import asyncio
import json
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import asyncpg
import numpy as np

import stepwell
from benchmarks.compare.__main__ import postgres
from benchmarks.compare.peers import PEERS, running_peer
from benchmarks.reading import milliseconds
from benchmarks.seeded_series import START_MS, seed_run
from benchmarks.surroundings import surroundings
from stepwell_server.logs import set_up_logs
from stepwell_server.store.migrations import migrate
from tests.harness.databases import named
from tests.harness.processes import ServerProcess

(MLFLOW,) = (peer for peer in PEERS if peer.name == "mlflow")
CHART_POINTS = 2_500  # the most that MLflow's endpoint gives
PAGE_POINTS = 25_000
BUCKETS = 500
TIMEOUT_S = 300.0


def ask(port: int, path: str, **request: Any) -> Any:
    """A GET of MLflow's interface, as its pages and its client do it."""
    query = urllib.parse.urlencode(request)
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/{path}?{query}", timeout=TIMEOUT_S
    ) as answer:  # fmt: skip
        return json.load(answer)


def mlflow_history(port: int, run_id: str) -> Iterator[Any]:
    """All points, page by page."""
    token: dict[str, str] = {}
    while True:
        answer = ask(
            port,
            "api/2.0/mlflow/metrics/get-history",
            run_id=run_id,
            metric_key="loss",
            max_results=PAGE_POINTS,
            **token,
        )
        yield from answer["metrics"]
        if not answer.get("next_page_token"):
            return
        token = {"page_token": answer["next_page_token"]}


async def fill_mlflow(store: str, run_id: str, points: int) -> None:
    """Put a run with one series into MLflow's tables."""
    connection = await asyncpg.connect(store)
    await connection.execute(
        "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id)"
        " VALUES ($1, 'seeded', 'FINISHED', $2, 'active', 0)",
        run_id,
        START_MS,
    )
    values = np.random.default_rng(points).standard_normal(points, np.float32).astype(float).tolist()
    await connection.copy_records_to_table(
        "metrics",
        columns=("key", "value", "timestamp", "run_uuid", "step", "is_nan"),
        records=(("loss", value, START_MS + step, run_id, step, False) for step, value in enumerate(values)),
    )
    await connection.execute(
        "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
        " SELECT key, value, timestamp, step, is_nan, run_uuid FROM metrics ORDER BY step DESC LIMIT 1"
    )
    await connection.execute("ANALYZE metrics")
    await connection.close()


def measure_mlflow(store: str, points: int, repeats: int) -> dict[str, float]:
    """Start MLflow's server, which makes its tables, fill them, and read."""
    run_id = uuid.uuid4().hex
    with running_peer(MLFLOW, store) as port:
        asyncio.run(fill_mlflow(store, run_id, points))
        chart = {"run_ids": run_id, "metric_key": "loss", "max_results": CHART_POINTS}
        path = "ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        assert ask(port, path, **chart)["metrics"]
        return {
            "chart_ms": milliseconds(lambda: ask(port, path, **chart), repeats),
            "history_ms": milliseconds(lambda: list(mlflow_history(port, run_id)), 1),
        }


async def fill_stepwell(store: str, points: int) -> str:
    """The same in Stepwell's tables."""
    await migrate(store)
    connection = await asyncpg.connect(store)
    run = await seed_run(connection, points)
    await connection.execute("VACUUM ANALYZE metric_chunk")
    await connection.close()
    return run.run_id.hex


def measure_stepwell(store: str, points: int, repeats: int) -> dict[str, float]:
    """Fill the tables, start a server, and read."""
    run_id = asyncio.run(fill_stepwell(store, points))
    with ServerProcess("--store", store) as server:
        stepwell.set_tracking_uri(server.tracking_uri)
        return {
            "chart_ms": milliseconds(
                lambda: stepwell.sample_series(run_id, "loss", buckets=BUCKETS), repeats
            ),
            "history_ms": milliseconds(lambda: stepwell.get_metric_series(run_id, "loss"), repeats),
        }


async def run(points: int, repeats: int) -> dict[str, Any]:
    """Both, one after the other."""
    result = {}
    async with postgres() as store:
        for name, measure in (("mlflow", measure_mlflow), ("stepwell", measure_stepwell)):
            connection = await asyncpg.connect(store)
            await connection.execute(f"CREATE DATABASE {name}_reading")
            await connection.close()
            started = time.perf_counter()
            result[name] = await asyncio.to_thread(measure, named(store, f"{name}_reading"), points, repeats)
            result[name]["seconds_in_all"] = round(time.perf_counter() - started, 1)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    result = asyncio.run(run(arguments.points, arguments.repeats))
    print(json.dumps({"workload": "reading beside MLflow", **vars(arguments), **result, **surroundings()}))


if __name__ == "__main__":
    main()
