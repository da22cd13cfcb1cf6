"""Chosen runs side by side."""

import uuid

from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.processes import ServerProcess


async def test_selected_runs_are_compared(page: Page, shared_server: ServerProcess) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"compared {uuid.uuid4().hex}")
    for number in range(3):
        run_id = client.create_run(experiment_id, run_name=f"run {number}").info.run_id
        client.log_batch(
            run_id,
            metrics=[stepwell.Metric("loss", 1.0 / (number + 1), 0, step) for step in range(3)],
            params=[stepwell.Param("lr", str(number)), stepwell.Param("same", "x")],
        )
        client.set_terminated(run_id)
    client.flush()
    await page.goto(f"/#/experiments/{experiment_id}")
    for name in ("run 0", "run 2"):
        await page.get_by_role("checkbox", name=f"Select {name}").check()
    await page.get_by_role("link", name="Compare").click()
    await expect(page.get_by_role("heading", name="2 runs compared")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="lr"))
    await expect(row.get_by_role("cell")).to_have_text(["0", "2"])
    await expect(page.get_by_role("rowheader", name="same")).to_have_count(0)
    await page.get_by_role("checkbox", name="Differences only").uncheck()
    await expect(page.get_by_role("rowheader", name="same")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("rowheader", name="same")).to_be_visible()
    await page.get_by_role("tab", name="Charts").click()
    chart = page.get_by_role("region", name="Chart of loss")
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    await expect(page.get_by_role("list", name="Runs").get_by_role("listitem")).to_have_text(
        ["run 0", "run 2"]
    )
