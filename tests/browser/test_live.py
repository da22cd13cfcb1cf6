"""Charts grow while their runs log: by one stream for the whole tab, and not by asking again."""

import uuid
from dataclasses import dataclass

import pytest
from playwright.async_api import Locator, Page, Request, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@dataclass
class Living:
    """A run that is open; `log` adds points to its two metrics."""

    client: StepwellClient
    experiment_id: str
    run_id: str

    def log(self, *steps: int) -> None:
        self.client.log_batch(
            self.run_id,
            metrics=[stepwell.Metric(key, step / 2, step, step) for step in steps for key in ("loss", "acc")],
        )
        self.client.flush()


@pytest.fixture
def living(shared_server: ServerProcess) -> Living:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"live {uuid.uuid4().hex}")
    run = Living(client, experiment_id, client.create_run(experiment_id, run_name="living").info.run_id)
    run.log(*range(10))
    return run


def calls(page: Page, method: str) -> list[Request]:
    """The calls of a method of the series service from now on."""
    found: list[Request] = []
    page.on(
        "request", lambda request: request.url.endswith(f"SeriesService/{method}") and found.append(request)
    )
    return found


def drawn(page: Page, metric: str = "loss") -> Locator:
    """The plot of a metric, with how far its lines go."""
    return page.get_by_role("region", name=f"Chart of {metric}").locator(".uplot")


async def test_points_are_drawn_as_they_come(page: Page, living: Living) -> None:
    watches = calls(page, "Watch")
    async with page.expect_response(lambda answer: answer.url.endswith("/Watch")):
        await page.goto(f"/#/experiments/{living.experiment_id}?view=charts")
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "9")
    living.log(10)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "10")
    samples = calls(page, "SampleSeries")
    living.log(11)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "11")
    await expect(drawn(page, "acc")).to_have_attribute("data-drawn-to", "11")
    assert samples == []
    assert len(watches) == 1


async def test_another_metric_is_followed_as_the_axis(page: Page, living: Living) -> None:
    async with page.expect_response(lambda answer: answer.url.endswith("/Watch")):
        await page.goto(f"/#/experiments/{living.experiment_id}?view=charts&axis=metric%3Aacc")
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "4")
    living.log(12)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "6")
    samples = calls(page, "SampleSeries")
    living.log(14)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "7")
    assert samples == []


async def test_a_zoom_survives_what_comes(page: Page, living: Living) -> None:
    await page.goto(f"/#/experiments/{living.experiment_id}?view=charts")
    chart = page.get_by_role("region", name="Chart of loss")
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "9")
    box = await chart.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 50)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50, steps=4)
    await page.mouse.up()
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "6")
    living.log(10)
    await expect(drawn(page, "acc")).to_have_attribute("data-drawn-to", "10")
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "6")
    await chart.get_by_role("button", name="Show all").click()
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "10")


async def test_a_hidden_tab_watches_nothing_and_goes_on_from_where_it_was(page: Page, living: Living) -> None:
    await page.goto(f"/#/experiments/{living.experiment_id}/runs/{living.run_id}?tab=charts")
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "9")
    living.log(10)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "10")
    async with page.expect_event("requestfailed", lambda request: request.url.endswith("/Watch")):
        await page.evaluate(HIDE, True)
    living.log(11, 12)
    samples = calls(page, "SampleSeries")
    await page.evaluate(HIDE, False)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "12")
    assert samples == []


async def test_the_time_and_the_end_of_a_run(page: Page, living: Living) -> None:
    await page.goto(f"/#/experiments/{living.experiment_id}/runs/{living.run_id}?tab=charts&axis=time")
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "9")
    living.log(25)
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "25")
    living.log(26)
    living.client.set_terminated(living.run_id)
    living.client.flush()
    await expect(page.get_by_text("Finished")).to_be_visible()
    await expect(drawn(page)).to_have_attribute("data-drawn-to", "26")
