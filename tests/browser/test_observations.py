"""Histograms over steps, alerts, sounds and videos on the page."""

import re
import uuid

import numpy as np
import pytest
from playwright.async_api import Page, expect

import stepwell
from tests.harness.servers.processes import ServerProcess

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def run(shared_server: ServerProcess) -> stepwell.Run:
    """A run that has logged some of each."""
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"observations {uuid.uuid4().hex}")
    with stepwell.start_run(run_name="observed") as run:
        for step in (0, 10, 2**60):
            stepwell.log_histogram("weights/fc", [0.0, 1.0, 1.0, np.nan, float(step > 0)], step=step)
            stepwell.log_audio(np.zeros(800), key="speech", step=step, sample_rate=8_000)
            stepwell.log_video(np.full((2, 8, 8), step % 256, np.uint8), key="speech", step=step)
        stepwell.alert(f"loss diverges {HOSTILE}", f"look\n{HOSTILE}", level="WARNING")
        stepwell.alert("disk is full", level="ERROR")
    return run


async def test_histograms_are_a_map_over_steps(page: Page, run: stepwell.Run) -> None:
    await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    await page.get_by_role("tab", name="Histograms").click()
    card = page.get_by_role("region", name="Histograms of weights/fc")
    heat = card.get_by_role("img", name="weights/fc over 3 steps")
    await expect(heat).to_have_attribute("data-drawn", "3")
    await expect(card).to_contain_text(
        "step 1,152,921,504,606,846,976: 4 values from 0 to 1 and 1 NaN or infinite"
    )
    await heat.focus()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await expect(card).to_contain_text(re.compile(r"step 0: 4 values"))
    await page.get_by_label("Search histograms").fill("nothing")
    await expect(card).to_have_count(0)


async def test_alerts_are_told_with_the_run_and_with_its_experiment(page: Page, run: stepwell.Run) -> None:
    await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    alerts = page.get_by_role("list", name="Alerts").get_by_role("listitem")
    await expect(alerts).to_have_count(2)
    await expect(alerts.first).to_contain_text("disk is full")
    await expect(alerts.last).to_contain_text(HOSTILE)
    await page.goto(f"/#/experiments/{run.info.experiment_id}")
    await page.get_by_role("button", name="Alerts 2").click()
    await expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(2)
    await page.get_by_role("dialog").get_by_role("link", name="observed").first.click()
    await expect(page.get_by_role("heading", name="observed")).to_be_visible()
    assert await page.title() != "taken"


async def test_sounds_and_videos_are_walked_by_step(page: Page, run: stepwell.Run) -> None:
    await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    await page.get_by_role("tab", name="Media").click()
    sound = page.locator(f"audio[aria-label='speech at step {2**60}']")
    await expect(sound).to_have_js_property("duration", 0.1)
    await expect(page.get_by_role("img", name=f"speech at step {2**60}")).to_have_js_property(
        "naturalWidth", 8
    )
    await page.get_by_role("slider", name="Step").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("audio[aria-label='speech at step 10']")).to_be_visible()
