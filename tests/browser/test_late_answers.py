"""What a person does while an answer is on its way, or after a call failed once, is not lost; nobody is led away."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Route, expect

from stepwell import Metric, StepwellClient
from tests.harness.servers.processes import ServerProcess

REFUSAL = {
    "status": 500,
    "content_type": "application/json",
    "body": json.dumps({"code": "internal", "message": "the disk is full"}),
}


@pytest.fixture
def client(shared_server: ServerProcess) -> StepwellClient:
    return StepwellClient(shared_server.tracking_uri)


@pytest.fixture
def experiment(client: StepwellClient) -> str:
    return client.create_experiment(f"late {uuid.uuid4().hex}")


def add_run(client: StepwellClient, experiment: str, name: str) -> str:
    run_id = client.create_run(experiment, run_name=name).info.run_id
    client.log_batch(run_id, metrics=[Metric("loss", 0.5, 0, 0)], synchronous=True)
    client.set_terminated(run_id)
    client.flush()
    return run_id


class Held:
    """Calls of one name that wait, as in a slow network."""

    def __init__(self) -> None:
        self.are_asked = asyncio.Event()
        self._may_go = asyncio.Event()

    async def answer(self, route: Route) -> None:
        self.are_asked.set()
        await self._may_go.wait()
        await route.continue_()

    async def let_go(self, page: Page, call: str) -> None:
        """Let them go, and wait until the page has an answer."""
        async with page.expect_response(f"**/{call}"):
            self._may_go.set()

    def end(self) -> None:
        self._may_go.set()


@asynccontextmanager
async def held(page: Page, call: str) -> AsyncIterator[Held]:
    calls = Held()
    await page.route(f"**/{call}", calls.answer)
    try:
        yield calls
    finally:
        calls.end()
        await page.unroute_all(behavior="wait")


async def fail_once(page: Page, call: str) -> None:
    await page.route(f"**/{call}", lambda route: route.fulfill(**REFUSAL), times=1)


async def test_an_answer_to_a_form_that_was_closed_closes_and_opens_nothing(page: Page) -> None:
    name = f"made late {uuid.uuid4().hex}"
    async with held(page, "CreateExperiment") as creation:
        await page.get_by_role("button", name="New experiment").click()
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("button", name="Create")).to_have_attribute("aria-busy", "true")
        await creation.are_asked.wait()
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="New experiment").click()
        await page.get_by_label("Name", exact=True).fill("the next one")
        await creation.let_go(page, "CreateExperiment")
    await expect(page.get_by_text(name)).to_be_attached()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("the next one")
    assert "experiments/" not in page.url


async def test_a_refusal_is_told_also_when_the_form_was_closed(page: Page) -> None:
    is_closed = asyncio.Event()

    async def refuse_late(route: Route) -> None:
        await is_closed.wait()
        await route.fulfill(**REFUSAL)

    await page.route("**/CreateExperiment", refuse_late)
    await page.get_by_role("button", name="New experiment").click()
    await page.get_by_label("Name", exact=True).fill("refused late")
    await page.get_by_role("button", name="Create").click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    is_closed.set()
    await expect(page.get_by_text("The disk is full.")).to_be_visible()


async def test_who_looks_for_deleted_runs_is_not_offered_to_restore_others(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    add_run(client, experiment, "in use")
    client.delete_run(add_run(client, experiment, "taken away"))
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_text(["in use"])
    async with held(page, "SearchRuns") as search:
        await page.get_by_role("checkbox", name="Deleted").check()
        await search.are_asked.wait()
        await expect(page.get_by_text("Loading runs")).to_be_visible()
        await expect(page.get_by_role("rowheader")).to_have_count(0)
    await expect(page.get_by_role("rowheader")).to_have_text(["taken away"])


async def test_who_looks_for_deleted_experiments_is_not_offered_to_restore_others(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    client.delete_experiment(client.create_experiment(f"taken away {uuid.uuid4().hex}"))
    name = client.get_experiment(experiment).name
    await page.get_by_label("Search experiments").fill(name)
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    async with held(page, "SearchExperiments") as search:
        await page.get_by_role("checkbox", name="Deleted").check()
        await search.are_asked.wait()
        await expect(page.get_by_text("Loading experiments")).to_be_visible()
    await expect(
        page.get_by_text("No experiment is deleted").or_(page.get_by_text("No experiment matches"))
    ).to_be_visible()


async def test_rows_of_the_filter_before_are_pale_until_those_of_the_next_are_there(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    add_run(client, experiment, "one")
    add_run(client, experiment, "two")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_count(2)
    async with held(page, "SearchRuns") as search:
        await page.get_by_label("Filter runs").fill("attributes.run_name = 'two'")
        await page.keyboard.press("Enter")
        await search.are_asked.wait()
        await expect(page.locator("[aria-busy=true]").get_by_role("rowheader")).to_have_count(2)
    await expect(page.get_by_role("rowheader")).to_have_text(["two"])
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


async def test_nothing_found_before_is_not_said_of_what_is_asked_now(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    name = client.get_experiment(experiment).name
    await page.get_by_label("Search experiments").fill("there is none of this name")
    await expect(page.get_by_text("No experiment matches")).to_be_visible()
    async with held(page, "SearchExperiments") as search:
        await page.get_by_label("Search experiments").fill(name)
        await search.are_asked.wait()
        await expect(page.get_by_text("Loading experiments")).to_be_visible()
        await expect(page.get_by_text("No experiment matches")).to_have_count(0)
    await expect(page.get_by_role("link", name=name)).to_be_visible()


async def test_a_view_that_is_kept_late_takes_back_nothing(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    add_run(client, experiment, "one")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_count(1)
    async with held(page, "SaveView") as saving:
        await page.get_by_role("button", name="Views").click()
        await page.get_by_label("Keep what is shown as").fill("mine")
        await page.get_by_role("button", name="Keep", exact=True).click()
        await saving.are_asked.wait()
        await page.keyboard.press("Escape")
        await page.get_by_label("Filter runs").fill("metrics.loss < 1")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("q=metrics"))
    await expect(page.get_by_role("button", name="mine *")).to_be_visible()
    await expect(page).to_have_url(re.compile("q=metrics"))


async def test_the_next_tag_may_be_written_while_one_is_on_its_way(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "tagged")
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}")
    async with held(page, "ChangeRuns") as change:
        await page.get_by_label("New tag").fill("team: vision")
        await page.keyboard.press("Enter")
        await change.are_asked.wait()
        await page.get_by_label("New tag").fill("stage: second")
    await expect(page.get_by_role("button", name="Remove the tag team")).to_be_visible()
    await expect(page.get_by_label("New tag")).to_have_value("stage: second")


async def test_what_is_written_for_one_run_is_not_written_to_the_next(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    first, second = (add_run(client, experiment, name) for name in ("first", "second"))
    for run_id in (second, first):
        await page.goto(f"/#/experiments/{experiment}/runs/{run_id}")
        await expect(
            page.get_by_role("heading", name="first" if run_id == first else "second")
        ).to_be_visible()
    await page.get_by_label("New tag").fill("of: the first")
    await page.go_back()
    await expect(page.get_by_role("heading", name="second")).to_be_visible()
    await expect(page.get_by_label("New tag")).to_have_value("")


async def test_columns_wait_also_for_keys_that_failed_at_first(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    add_run(client, experiment, "one")
    await fail_once(page, "ListKeys")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_count(1)
    await expect(page.get_by_role("button", name="Columns")).to_be_disabled()
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Duration").uncheck()
    await expect(page.get_by_role("columnheader")).to_have_text(["", "Run", "Status", "Started ↓", "loss"])


async def test_what_failed_once_can_be_tried_again(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "one")
    addresses = {
        f"/#/experiments/{experiment}?view=table": "GetExperiment",
        f"/#/experiments/{experiment}/models": "GetExperiment",
        f'/#/compare?runs=["{run_id}"]': "SearchRuns",
    }
    for address, call in addresses.items():
        await page.goto("about:blank")
        await fail_once(page, call)
        await page.goto(address)
        await expect(page.get_by_text("The disk is full.")).to_be_visible()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("The disk is full.")).to_have_count(0)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def test_a_tab_that_there_is_not_is_the_first(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "one")
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}?tab=nonsense")
    await expect(page.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true")
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}?tab=images")
    await expect(page.get_by_role("tab", name="Images")).to_have_attribute("aria-selected", "true")
    await expect(page.get_by_role("heading", name="No pictures by step")).to_be_visible()
