"""What can be done with charts: several metrics in one, over another metric, order, size, saving."""

import re
import uuid

import pytest
from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def address(shared_server: ServerProcess) -> str:
    """Charts of a run with losses of train and validation, and tokens; its name is hostile."""
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"charts {uuid.uuid4().hex}")
    run_id = client.create_run(experiment_id, run_name=HOSTILE).info.run_id
    names = ("train/loss", "val/loss", "tokens")
    client.log_batch(
        run_id,
        metrics=[stepwell.Metric(key, 100.0 * step, step, step) for key in names for step in range(20)],
    )
    client.set_terminated(run_id)
    client.flush()
    return f"/#/experiments/{experiment_id}/runs/{run_id}?tab=charts"


async def test_train_and_validation_in_one_chart(page: Page, address: str) -> None:
    await page.goto(address)
    await expect(page.get_by_role("region", name="Chart of val/loss").get_by_role("img")).to_be_visible()
    await page.get_by_role("button", name="Axes").click()
    await page.get_by_label("Train and validation together").check()
    chart = page.get_by_role("region", name="Chart of loss")
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    await expect(page.get_by_role("region", name="Chart of val/loss")).to_have_count(0)
    await page.reload()
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()


async def test_what_the_cursor_is_at_is_told_within_what_can_be_seen(page: Page, address: str) -> None:
    await page.goto(address)
    chart = page.get_by_role("region", name="Chart of tokens")
    plot = await chart.locator(".u-over").bounding_box()
    main = await page.locator("main").bounding_box()
    assert plot is not None
    assert main is not None
    await page.mouse.move(plot["x"] + plot["width"] * 0.55, plot["y"] + plot["height"] / 2)
    told = chart.locator("[role=presentation]")
    await expect(told).to_contain_text("step ")
    box = await told.bounding_box()
    assert box is not None
    assert main["x"] <= box["x"]
    assert box["x"] + box["width"] <= main["x"] + main["width"]


async def test_charts_of_chosen_metrics_are_made_changed_and_removed(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_role("button", name="New chart").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Title").fill("mine")
    await dialog.get_by_label("Metrics that a regular expression finds").fill("(")
    await expect(dialog.get_by_role("alert")).to_contain_text("not a regular expression")
    await dialog.get_by_label("Metrics that a regular expression finds").fill("loss$")
    await expect(dialog.get_by_text("It finds 2 metrics.")).to_be_visible()
    await dialog.get_by_role("button", name="Show the chart").click()
    chart = page.get_by_role("region", name="Chart of mine")
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    await page.reload()
    await chart.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Edit").click()
    await dialog.get_by_label("Metrics that a regular expression finds").fill("")
    await dialog.get_by_role("checkbox", name="tokens").check()
    await dialog.get_by_role("button", name="Show the chart").click()
    await expect(chart.get_by_role("img", name="1 line over step")).to_be_visible()
    await chart.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await expect(chart).to_have_count(0)


async def test_what_is_no_regular_expression_is_told(page: Page, address: str) -> None:
    await page.goto(address)
    field = page.get_by_label("Metrics by regular expression")
    await field.fill("loss(")
    await expect(page.get_by_role("alert")).to_contain_text("This is not a regular expression")
    await expect(page.get_by_role("region", name="Chart of tokens")).to_be_visible()
    await field.fill("loss$")
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(page.get_by_role("region", name="Chart of tokens")).to_have_count(0)


async def test_what_is_done_with_one_chart_stands_in_the_address(page: Page, address: str) -> None:
    await page.goto(address)
    chart = page.get_by_role("region", name="Chart of tokens")
    await expect(chart.get_by_role("img", name="1 line over step")).to_be_visible()
    box = await chart.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2, steps=4)
    await page.mouse.up()
    zoomed = chart.get_by_role("button", name="Show all")
    await expect(zoomed).to_be_visible()
    other = page.get_by_role("region", name="Chart of val/loss")
    await other.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Bars of the latest values").click()
    await page.get_by_role("button", name="train 1").click()
    # Another tab of the page, and back; and somebody else who opens the address.
    await page.get_by_role("tab", name="Artifacts").click()
    await page.get_by_role("tab", name="Charts").click()
    for _ in range(2):
        await expect(zoomed).to_be_visible()
        await other.get_by_role("button", name="Actions").click()
        await expect(page.get_by_role("menuitem", name="Lines")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="train 1")).to_have_attribute("aria-expanded", "false")
        await page.reload()
    # Steps are no times.
    await page.get_by_label("Horizontal axis").select_option("time")
    await expect(chart.get_by_role("img", name="1 line over time")).to_be_visible()
    await expect(zoomed).to_have_count(0)


