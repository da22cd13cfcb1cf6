"""Bulk in and out, and how long a committed point takes to a watcher.

    python -m benchmarks.transfers [--points 2000000] [--seconds 10]

Seeds a run, exports it to Parquet, imports an MLflow database of the same size, and watches a run into which another
process logs 100,000 points a second. Prints JSON.
"""

import argparse
import asyncio
import json
import multiprocessing
import sqlite3
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

import stepwell
from benchmarks.loads.seeded_series import seed_run
from benchmarks.measuring.surroundings import surroundings
from stepwell.transfer.exporting import export_runs
from stepwell.transfer.importing import import_runs
from stepwell.transfer.mlflow.source import mlflow_source
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.servers.processes import ServerProcess

STOP_S = 60.0
LOAD_POINTS_PER_S = 100_000
LOAD_CHUNK = 1_000

MLFLOW_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT);
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                   user_id TEXT, experiment_id INTEGER, lifecycle_stage TEXT, artifact_uri TEXT);
CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN,
                      PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
INSERT INTO experiments VALUES (1, 'imported', 'active');
"""


async def seed(store: str, points: int) -> str:
    """Add a run; returns its id."""
    await migrate(store)
    connection = await asyncpg.connect(store)
    run = await seed_run(connection, points)
    await connection.execute(
        "INSERT INTO metric_latest SELECT run_id, metric_id, max(step_max), 0, 0, sum(count), 0, 0, 0, 0"
        " FROM metric_chunk GROUP BY run_id, metric_id"
    )
    await connection.close()
    return run.run_id.hex


def make_mlflow_database(path: Path, points: int) -> None:
    """Make a database as MLflow's, with one run of four metrics."""
    database = sqlite3.connect(path)
    database.executescript(MLFLOW_TABLES)
    run_id = uuid.uuid4().hex
    database.execute(
        "INSERT INTO runs VALUES (?, 'a run', 'FINISHED', 0, 1, 'me', 1, 'active', '')", (run_id,)
    )
    rows = ((f"metric {step % 4}", step / 7, 1_000 + step, run_id, step, 0) for step in range(points))
    database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()


def log_steadily(tracking_uri: str, run_id: str, seconds: float) -> None:
    """Log 100,000 points a second, and every 50 ms a point whose value is the time."""
    stepwell.set_tracking_uri(tracking_uri)
    with stepwell.start_run(run_id=run_id):
        end, step = time.time() + seconds, 0
        begun = time.time()
        while time.time() < end:
            stepwell.log_series(
                "load", np.random.standard_normal(LOAD_CHUNK), steps=np.arange(step, step + LOAD_CHUNK)
            )
            step += LOAD_CHUNK
            if step % (LOAD_POINTS_PER_S // 20) == 0:
                stepwell.log_metric("sent_at", time.time(), step=step)
            time.sleep(max(0.0, begun + step / LOAD_POINTS_PER_S - time.time()))


def watch_latency(tracking_uri: str, seconds: float) -> dict[str, float]:
    """From the log call to the watching client, in milliseconds: more than from the commit."""
    run_id = stepwell.StepwellClient(tracking_uri).create_run("0").info.run_id
    delays: list[float] = []

    def watch() -> None:
        for news in stepwell.watch(run_id, "sent_at", start="beginning", timeout_s=seconds + 5):
            if news.points is not None:
                delays.extend((time.time() - news.points.values).tolist())

    watcher = threading.Thread(target=watch)
    watcher.start()
    process = multiprocessing.get_context("spawn").Process(
        target=log_steadily, args=(tracking_uri, run_id, seconds)
    )
    process.start()
    process.join()
    watcher.join()
    return {
        "watch_log_to_client_p50_ms": round(float(np.percentile(delays, 50)) * 1_000, 1),
        "watch_log_to_client_p99_ms": round(float(np.percentile(delays, 99)) * 1_000, 1),
        "watch_points_seen": len(delays),
    }


def measure(folder: Path, tracking_uri: str, run_id: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Export, import, watch."""
    stepwell.set_tracking_uri(tracking_uri)
    started = time.perf_counter()
    exported = export_runs([run_id], folder / "export").points
    export_s = time.perf_counter() - started
    make_mlflow_database(folder / "mlflow.db", arguments.points // 4)
    started = time.perf_counter()
    imported = import_runs(mlflow_source(str(folder / "mlflow.db"))).points
    import_s = time.perf_counter() - started
    return {
        "export_points_per_s": round(exported / export_s),
        "import_mlflow_sqlite_points_per_s": round(imported / import_s),
        **watch_latency(tracking_uri, arguments.seconds),
    }


async def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seed, start a server, measure."""
    async with EmbeddedPostgres(folder, Deadline(STOP_S)) as postgres:
        run_id = await seed(postgres.url, arguments.points)
        with ServerProcess("--store", postgres.url) as server, tempfile.TemporaryDirectory() as files:
            return await asyncio.to_thread(measure, Path(files), server.tracking_uri, run_id, arguments)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=2_000_000, help="to export; a quarter of it to import")
    parser.add_argument("--seconds", type=float, default=10.0, help="of watching")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        result = asyncio.run(run(Path(folder), arguments))
    print(json.dumps({"workload": "transfers", **vars(arguments), **result, **surroundings()}))


if __name__ == "__main__":
    main()
