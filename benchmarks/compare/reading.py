"""Reading series: Stepwell and MLflow's server on one PostgreSQL, each with the same points.

    python -m benchmarks.compare.reading [--points 50000] [--runs 5] [--repeats 2]

Short series, and few of them, because MLflow's server makes an object of every point and takes seconds for 50,000; with
these defaults all is done in a few minutes. The points are put into both databases by COPY. Read are:

* `history`: all points of one run of --points points; MLflow: get-history, page by page; Stepwell: get_metric_series.
* `histories`: those of --runs runs that have 25,000 points together; MLflow: get-history-bulk, which gives no more.
* `chart` of the one run, `chart_of_runs` of these; MLflow: get-history-bulk-interval, 320 points a run, as its pages
  ask; Stepwell: sample_series, 500 buckets of all points.

Every figure is the median of a few calls after one that nobody counts: from MLflow's server to objects of JSON, from
ours to numpy columns. Prints JSON.
"""

import argparse
import asyncio
import json
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import numpy as np

import stepwell
from benchmarks.compare.__main__ import postgres
from benchmarks.compare.peers import PEERS, running_peer
from benchmarks.loads.seeded_series import START_MS, seed_run
from benchmarks.measuring.surroundings import surroundings
from benchmarks.reading import milliseconds
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import named

(MLFLOW,) = (peer for peer in PEERS if peer.name == "mlflow")
CHART_POINTS = 320  # a run; MLflow's pages ask for so many
BULK_POINTS = 25_000  # all that get-history-bulk gives, and a page of get-history
BUCKETS = 500
TIMEOUT_S = 600.0

Reads = Mapping[str, Callable[[], Any]]


class MlflowReads:
    """Calls of MLflow's interface, as its pages and its client make them."""

    def __init__(self, port: int) -> None:
        self._port = port

    def history(self, run_id: str) -> list[Any]:
        """All points of a run, page by page."""
        return [point for page in self._pages(run_id) for point in page]

    def _pages(self, run_id: str) -> Iterator[list[Any]]:
        request = {"run_id": run_id, "metric_key": "loss", "max_results": BULK_POINTS}
        while True:
            answer = self._ask("api/2.0/mlflow/metrics/get-history", request)
            yield answer["metrics"]
            if not answer.get("next_page_token"):
                return
            request["page_token"] = answer["next_page_token"]

    def histories(self, run_ids: Sequence[str]) -> list[Any]:
        """The first 25,000 points of runs."""
        request = {"run_id": run_ids, "metric_key": "loss", "max_results": BULK_POINTS}
        points: list[Any] = self._ask("ajax-api/2.0/mlflow/metrics/get-history-bulk", request)["metrics"]
        return points

    def chart(self, run_ids: Sequence[str]) -> list[Any]:
        """Sampled points of runs."""
        request = {"run_ids": run_ids, "metric_key": "loss", "max_results": CHART_POINTS}
        path = "ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        points: list[Any] = self._ask(path, request)["metrics"]
        return points

    def _ask(self, path: str, request: Mapping[str, Any]) -> Any:
        query = urllib.parse.urlencode(request, doseq=True)
        url = f"http://127.0.0.1:{self._port}/{path}?{query}"
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return json.load(answer)


async def fill_mlflow(store: str, lengths: Sequence[int]) -> list[str]:
    """Put runs with one series each into MLflow's tables."""
    connection = await asyncpg.connect(store)
    run_ids = [await add_mlflow_run(connection, points) for points in lengths]
    await connection.execute(
        "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
        " SELECT DISTINCT ON (run_uuid) key, value, timestamp, step, is_nan, run_uuid"
        " FROM metrics ORDER BY run_uuid, step DESC"
    )
    await connection.execute("ANALYZE metrics")
    await connection.close()
    return run_ids


async def add_mlflow_run(connection: asyncpg.Connection, points: int) -> str:
    """Add a run with a series of so many points."""
    run_id = uuid.uuid4().hex
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
    return run_id


async def fill_stepwell(store: str, lengths: Sequence[int]) -> list[str]:
    """The same in Stepwell's tables."""
    await migrate(store)
    connection = await asyncpg.connect(store)
    runs = [await seed_run(connection, points) for points in lengths]
    await connection.execute("VACUUM ANALYZE metric_chunk")
    await connection.close()
    return [run.run_id.hex for run in runs]


def measure_mlflow(store: str, lengths: Sequence[int], repeats: int) -> dict[str, float]:
    """Start MLflow's server, which makes its tables, fill them, and read."""
    with running_peer(MLFLOW, store) as port:
        longest, *several = asyncio.run(fill_mlflow(store, lengths))
        reads = MlflowReads(port)
        assert len(reads.history(longest)) == lengths[0]
        assert len(reads.histories(several)) == sum(lengths[1:])
        return timed(
            {
                "history_ms": lambda: reads.history(longest),
                "histories_ms": lambda: reads.histories(several),
                "chart_ms": lambda: reads.chart([longest]),
                "chart_of_runs_ms": lambda: reads.chart(several),
            },
            repeats,
        )


def measure_stepwell(store: str, lengths: Sequence[int], repeats: int) -> dict[str, float]:
    """Fill the tables, start a server, and read."""
    longest, *several = asyncio.run(fill_stepwell(store, lengths))
    with ServerProcess("--store", store) as server:
        stepwell.set_tracking_uri(server.tracking_uri)
        return timed(
            {
                "history_ms": lambda: stepwell.get_metric_series(longest, "loss"),
                "histories_ms": lambda: stepwell.get_metric_series(several, "loss"),
                "chart_ms": lambda: stepwell.sample_series(longest, "loss", buckets=BUCKETS),
                "chart_of_runs_ms": lambda: stepwell.sample_series(several, "loss", buckets=BUCKETS),
            },
            repeats,
        )


def timed(reads: Reads, repeats: int) -> dict[str, float]:
    """The median time of each read."""
    return {name: milliseconds(read, repeats) for name, read in reads.items()}


async def run(points: int, runs: int, repeats: int) -> dict[str, Any]:
    """Both, one after the other, and how many times as long MLflow takes."""
    lengths = [points, *[BULK_POINTS // runs] * runs]
    result: dict[str, Any] = {"points_of_the_longest": points, "points_of_the_others": lengths[1]}
    async with postgres() as store:
        for name, measure in (("mlflow", measure_mlflow), ("stepwell", measure_stepwell)):
            connection = await asyncpg.connect(store)
            await connection.execute(f"CREATE DATABASE {name}_reading")
            await connection.close()
            started = time.perf_counter()
            result[name] = await asyncio.to_thread(measure, named(store, f"{name}_reading"), lengths, repeats)
            result[f"{name}_seconds_in_all"] = round(time.perf_counter() - started, 1)
    ours, theirs = result["stepwell"], result["mlflow"]
    result["times_as_long"] = {name: round(theirs[name] / ours[name], 1) for name in ours}
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=50_000, help="of the one long series")
    parser.add_argument("--runs", type=int, default=5, help="that share 25,000 points")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    result = asyncio.run(run(arguments.points, arguments.runs, arguments.repeats))
    about = {"workload": "reading beside MLflow, short series because MLflow takes seconds for each call"}
    print(json.dumps({**about, **vars(arguments), **result, **surroundings()}))


if __name__ == "__main__":
    main()
