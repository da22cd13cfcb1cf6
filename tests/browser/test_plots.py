"""Plots of runs by their values in columns, beside the table and when runs are compared."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
KINDS = ("Scatter", "Parallel coordinates", "Contour", "Box", "Bar", "Histogram")


@pytest.fixture
def runs(shared_server: ServerProcess) -> tuple[str, list[str]]:
    """An experiment, and its runs with two params and a metric; one value of a param is hostile."""
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"plots {uuid.uuid4().hex}")
    run_ids = []
    for number in range(12):
        run = client.create_run(experiment_id, run_name=f"run {number}")
        kind = HOSTILE if number == 0 else ("sgd", "adam")[number % 2]
        client.log_batch(
            run.info.run_id,
            metrics=[stepwell.Metric("loss", number / 2, 0, 0)],
            params=[stepwell.Param("kind", kind), stepwell.Param("lr", str(10.0**-number))],
        )
        client.set_terminated(run.info.run_id)
        run_ids.append(run.info.run_id)
    client.flush()
    return experiment_id, run_ids


async def make(page: Page, kind: str) -> None:
    await page.get_by_role("button", name="New chart").click()
    await page.get_by_role("dialog").get_by_label("Kind").select_option(kind)
    await page.get_by_role("button", name="Show the chart").click()


async def test_every_kind_is_made_and_stays_in_the_address(page: Page, runs: tuple[str, list[str]]) -> None:
    await page.goto(f"/#/experiments/{runs[0]}?view=charts")
    for kind in KINDS:
        await make(page, kind)
    await page.reload()
    for kind in KINDS:
        await expect(page.get_by_role("img", name=f"{kind} of 12 runs")).to_be_attached()
    assert await page.locator("main img").count() == 0
    assert await page.title() != "taken"


async def test_a_plot_of_some_of_the_runs_says_so(page: Page, shared_server: ServerProcess) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"plots {uuid.uuid4().hex}")
    with ThreadPoolExecutor(8) as threads:  # one after the other they take a minute on a busy machine
        runs = list(threads.map(lambda _: client.create_run(experiment_id), range(1_001)))
    client.log_batch(runs[-1].info.run_id, metrics=[stepwell.Metric("loss", 1.0, 0, 0)])
    client.flush()
    await page.goto(f"/#/experiments/{experiment_id}?view=charts")
    await make(page, "Histogram")
    await expect(page.get_by_text("The first 1,000 runs that the filter finds")).to_be_visible()
    await page.get_by_label("Filter runs").fill("metrics.loss = 1")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("img", name="Histogram of 1 run")).to_be_visible()
    await expect(page.get_by_text("that the filter finds")).to_have_count(0)


async def test_axes_are_chosen_and_points_open_their_runs(page: Page, runs: tuple[str, list[str]]) -> None:
    await page.goto(f"/#/experiments/{runs[0]}?view=charts")
    await page.get_by_role("button", name="New chart").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Kind").select_option("Scatter")
    await dialog.get_by_role("button", name="params.kind").click()
    await dialog.get_by_role("radio", name="params.lr").click()
    await dialog.get_by_role("button", name="none").click()
    await dialog.get_by_role("radio", name="params.kind").click()
    await dialog.get_by_role("button", name="Show the chart").click()
    chart = page.get_by_role("region", name="Chart of Scatter: lr, loss, kind")
    await expect(chart.get_by_text("lr (log)")).to_be_visible()
    await chart.locator("circle").nth(3).hover()
    told = chart.get_by_role("presentation")
    name = await told.locator("b").inner_text()
    await expect(told).to_contain_text("loss")
    async with page.expect_download() as download:
        await chart.get_by_role("button", name="Actions").click()
        await page.get_by_role("menuitem", name="Download SVG").click()
    document = (await (await download.value).path()).read_text()
    assert document.count("<circle") == 12
    await chart.locator("circle").nth(3).click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()


async def test_compared_runs_alone_are_plotted(page: Page, runs: tuple[str, list[str]]) -> None:
    chosen = "%2C".join(f"%22{run_id}%22" for run_id in runs[1][:3])
    await page.goto(f"/#/compare?runs=%5B{chosen}%5D&tab=charts")
    await make(page, "Parallel coordinates")
    await expect(page.get_by_role("img", name="Parallel coordinates of 3 runs")).to_be_visible()
