"""Takes the pictures that README and docs show, of a real server with runs made for it: `make pictures`."""

import asyncio
import os
import tempfile
from pathlib import Path

import numpy as np

import stepwell
from tests.harness.browser import browser
from tests.harness.servers.processes import ServerProcess

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
STEPS = np.arange(0, 100_000, 5)
METRICS = ("eval/accuracy", "eval/loss", "train/grad_norm", "train/loss")
SETTLED_MS = 6_000
DESCRIPTION = "**Warm-up** of 2,000 steps, then cosine."
# Not this machine's paths and names.
SOURCE = {"mlflow.source.name": "train.py", "mlflow.source.git.commit": "4f0c2a9be1", "mlflow.user": "ada"}


def main() -> None:
    """Start a server, log to it, and look."""
    FOLDER.mkdir(exist_ok=True)
    os.environ["LOGNAME"] = SOURCE["mlflow.user"]
    with tempfile.TemporaryDirectory() as data, ServerProcess("--data", data) as server:
        stepwell.set_tracking_uri(server.tracking_uri)
        run_id, experiment_id = log_runs()
        page = f"{server.url}/#/experiments/{experiment_id}"
        asyncio.run(take({"runs": page, "run": f"{page}/runs/{run_id}"}))


def log_runs() -> tuple[str, str]:
    """Log eight runs with noise, a spike and a few NaN; return the last run's id and the experiment's."""
    stepwell.set_experiment("pretraining")
    chance = np.random.default_rng(1)
    for number in range(8):
        name = f"{('small', 'base', 'wide', 'deep')[number % 4]}-{number}"
        with stepwell.start_run(run_name=name, description=DESCRIPTION, tags=SOURCE) as run:
            rate = 10 ** chance.uniform(-4.5, -2.5)
            stepwell.log_params({"lr": f"{rate:.1e}", "layers": 12 + 2 * number, "optimizer": "adamw"})
            stepwell.set_tag("team", ("vision", "text")[number % 2])
            start = chance.uniform(0.5, 1.5)
            for key in METRICS:
                falling = start * np.exp(-STEPS / 30_000) + 0.2 + chance.normal(0, 0.03, len(STEPS))
                values = (1.8 - falling) / 1.9 if key == "eval/accuracy" else falling
                if key == "train/loss":
                    values[9_000 + 500 * number] = 2.0
                    values[3_000:3_400] = np.nan
                stepwell.log_series(key, values.astype(np.float32), steps=STEPS)
            stepwell.log_text("lr: cosine\n", "config/schedule.yaml")
    return run.info.run_id, run.info.experiment_id


async def take(addresses: dict[str, str]) -> None:
    """Take a picture of each address, light and dark."""
    async with browser() as opened:
        for theme in ("light", "dark"):
            context = await opened.new_context(viewport=SIZE, locale="en-US", color_scheme=theme)
            for name, address in addresses.items():
                page = await context.new_page()
                await page.goto(address)
                await page.wait_for_timeout(SETTLED_MS)
                await page.screenshot(path=FOLDER / f"{name}-{theme}.png")


if __name__ == "__main__":
    main()
