"""The page of one run: what it is, what it logged, its charts; what may be edited is edited."""

import asyncio
import math
import os
import re
import sys
import uuid
from dataclasses import dataclass

import grpc.aio
import numpy as np
import pytest
from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess
from tests.wire.test_ingest import batch_message, opened

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@dataclass
class Logged:
    client: StepwellClient
    experiment_id: str
    run_id: str

    @property
    def address(self) -> str:
        return f"/#/experiments/{self.experiment_id}/runs/{self.run_id}"


@pytest.fixture
def logged(shared_server: ServerProcess) -> Logged:
    """A run with a bit of everything, hostile texts among it, and a child."""
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"run {uuid.uuid4().hex}")
    run_id = client.create_run(experiment_id, run_name=f"walk {HOSTILE}").info.run_id
    big = 2**62
    client.log_batch(
        run_id,
        metrics=[stepwell.Metric("loss", 1 / (step + 1), step, big + step) for step in range(50)]
        + [stepwell.Metric("odd", math.nan if step % 5 == 0 else step, step, step) for step in range(20)]
        + [stepwell.Metric("system/cpu", 1.0, 0, 0)],
        params=[stepwell.Param(f"p{number}", str(number)) for number in range(8)]
        + [stepwell.Param("bad", HOSTILE)],
        tags=[
            stepwell.RunTag("team", "vision"),
            stepwell.RunTag("mlflow.note.content", f"**bold** [link](javascript:alert(1)) {HOSTILE}"),
        ],
    )
    data = stepwell.data.from_numpy(np.arange(6), name="numbers")
    client.log_inputs(run_id, [stepwell.data.to_input(data, "train", None)])
    child = client.create_run(experiment_id, run_name="inner", tags={"mlflow.parentRunId": run_id})
    client.set_terminated(child.info.run_id)
    client.set_terminated(run_id)
    client.flush()
    return Logged(client, experiment_id, run_id)


async def test_everything_that_was_logged_is_shown(page: Page, logged: Logged) -> None:
    await page.goto(logged.address)
    await expect(page.get_by_role("heading", name=f"walk {HOSTILE}")).to_be_visible()
    loss = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="loss"))
    await expect(loss).to_contain_text("4,611,686,018,427,387,953")
    odd = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="odd"))
    await expect(odd).to_contain_text("▲ 4")
    await expect(page.get_by_role("row").filter(has_text="bad")).to_contain_text(HOSTILE)
    await page.get_by_label("Search params").fill("p7")
    await expect(page.get_by_role("rowheader", name="p7")).to_be_visible()
    await expect(page.get_by_role("rowheader", name="p1")).to_have_count(0)
    await page.get_by_role("button", name="numbers").click()
    await expect(page.get_by_role("dialog", name="numbers")).to_contain_text("Digest")
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="inner").click()
    await expect(page.get_by_role("heading", name="inner")).to_be_visible()
    await page.get_by_role("link", name="walk").click()
    await expect(page.get_by_role("heading", name="walk")).to_be_visible()


async def test_what_a_run_starts_comes_by_itself_and_all_of_it_is_a_click_away(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"children {uuid.uuid4().hex}")
    parent = client.create_run(experiment_id, run_name="study").info.run_id
    client.create_run(experiment_id, run_name="nobody's")
    await page.goto(f"/#/experiments/{experiment_id}/runs/{parent}")
    await expect(page.get_by_role("heading", name="study")).to_be_visible()
    for number in range(21):
        client.create_run(experiment_id, run_name=f"trial {number}", tags={"mlflow.parentRunId": parent})
    await expect(page.get_by_text("Children (21)")).to_be_visible()
    await expect(page.get_by_role("link", name="trial 19")).to_be_visible()
    await page.get_by_role("link", name="Show all").click()
    await expect(page.get_by_role("rowheader", name="trial 20")).to_be_visible()
    await expect(page.get_by_role("rowheader", name="nobody's")).to_have_count(0)


@pytest.mark.parametrize("width", [1024, 1440])
async def test_metrics_fit_beside_the_details(page: Page, shared_server: ServerProcess, width: int) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    run_id = client.create_run(client.create_experiment(f"wide {uuid.uuid4().hex}")).info.run_id
    names = ("train/loss_per_epoch", "validation/accuracy_top_5", "learning_rate")
    values = (-1.234567e-9, 123_456.789)
    client.log_batch(
        run_id,
        metrics=[stepwell.Metric(name, it, n, 99_999 + n) for name in names for n, it in enumerate(values)],
    )
    client.set_terminated(run_id)
    client.flush()
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(f"/#/experiments/0/runs/{run_id}")
    table = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="Greatest"))
    await expect(table.get_by_role("row", name="learning_rate")).to_contain_text("2")
    assert await table.evaluate("it => it.parentElement.scrollWidth <= it.parentElement.clientWidth")
    assert await page.locator("main").evaluate("it => it.scrollWidth <= it.clientWidth")


