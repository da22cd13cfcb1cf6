"""The page's table of runs in a real browser, on an experiment of many runs, the latest of which have many keys.

    python -m benchmarks.page [--runs 100000] [--keys 2000] [--rounds 5]

PostgreSQL is Stepwell's embedded one; it, the server and a headless Chromium share this machine, and everything is
warm: each act was done once before it is measured. Prints JSON, in milliseconds:

first_rows       from the navigation to the address of the experiment until a row can be read; the page is loaded anew
from_the_list    the same from a click in the list of experiments
filtered         from Enter in the filter until its rows are there
sorted_by_min    from a click on a heading, the least value of a metric, until the order is there
scroll           10,000 rows, a screenful a frame: frames, and the longest time in which rows were missing
javascript_bytes compressed, of what the first page loads
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from playwright.async_api import CDPSession, Page

from benchmarks.loads.seeded_runs import EXPERIMENT_NAME, add_size_options, seed
from benchmarks.measuring.surroundings import surroundings
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.migrations import migrate
from tests.harness.browser import browser
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import named

SIZE = {"width": 1280, "height": 800}
WIDE_RUNS = 100
SCROLLED_ROWS = 10_000
WAIT_MS = 60_000

ADD_KEYS = """
    INSERT INTO metric (name) SELECT format('wide/metric_%s', n) FROM generate_series(1, $1::integer) AS n
"""
ADD_VALUES = """
    INSERT INTO metric_latest (run_id, metric_id, step, timestamp_ms, value, count, non_finite_count,
                               value_min, value_max, value_sum, indexed_value)
    SELECT run_id, metric_id, 10, start_time_ms, random(), 11, 0, 0, 1, 5, 0.5
    FROM (SELECT * FROM run ORDER BY start_time_ms DESC LIMIT $1) AS latest
    CROSS JOIN (SELECT metric_id FROM metric WHERE name LIKE 'wide/%') AS wide
"""

# Scrolls a screenful a frame, and looks each time whether there are rows in the middle of the table.
SCROLL = """
async (rows) => {
  const table = document.querySelector('[role=treegrid]');
  const box = table.getBoundingClientRect();
  const isBlank = () => {
    const at = document.elementFromPoint(box.left + 120, box.top + box.height / 2);
    return !at?.closest('[role=row]');
  };
  const frames = [];
  let blankSince = null, blankMost = 0, before = performance.now();
  const end = performance.now() + 120_000;
  while (performance.now() < end) {
    const rowsDown = table.scrollTop / 32;
    if (rowsDown >= rows) break;
    table.scrollTop += box.height * 0.9;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - before);
    before = now;
    const waits = isBlank() || table.scrollTop / 32 <= rowsDown;
    if (waits) blankSince ??= now;
    else { if (blankSince !== null) blankMost = Math.max(blankMost, now - blankSince); blankSince = null; }
  }
  frames.sort((a, b) => a - b);
  return {
    rows: Math.round(table.scrollTop / 32),
    frames: frames.length,
    frame_median_ms: Math.round(frames[Math.floor(frames.length / 2)] * 10) / 10,
    frame_p99_ms: Math.round(frames[Math.floor(frames.length * 0.99)] * 10) / 10,
    rows_missing_most_ms: Math.round(blankMost),
    dom_rows: document.querySelectorAll('[role=row]').length,
  };
}
"""
JAVASCRIPT = """
() => performance.getEntriesByType('resource')
  .filter((entry) => entry.name.endsWith('.js')).reduce((sum, entry) => sum + entry.encodedBodySize, 0)
