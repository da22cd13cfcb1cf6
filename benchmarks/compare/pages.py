"""The page beside MLflow 3's on the same data, in one browser, one server after the other; prints JSON.

    python -m benchmarks.compare.pages [--runs 100000] [--keys 3000] [--rounds 3]

PostgreSQL is Stepwell's embedded one; both servers get the same runs, params, metrics and tags. Everything is warm: it
was done once before. In milliseconds, from the navigation; the page is loaded anew:

first_rows     to the address of an experiment with --runs runs, until the name of the latest can be read
first_charts   to the charts of a run with --keys metrics of 100 points each, until four of them are drawn
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
from playwright.async_api import Page

import stepwell
from benchmarks.compare.peers import MLFLOW_3, running_peer
from benchmarks.loads.seeded_runs import EXPERIMENT_NAME, add_size_options, seed
from benchmarks.measuring.surroundings import surroundings
from benchmarks.search import copy_to_mlflow, database
from stepwell import StepwellClient
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.browser import browser
from tests.harness.servers.processes import ServerProcess

SIZE = {"width": 1280, "height": 800}
WAIT_MS = 180_000
POINTS = 100
CHARTS = 4
# Seen is what is in the page when a frame begins.
OURS_DRAWN = "count => document.querySelectorAll('[data-drawn-to]').length >= count"
THEIRS_DRAWN = (
    "count => document.querySelectorAll('.js-plotly-plot .scatterlayer path.js-line').length >= count"
)

# The same run for MLflow; value and step of the last point stand in latest_metrics.
MLFLOW_POINTS = {
    "metrics": """
        INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
        SELECT format('part%s/metric%s', n / 12, n), exp(-4.0 * step / $3), $4::bigint + step, step, false, $1
        FROM generate_series(0, $2::integer - 1) AS n, generate_series(0, $3::integer - 1) AS step
    """,
    "latest_metrics": """
        INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
        SELECT key, value, timestamp, step, is_nan, run_uuid FROM metrics WHERE run_uuid = $1 AND step = $2::integer - 1
    """,
}


async def measured(page: Page, rounds: int, act: Callable[[], Awaitable[object]]) -> dict[str, int]:
    """Navigate again and again, from nothing; milliseconds."""
    taken = []
    for number in range(rounds + 1):
        await page.goto("about:blank")
        began = time.perf_counter()
        await act()
        if number:  # the first time only warms
            taken.append((time.perf_counter() - began) * 1_000)
    return {"median": round(statistics.median(taken)), "most": round(max(taken))}


async def look(url: str, rows: str, charts: str, drawn: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What is measured, of one server's page."""
    async with browser() as opened:
        page = await opened.new_page(viewport=SIZE, base_url=url, locale="en-US")
        page.set_default_timeout(WAIT_MS)

        async def first_rows() -> None:
            await page.goto(rows)
            await page.get_by_text(f"run {arguments.runs}", exact=True).first.wait_for()

        async def first_charts() -> None:
            await page.goto(charts)
            await page.wait_for_function(drawn, arg=CHARTS)

        return {
            "first_rows": await measured(page, arguments.rounds, first_rows),
            "first_charts": await measured(page, arguments.rounds, first_charts),
        }


async def of_stepwell(store: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Ours, on a database that is filled."""
    with ServerProcess("--store", store) as server:
        client = StepwellClient(server.tracking_uri)
        experiment = client.get_experiment_by_name(EXPERIMENT_NAME)
        assert experiment is not None
        wide, run_id = await asyncio.to_thread(log_wide, server.tracking_uri, arguments.keys)
        rows = f"/#/experiments/{experiment.experiment_id}?view=table"
        return await look(
            server.url, rows, f"/#/experiments/{wide}/runs/{run_id}?tab=charts", OURS_DRAWN, arguments
        )


def log_wide(uri: str, keys: int) -> tuple[str, str]:
    """Log a run with many metrics; return its experiment and its id."""
    stepwell.set_tracking_uri(uri)
    experiment_id = StepwellClient(uri).create_experiment("wide")
    steps = np.arange(POINTS)
    with stepwell.start_run(experiment_id=experiment_id) as run:
        for number in range(keys):
            values = np.exp(-4.0 * steps / POINTS).astype(np.float32)
            stepwell.log_series(f"part{number // 12}/metric{number}", values, steps=steps)
    return experiment_id, run.info.run_id


async def of_mlflow(ours: str, theirs: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """MLflow's, on a copy of ours."""
    with running_peer(MLFLOW_3, theirs) as port:
        await copy_to_mlflow(ours, theirs)
        url = f"http://127.0.0.1:{port}"
        wide = call(url, "experiments/create", name="wide")["experiment_id"]
        run = call(url, "runs/create", experiment_id=wide, start_time=1_700_000_000_000)["run"]
        run_id = run["info"]["run_id"]
        connection = await asyncpg.connect(theirs)
        await connection.execute(
            MLFLOW_POINTS["metrics"], run_id, arguments.keys, POINTS, 1_700_000_000_000, timeout=600
        )
        await connection.execute(MLFLOW_POINTS["latest_metrics"], run_id, POINTS)
        await connection.execute("ANALYZE")
        await connection.close()
        charts = f"/#/experiments/{wide}/runs/{run_id}/model-metrics"
        return await look(url, "/#/experiments/0/runs", charts, THEIRS_DRAWN, arguments)


def call(url: str, what: str, **asked: object) -> Any:
    """Call MLflow's interface."""
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/{what}", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


async def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fill both databases and look at both pages."""
    async with EmbeddedPostgres(folder, Deadline(30)) as postgres:
        ours = await database(postgres.url, "seeded")
        await migrate(ours)
        await seed(ours, **{name: getattr(arguments, name) for name in ("runs", "params", "metrics", "tags")})
        theirs = await of_mlflow(ours, await database(postgres.url, "mlflow"), arguments)
        return {"stepwell": await of_stepwell(ours, arguments), "mlflow": theirs}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.add_argument("--keys", type=int, default=3_000, help="metrics of the run with many")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    set_up_logs(None, "warning")
    around = surroundings()
    with tempfile.TemporaryDirectory(prefix="stepwell-pages-") as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        found = asyncio.run(measure(arguments, Path(folder)))
    ratios = {
        what: round(found["mlflow"][what]["median"] / found["stepwell"][what]["median"], 1)
        for what in found["stepwell"]
    }
    print(json.dumps({"settings": vars(arguments), **found, "times_slower": ratios, **around}, indent=2))


if __name__ == "__main__":
    main()
