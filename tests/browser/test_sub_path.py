"""Every part of the page below a path, as a proxy has it: its scripts, calls, streams, files and links stay there."""

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.async_api import expect

from stepwell import Metric, Param, StepwellClient
from tests.harness.browser import browser
from tests.harness.servers.processes import ServerProcess

PREFIX = "/team/tracking"


async def test_below_a_path(database_url: str, start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--store", database_url, "--static-prefix", PREFIX)
    client = StepwellClient(server.url)
    experiment_id = client.create_experiment("below")
    run_id = client.create_run(experiment_id, run_name="living").info.run_id

    def log(*steps: int) -> None:
        client.log_batch(run_id, metrics=[Metric("loss", step / 2, 0, step) for step in steps])
        client.flush()

    log(*range(10))
    client.log_batch(run_id, params=[Param("lr", "0.1")])
    client.log_text(run_id, "some words", "notes.txt")
    client.create_registered_model("digits")
    client.flush()
    paths: list[str] = []
    async with browser() as opened:
        page = await opened.new_page()
        page.on("request", lambda request: paths.append(urlsplit(request.url).path))
        await page.goto(f"{server.url}/")
        await page.get_by_role("link", name="below").click()
        drawn = page.get_by_role("region", name="Chart of loss").locator(".uplot")
        await expect(drawn).to_have_attribute("data-drawn-to", "9")
        log(10)
        await expect(drawn).to_have_attribute("data-drawn-to", "10")
        await page.get_by_role("button", name="Views").click()
        await page.get_by_label("Keep what is shown as").fill("mine")
        await page.get_by_role("button", name="Keep", exact=True).click()
        await expect(page.get_by_role("button", name="mine")).to_be_visible()
        await page.get_by_role("button", name="New chart").click()
        await page.get_by_role("dialog").get_by_label("Kind").select_option("Scatter")
        await page.get_by_role("button", name="Show the chart").click()
        await expect(page.get_by_role("img", name="Scatter of 1 run")).to_be_visible()
        async with page.expect_download():
            await page.get_by_role("link", name="CSV").click()
        await page.get_by_role("link", name="living").click()
        await page.get_by_role("tab", name="Artifacts").click()
        await page.get_by_role("button", name="notes.txt").click()
        await expect(page.get_by_text("some words")).to_be_visible()
        await page.get_by_role("link", name="Models").click()
        await page.get_by_role("link", name="digits").click()
        await expect(page.get_by_role("heading", name="digits")).to_be_visible()
        await page.get_by_role("link", name="Settings").click()
        await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    assert [path for path in paths if path.startswith("/") and not path.startswith(f"{PREFIX}/")] == []