"""


async def fill(url: str, arguments: argparse.Namespace) -> None:
    """Seed the runs, and give the latest ones more keys."""
    await migrate(url)
    await seed(url, **{name: getattr(arguments, name) for name in ("runs", "params", "metrics", "tags")})
    connection = await asyncpg.connect(url)
    await connection.execute(ADD_KEYS, max(0, arguments.keys - arguments.metrics))
    await connection.execute(ADD_VALUES, WIDE_RUNS)
    await connection.execute("VACUUM ANALYZE metric_latest")
    await connection.close()


async def measured(
    rounds: int, act: Callable[[], Awaitable[None]], prepare: Callable[[], Awaitable[None]]
) -> Any:
    """Do something again and again; milliseconds."""
    taken = []
    for number in range(rounds + 1):
        await prepare()
        began = time.perf_counter()
        await act()
        if number:  # the first time only warms
            taken.append((time.perf_counter() - began) * 1_000)
    return {"median": round(statistics.median(taken)), "most": round(max(taken))}


async def busy_s(session: CDPSession) -> dict[str, float]:
    """Return how long the page has been busy since the session asked for it, in seconds."""
    told = {it["name"]: it["value"] for it in (await session.send("Performance.getMetrics"))["metrics"]}
    return {
        name: told[name]
        for name in ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    }


async def look(page: Page, experiment_id: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything of the table, one after the other."""
    address = f"/#/experiments/{experiment_id}?view=table"
    first = page.get_by_role("rowheader").first
    latest = page.get_by_role("link", name=f"run {arguments.runs}", exact=True)
    word = "params.param_01 = 'word 3'"

    async def nothing() -> None:
        await page.goto("about:blank")

    async def navigate() -> None:
        await page.goto(address)
        await latest.wait_for()

    async def listed() -> None:
        await page.goto("about:blank")
        await page.goto("/#/")
        await page.get_by_role("link", name=EXPERIMENT_NAME).wait_for()

    async def open_listed() -> None:
        await page.get_by_role("link", name=EXPERIMENT_NAME).click()
        await first.wait_for()

    async def unfiltered() -> None:
        await nothing()
        await navigate()
        await page.get_by_label("Filter runs").fill(word)

    async def filter_runs() -> None:
        async with page.expect_response(lambda answer: answer.url.endswith("/SearchRuns")):
            await page.get_by_label("Filter runs").press("Enter")
        await first.wait_for()

    async def with_minimum() -> None:
        await nothing()
        await page.goto(f"{address}&columns=%5B%22min(metrics.metric_01)%22%5D")
        await latest.wait_for()

    async def sort() -> None:
        async with page.expect_response(lambda answer: answer.url.endswith("/SearchRuns")):
            await page.get_by_role("columnheader", name="metric_01 min").get_by_role("button").click()

    rounds = arguments.rounds
    result = {"first_rows": await measured(rounds, navigate, nothing)}
    result["javascript_bytes"] = await page.evaluate(JAVASCRIPT)
    result["from_the_list"] = await measured(rounds, open_listed, listed)
    result["filtered"] = await measured(rounds, filter_runs, unfiltered)
    result["sorted_by_min"] = await measured(rounds, sort, with_minimum)
    await nothing()
    await navigate()
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    before = await busy_s(session)
    result["scroll"] = await page.evaluate(SCROLL, min(SCROLLED_ROWS, arguments.runs - 100))
    spent = {name: value - before[name] for name, value in (await busy_s(session)).items()}
    frames = result["scroll"]["frames"]
    # What the page itself takes, also where others use the machine.
    result["scroll"]["busy_ms_a_frame"] = {name: round(it * 1_000 / frames, 1) for name, it in spent.items()}
    result["heap_mb"] = round(await page.evaluate("performance.memory.usedJSHeapSize") / 1e6)
    return result


async def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure in a PostgreSQL and a browser of its own."""
    async with EmbeddedPostgres(folder, Deadline(30)) as postgres:
        store = named(postgres.url, "seeded")
        connection = await asyncpg.connect(postgres.url)
        await connection.execute('CREATE DATABASE "seeded"')
        await connection.close()
        await fill(store, arguments)
        connection = await asyncpg.connect(store)
        experiment_id = await connection.fetchval(
            "SELECT experiment_id FROM experiment WHERE name = $1", EXPERIMENT_NAME
        )
        await connection.close()
        with ServerProcess("--store", store, "--data", str(folder / "server")) as server:
            async with browser() as opened:
                page = await opened.new_page(viewport=SIZE, base_url=server.url)
                page.set_default_timeout(WAIT_MS)
                return await look(page, experiment_id, arguments)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.add_argument("--keys", type=int, default=2_000, help=f"metrics of the {WIDE_RUNS} latest runs")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    around = surroundings()
    with tempfile.TemporaryDirectory(prefix="stepwell-page-") as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        result = asyncio.run(run(arguments, Path(folder)))
    print(json.dumps({"workload": "page", **vars(arguments), **result, **around}))


if __name__ == "__main__":
    main()
