"""Chosen runs side by side."""

import json
import re
import uuid

from playwright.async_api import Locator, Page, expect

import stepwell
from stepwell import StepwellClient
from stepwell.entities import Dataset, DatasetInput
from tests.harness.servers.processes import ServerProcess


async def test_what_does_not_fit_into_the_legend_and_the_bars_is_told(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"many {uuid.uuid4().hex}")
    run_ids = [client.create_run(experiment_id, run_name=f"run number {it}").info.run_id for it in range(50)]
    for number, run_id in enumerate(run_ids):
        client.log_batch(run_id, metrics=[stepwell.Metric("accuracy", number, 0, 0)])
        client.set_terminated(run_id)
    client.flush()
    await page.goto(f"/#/compare?tab=charts&runs={json.dumps(run_ids)}")
    names = page.get_by_role("list", name="Runs")
    more = page.get_by_role("button", name=re.compile(r"^\d+ more$"))
    await expect(more).to_be_visible()
    bottom = (await edges(names))[1]
    places = [await edges(one) for one in await names.get_by_role("listitem").all()]
    hidden = [top for top, end in places if end > bottom]
    assert all(top >= bottom for top in hidden)  # none is cut through
    await expect(more).to_have_text(f"{len(hidden)} more")
    await more.click()
    bottom = (await edges(names))[1]
    assert (await edges(names.get_by_role("listitem").last))[1] <= bottom
    chart = page.get_by_role("region", name="Chart of accuracy")
    await expect(chart.get_by_text(re.compile(r"^\d+ of 50 bars in view$"))).to_be_visible()
    await page.get_by_role("button", name="Fewer").click()
    await expect(more).to_be_visible()


async def edges(it: Locator) -> tuple[float, float]:
    """Where something begins and ends, from above."""
    box = await it.bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"]


async def test_selected_runs_are_compared(page: Page, shared_server: ServerProcess) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"compared {uuid.uuid4().hex}")
    for number in range(3):
        run_id = client.create_run(experiment_id, run_name=f"run {number}").info.run_id
        client.log_batch(
            run_id,
            metrics=[stepwell.Metric("loss", 1.0 / (number + 1), 0, step) for step in range(3)],
            params=[
                stepwell.Param("augmentation", f"policy {number}"),
                stepwell.Param("lr", str(number)),
                stepwell.Param("same", "x"),
            ],
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
    await page.get_by_role("tab", name="Plots").click()
    await expect(page.get_by_role("img", name="Parallel coordinates of 2 runs: ")).to_be_visible()
    await page.get_by_role("button", name="Actions for the chart of Box").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.reload()
    await expect(page.get_by_role("heading", name="Scatter: lr, loss")).to_be_visible()
    await expect(page.get_by_role("heading", name="Box")).to_have_count(0)
    await page.get_by_role("link", name="compared").click()
    await expect(page.get_by_role("checkbox", name="Select run 0")).to_be_checked()
    await expect(page.get_by_role("checkbox", name="Select run 1")).not_to_be_checked()
    # So does the browser's own way back, past the tabs that were looked at.
    await page.get_by_role("link", name="Compare").click()
    await expect(page.get_by_role("heading", name="2 runs compared")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("checkbox", name="Select run 2")).to_be_checked()


async def test_the_way_back_from_a_run_leads_to_what_was_shown(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"back {uuid.uuid4().hex}")
    for name in ("one", "two"):
        client.set_terminated(client.create_run(experiment_id, run_name=name).info.run_id)
    await page.goto(f"/#/experiments/{experiment_id}?q=attributes.run_name%20%3D%20%27one%27")
    await page.get_by_role("link", name="one").click()
    await page.get_by_role("link", name="back").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["one"])


async def test_runs_are_compared_with_a_baseline_and_their_data_sets(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"baseline {uuid.uuid4().hex}")
    ids = []
    for number in range(12):
        run_id = client.create_run(experiment_id, run_name=f"run {number}").info.run_id
        client.log_batch(run_id, metrics=[stepwell.Metric("loss", 1.0 + number / 4, 0, 0)])
        client.log_inputs(run_id, [DatasetInput(Dataset("<b>digits", f"d{number % 2}", "local", "{}"))])
        client.set_terminated(run_id)
        ids.append(run_id)
    client.flush()
    await page.goto(f"/#/compare?runs={json.dumps(ids)}")
    await expect(page.get_by_role("heading", name="12 runs compared")).to_be_visible()
    loss = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="loss"))
    await expect(loss.get_by_role("cell").nth(2)).to_have_text("1.5 +0.5")
    await page.get_by_role("button", name="Use run 2 as baseline").click()
    await expect(loss.get_by_role("cell").nth(3)).to_have_text("1.75 +0.25")
    digits = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="<b>digits"))
    await expect(digits.get_by_role("cell").first).to_have_text("d0")
    await page.get_by_label("Search keys").fill("digi")
    await expect(loss).to_have_count(0)
    await page.get_by_role("button", name="Take run 0 out").click()
    await expect(page.get_by_role("heading", name="11 runs compared")).to_be_visible()
    await page.goto(f"/#/compare?runs={json.dumps(['f' * 32])}")
    await expect(page.get_by_text("None of these runs exists")).to_be_visible()
