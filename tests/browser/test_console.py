"""What processes print, who they are, and how the server is."""

import re
import uuid

from playwright.async_api import Page, expect

import stepwell
from stepwell.runs import console
from tests.harness.servers.processes import ServerProcess

HOSTILE = (
    "\x1b[31mred\x1b[0m\x1b]8;;javascript:alert(1)\x1b\\<img src=x onerror=\"document.title='taken'\">\u202e"
)


async def test_lines_come_as_they_are_printed(page: Page, shared_server: ServerProcess) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"console {uuid.uuid4().hex}")
    with stepwell.start_run(rank=1) as run:
        run.writer.log_console(console.OUTPUT, 1, "\n".join(f"line {number}" for number in range(500)), 0)
        run.writer.log_console(console.ERROR, 2, HOSTILE, 7)
        stepwell.flush()
        await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=console")
        lines = page.get_by_role("log", name="Lines")
        await expect(lines.get_by_text("red<img src=x onerror=")).to_be_visible()
        await expect(lines.get_by_text("7 lines too many, and left out")).to_be_visible()
        run.writer.log_console(console.OUTPUT, 3, "and it goes on", 0)
        await expect(lines.get_by_text("and it goes on")).to_be_visible()
        await page.get_by_label("Search the lines").fill("line 499")
        await expect(page.get_by_text("1 line")).to_be_visible()
        await expect(lines).to_have_text("line 499")
    assert await page.locator("main img").count() == 0
    assert await page.title() != "taken"


async def test_a_run_without_a_console_says_how(page: Page, shared_server: ServerProcess) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"console {uuid.uuid4().hex}")
    with stepwell.start_run() as run:
        pass
    await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=console")
    await expect(page.get_by_text("start_run(log_console=True)")).to_be_visible()


async def test_when_processes_committed_last_is_in_view_on_a_small_screen(
    page: Page, shared_server: ServerProcess
) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"processes {uuid.uuid4().hex}")
    with stepwell.start_run(rank=12) as run:
        stepwell.log_metric("loss", 1.0)
    for width in (390, 1024, 1440):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
        table = page.get_by_role("region", name="Processes").get_by_role("table")
        await expect(table.get_by_role("rowheader")).to_contain_text("rank 12")
        await expect(table.get_by_role("columnheader", name="Last commit")).to_be_visible()
        assert await table.evaluate("it => it.scrollWidth <= it.parentElement.clientWidth"), width


async def test_processes_and_what_a_resume_hides(page: Page, shared_server: ServerProcess) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"processes {uuid.uuid4().hex}")
    with stepwell.start_run() as run:
        for step in range(10):
            stepwell.log_metric("loss", 1.0, step=step)
    with stepwell.start_run(run_id=run.info.run_id, resume_from_step=4):
        stepwell.log_metric("other", 1.0, step=0)
        stepwell.flush()
        await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
        processes = page.get_by_role("region", name="Processes")
        await expect(processes.get_by_text("connected")).to_be_visible()
        await expect(processes.get_by_text("left", exact=True)).to_be_visible()
        # Six points are hidden; the batches in which they lie, cut as they came, have at most ten.
        await expect(page.locator("main")).to_contain_text(
            re.compile(r"resumed from step 4: up to (?:[6-9]|10) points")
        )
        await page.get_by_role("link", name="Show them in the charts").click()
        drawn = page.get_by_role("region", name="Chart of loss").locator(".uplot")
        await expect(drawn).to_have_attribute("data-drawn-to", "9")
        await page.get_by_role("button", name="Axes").click()
        await page.get_by_label("Points hidden by resumes").uncheck()
        await expect(drawn).to_have_attribute("data-drawn-to", "3")
        await page.get_by_label("A line for each process").check()
        await expect(page.get_by_role("list", name="Processes").get_by_role("listitem")).to_have_count(2)
        await expect(drawn).to_have_attribute("data-drawn-to", "3")
        await page.reload()
        await expect(page.get_by_label("A line for each process")).to_be_checked()


async def test_settings_tell_how_the_server_is(page: Page, shared_server: ServerProcess) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    await expect(page.get_by_text("answers")).to_be_visible()
    await expect(page.get_by_text("Points per second")).to_be_visible()
    await expect(page.get_by_text("where the server has its data")).to_contain_text("GiB")
    await expect(page.get_by_text("in the database")).to_contain_text("MiB in the database, ")
    await page.get_by_role("radio", name="Dark").check()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.route("**/metrics", lambda route: route.abort())
    await page.route("**/health", lambda route: route.abort())
    await expect(page.get_by_text("away", exact=True)).to_be_visible()
    await page.unroute("**/metrics")
    await page.unroute("**/health")
    await expect(page.get_by_text("answers")).to_be_visible()