async def test_hostile_texts_execute_nothing(page: Page, logged: Logged) -> None:
    await page.goto(logged.address)
    await expect(page.get_by_text("bold")).to_be_visible()
    await expect(page.locator(".markdown script, main img")).to_have_count(0)
    assert await page.get_by_text("link", exact=True).get_attribute("href") in (None, "")
    assert await page.title() != "taken"


async def test_names_notes_and_tags_are_edited(page: Page, logged: Logged) -> None:
    await page.goto(logged.address)
    await page.get_by_role("button", name="Actions for the run").click()
    await page.get_by_role("menuitem", name="Rename").click()
    await page.get_by_label("Name", exact=True).fill("a new name")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name="a new name")).to_be_visible()
    await page.get_by_role("button", name="Edit the description").click()
    await page.get_by_label("Markdown").fill("# What it was about")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="What it was about")).to_be_visible()
    await page.get_by_label("New tag").fill("stage: s3://data/set?version=2&x:y")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Remove the tag stage")).to_be_visible()
    await page.get_by_role("button", name="Remove the tag team").click()
    await expect(page.get_by_role("button", name="Remove the tag team")).to_have_count(0)
    run = logged.client.get_run(logged.run_id)
    assert (run.info.run_name, run.data.tags["stage"]) == ("a new name", "s3://data/set?version=2&x:y")
    assert run.data.tags["mlflow.note.content"] == "# What it was about"
    assert "team" not in run.data.tags


async def test_charts_of_the_run_and_of_the_system(page: Page, logged: Logged) -> None:
    await page.goto(logged.address)
    await page.get_by_role("tab", name="Charts").click()
    await expect(page.get_by_role("region", name="Chart of loss").get_by_role("img")).to_be_visible()
    await expect(page.get_by_role("region", name="Chart of system/cpu")).to_have_count(0)
    await page.get_by_role("tab", name="System").click()
    await expect(page.get_by_role("region", name="Chart of system/cpu").get_by_role("img")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("tab", name="System")).to_have_attribute("aria-selected", "true")


async def test_a_run_that_is_not_there(page: Page) -> None:
    await page.goto(f"/#/experiments/0/runs/{'0' * 32}")
    await expect(page.get_by_role("alert")).to_contain_text("There is no run with id")


async def test_a_living_run_grows_on_the_page(page: Page, logged: Logged) -> None:
    run_id = logged.client.create_run(logged.experiment_id, run_name="living").info.run_id
    logged.client.log_metric(run_id, "alive", 1.0, step=0)
    logged.client.flush()
    await page.goto(f"/#/experiments/{logged.experiment_id}/runs/{run_id}")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="alive"))
    await expect(row).to_contain_text("1")
    logged.client.log_metric(run_id, "alive", 77.0, step=1)
    logged.client.flush()
    await expect(row).to_contain_text("77")
    lasted = page.get_by_role("definition").filter(has_text=re.compile(r"^\d+ s$"))
    before = await lasted.inner_text()
    await expect(lasted).not_to_have_text(before)
    await page.get_by_role("button", name="Actions for the run").click()
    await page.get_by_role("menuitem", name="Mark as failed").click()
    await expect(page.get_by_text("Failed").first).to_be_visible()
    run = logged.client.get_run(run_id)
    assert (run.info.status, run.info.end_time is not None) == ("FAILED", True)


async def test_what_was_lost_and_refused_is_told(page: Page, logged: Logged) -> None:
    run = logged.client.create_run(logged.experiment_id, tags={"stepwell.lost": "host h was not heard of"})
    logged.client.log_param(run.info.run_id, "rate", "1")
    logged.client.flush()
    script = f"import stepwell; stepwell.MlflowClient().log_param({run.info.run_id!r}, 'rate', '<b>2</b>')"
    uri = {**os.environ, "STEPWELL_TRACKING_URI": logged.client.tracking_uri}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, env=uri)
    assert await process.wait() == 0
    await page.goto(f"/#/experiments/{logged.experiment_id}/runs/{run.info.run_id}")
    await expect(page.get_by_text("host h was not heard of")).to_be_visible()
    told = page.get_by_role("group", name="What was refused")
    await expect(told).to_contain_text("1 entry refused, and not part of the run: rate")
    await told.locator("summary").click()
    await expect(told.get_by_role("row", name="rate")).to_contain_text("cannot change to '<b>2</b>'")
    async with grpc.aio.insecure_channel(logged.client.tracking_uri.removeprefix("grpc://")) as channel:
        stream = await opened(channel, run.info.run_id)
        await stream.say(batch_message(0, [0], end_position=6, dropped=5))
        await stream.until(6)
    await page.reload()
    await expect(told).to_contain_text(
        "6 points or entries refused or lost, and not part of the run: what was dropped, rate"
    )
    await told.locator("summary").click()
    await expect(told.get_by_role("row", name="what was dropped")).to_contain_text("whose spool was full")