async def test_x_is_another_metric(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_label("Horizontal axis").select_option("another metric …")
    await page.get_by_role("dialog").get_by_label("Search").fill("tok")
    await page.get_by_role("radio", name="tokens").click()
    chart = page.get_by_role("region", name="Chart of train/loss")
    await expect(chart.get_by_role("img", name="1 line over tokens")).to_be_visible()
    box = await chart.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 60)
    await expect(chart.get_by_text(re.compile(r"^tokens 1,?\d{3}$"))).to_be_visible()


async def test_single_values_are_bars(page: Page, shared_server: ServerProcess) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"bars {uuid.uuid4().hex}")
    for name, value in (("first", 0.5), (HOSTILE, 0.75)):
        run_id = client.create_run(experiment_id, run_name=name).info.run_id
        client.log_batch(run_id, metrics=[stepwell.Metric("acc", value, 0, 0)])
        client.set_terminated(run_id)
    client.flush()
    await page.goto(f"/#/experiments/{experiment_id}?view=charts")
    chart = page.get_by_role("region", name="Chart of acc")
    await expect(chart.get_by_role("img", name=f"2 bars: {HOSTILE} 0.75, first 0.5")).to_be_visible()
    await chart.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Lines").click()
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    await chart.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Bars of the latest values").click()
    async with page.expect_download() as download:
        await chart.get_by_role("button", name="Actions").click()
        await page.get_by_role("menuitem", name="Download SVG").click()
    assert (await (await download.value).path()).read_text().count("<rect") >= 2
    assert await page.title() != "taken"


async def test_charts_are_moved_by_menu_and_by_dragging(page: Page, address: str) -> None:
    await page.goto(f"{address}&metrics=tok")
    titles = page.locator("main section h3")
    await page.get_by_role("button", name="New chart").click()
    for pattern in ("tokens", "loss"):
        if pattern == "loss":
            await page.get_by_role("button", name="New chart").click()
        await page.get_by_label("Metrics that a regular expression finds").fill(pattern)
        await page.get_by_role("button", name="Show the chart").click()
    await expect(titles).to_have_text(["tokens", "loss", "tokens"])
    await page.get_by_role("button", name="Actions for the chart of loss", exact=True).click()
    await page.get_by_role("menuitem", name="Move before the one before").click()
    await expect(titles).to_have_text(["loss", "tokens", "tokens"])
    tokens, loss = titles.filter(has_text="tokens").first, titles.filter(has_text=re.compile("^loss$"))
    await tokens.drag_to(loss)
    await expect(titles).to_have_text(["tokens", "loss", "tokens"])
    await page.get_by_role("button", name="Axes").click()
    await page.get_by_role("button", name="Order by name again").click()
    await page.get_by_label("Size").select_option("huge")
    await expect(page).to_have_url(re.compile("size=huge"))


async def test_charts_are_saved(page: Page, address: str) -> None:
    await page.goto(f"{address}&metrics=tok")
    chart = page.get_by_role("region", name="Chart of tokens")
    await expect(chart.get_by_role("img", name="1 line")).to_be_visible()
    saved = {}
    for kind in ("PNG", "SVG", "CSV"):
        await chart.get_by_role("button", name="Actions").click()
        async with page.expect_download() as download:
            await page.get_by_role("menuitem", name=f"Download {kind}").click()
        path = await (await download.value).path()
        saved[kind] = path.read_bytes()
    assert saved["PNG"].startswith(b"\x89PNG")
    assert b"<path" in saved["SVG"]
    assert b"&#60;img src=x onerror=" in saved["SVG"]
    assert b"<img" not in saved["SVG"]
    header, first, *rest = saved["CSV"].decode().splitlines()
    assert header.startswith("run_id,run_name,metric,x_first")
    assert HOSTILE.replace('"', '""') in first
    assert len(rest) == 19
    await chart.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Full screen").click()
    await expect(page.get_by_role("dialog").get_by_role("img", name="1 line")).to_be_visible()
    assert await page.title() != "taken"
