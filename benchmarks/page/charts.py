"""How fast the page draws, in a real browser on this machine, everything warm.

    python -m benchmarks.page.charts [--points 100000] [--metrics 24] [--runs 20] [--many 3000] [--live-seconds 30]

Prints JSON. Charts: from navigation until the last of those in view is drawn, and the heap then; many metrics: until
the first charts are drawn; hover: frames while the pointer moves over charts whose cursors move together; live: from
the log call to the drawn frame, beside 10,000 points a second, and the heap as it goes on. Drawn is what the charts
themselves say (`data-drawn-to`), in the frame after.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import CDPSession, Page

import stepwell
from benchmarks.measuring.surroundings import surroundings
from stepwell import StepwellClient
from tests.harness.browser import browser
from tests.harness.servers.processes import ServerProcess

TALL = {"width": 1920, "height": 2700}  # 24 charts are in view, and have to be drawn
USUAL = {"width": 1280, "height": 800}
PULSE_S = 0.21  # no multiple of what the page, the client or the server do
LOAD_METRICS = 24
LOAD_POINTS_PER_S = 10_000
SETTLE_S = 5.0
LOOK_MOST_S = 60.0
HOVER_S = 4.0

# The moment when as many charts as wanted are drawn, in milliseconds since the navigation began.
DRAWN = """wanted => new Promise(resolve => {
    const look = () => document.querySelectorAll("[data-drawn-to]").length >= wanted
        ? requestAnimationFrame(() => resolve(performance.now()))
        : requestAnimationFrame(look);
    look();
})"""
FRAMES = """ms => new Promise(resolve => {
    const frames = []; let before = performance.now(); const end = before + ms;
    const next = now => {
        frames.push(now - before); before = now;
        now < end ? requestAnimationFrame(next) : resolve(frames);
    };
    requestAnimationFrame(next);
})"""
PULSES = """() => {
    window.pulses = [];
    new MutationObserver(changes => {
        for (const { target } of changes) {
            const card = target.closest("section");
            if (card?.ariaLabel !== "Chart of pulse") continue;
            const step = Number(target.dataset.drawnTo);
            requestAnimationFrame(() => window.pulses.push([step, performance.timeOrigin + performance.now()]));
        }
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-drawn-to"] });
}"""


@asynccontextmanager
async def tab(url: str, size: dict[str, int]) -> AsyncIterator[tuple[Page, CDPSession]]:
    """A tab at the server's page; the browser is warm, and so is its cache."""
    async with browser() as opened:
        context = await opened.new_context(viewport=size, base_url=url, locale="en-US")
        page = await context.new_page()
        await page.goto("/")
        await page.wait_for_timeout(1_000)
        yield page, await context.new_cdp_session(page)


async def heap_mb(session: CDPSession) -> float:
    """What the page keeps, after a collection."""
    await session.send("HeapProfiler.collectGarbage")
    return round((await session.send("Runtime.getHeapUsage"))["usedSize"] / 1e6, 1)


def seed(client: StepwellClient, name: str, runs: int, metrics: int, points: int) -> str:
    """Log runs of so many metrics with so many points each; return their experiment."""
    experiment_id = client.create_experiment(f"{name} {time.time_ns()}")
    steps = np.arange(points)
    chance = np.random.default_rng(points)
    for number in range(runs):
        with stepwell.start_run(experiment_id=experiment_id, run_name=f"{name}-{number}"):
            for metric in range(metrics):
                noise = chance.standard_normal(points, np.float32) * 0.1
                values = (np.exp(-steps / points * 4) + noise).astype(np.float32)
                stepwell.log_series(f"part{metric // 12}/metric{metric}", values, steps=steps)
    return experiment_id


async def first_charts(url: str, address: str, charts: int, size: dict[str, int]) -> dict[str, Any]:
    """From navigation until so many charts are drawn; the second of two times, for the first one warms up."""
    async with tab(url, size) as (page, session):
        for _ in range(2):
            await page.goto("about:blank")
            await page.goto(f"{url}{address}")
            drawn_ms = await page.evaluate(DRAWN, charts)
        return {"drawn_ms": round(drawn_ms), "charts": charts, "heap_mb": await heap_mb(session)}


async def hover(url: str, address: str, charts: int) -> dict[str, Any]:
    """Frames while the pointer moves to and fro over one of many charts."""
    async with tab(url, TALL) as (page, _):
        await page.goto(f"{url}{address}")
        await page.evaluate(DRAWN, charts)
        box = await page.locator(".u-over").nth(charts // 2).bounding_box()
        assert box is not None
        frames = asyncio.create_task(page.evaluate(FRAMES, HOVER_S * 1_000))
        place = 0
        while not frames.done():
            place += 7
            x = box["x"] + abs(place % (2 * box["width"]) - box["width"]) % box["width"]
            await page.mouse.move(x, box["y"] + box["height"] / 2)
        taken = sorted(await frames)
        return {
            "median_frame_ms": round(statistics.median(taken), 1),
            "p99_frame_ms": round(taken[len(taken) * 99 // 100], 1),
        }


async def live(server: ServerProcess, seconds: float) -> dict[str, Any]:
    """From log calls to drawn frames, beside a run that logs 10,000 points a second to the same page."""
    client = StepwellClient(server.tracking_uri)
    experiment_id = client.create_experiment(f"live {time.time_ns()}")
    called: dict[int, float] = {}
    stop = threading.Event()
    threads = [
        threading.Thread(target=_pulse, args=(experiment_id, called, stop)),
        threading.Thread(target=_load, args=(experiment_id, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        async with tab(server.url, USUAL) as (page, session):
            await page.goto(f"{server.url}/#/experiments/{experiment_id}?view=charts")
            await page.wait_for_timeout(SETTLE_S * 1_000)
            await page.evaluate(PULSES)
            heaps, seen = [], []
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                await page.wait_for_timeout(min(max(seconds / 10, 1), LOOK_MOST_S) * 1_000)
                # Taken out, so that what is measured here does not grow the heap of what is measured.
                seen.extend(await page.evaluate("window.pulses.splice(0)"))
                heaps.append(await heap_mb(session))
            seen.sort()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    waits = sorted(_waits(called, seen))
    return {
        "log_call_to_pixel_ms": {
            "median": round(statistics.median(waits)),
            "p99": round(waits[len(waits) * 99 // 100]),
            "calls": len(waits),
        },
        "heap_mb": heaps,
    }


def _pulse(experiment_id: str, called: dict[int, float], stop: threading.Event) -> None:
    with stepwell.start_run(experiment_id=experiment_id, run_name="pulse"):
        step = 0
        while not stop.wait(PULSE_S):
            called[step] = time.time() * 1_000
            stepwell.log_metric("pulse", step % 7, step=step)
            step += 1


def _load(experiment_id: str, stop: threading.Event) -> None:
    with stepwell.start_run(experiment_id=experiment_id, run_name="load"):
        began, logged = time.monotonic(), 0
        while not stop.wait(0.005):
            for number in range(logged, int((time.monotonic() - began) * LOAD_POINTS_PER_S)):
                step, metric = divmod(number, LOAD_METRICS)
                stepwell.log_metric(f"load/metric{metric}", 1 / (step + 1), step=step)
                logged = number + 1


def _waits(called: dict[int, float], seen: list[list[float]]) -> list[float]:
    """How long each call took to be seen; those from before the look began are left out."""
    waits = []
    place = 0
    for step, at_ms in called.items():
        while place < len(seen) and seen[place][0] < step:
            place += 1
        if seen and step > seen[0][0] and place < len(seen):
            waits.append(min(drawn_ms for reached, drawn_ms in seen[place:] if reached >= step) - at_ms)
    return waits


async def measure(server: ServerProcess, arguments: argparse.Namespace) -> dict[str, Any]:
    """All of it against one server."""
    stepwell.set_tracking_uri(server.tracking_uri)
    client = StepwellClient(server.tracking_uri)
    charts = seed(client, "charts", arguments.runs, arguments.metrics, arguments.points)
    many = seed(client, "many", 1, arguments.many, 100)
    shown = f"/#/experiments/{charts}?view=charts"
    return {
        "charts": await first_charts(server.url, shown, arguments.metrics, TALL),
        "many_metrics": await first_charts(server.url, f"/#/experiments/{many}?view=charts", 9, USUAL),
        "hover": await hover(server.url, shown, arguments.metrics),
        "live": await live(server, arguments.live_seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=100_000, help="points of a series")
    parser.add_argument("--metrics", type=int, default=24, help="charts in view")
    parser.add_argument("--runs", type=int, default=20, help="lines of a chart")
    parser.add_argument("--many", type=int, default=3_000, help="metrics of an experiment with many")
    parser.add_argument("--live-seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stepwell-benchmark-") as folder:
        Path(folder).chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
        with ServerProcess("--data", f"{folder}/data") as server:
            figures = asyncio.run(measure(server, arguments))
    print(json.dumps({"settings": vars(arguments), **surroundings(), **figures}, indent=2))


if __name__ == "__main__":
    main()
