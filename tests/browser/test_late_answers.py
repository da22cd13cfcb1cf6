"""What a person does while an answer is on its way, or after a call failed once, is not lost; nobody is led away."""

import asyncio
import math
import re
import uuid

import pytest
from playwright.async_api import Page, Route, expect

import stepwell
from stepwell import Metric, StepwellClient
from stepwell.runs import console
from tests.browser.answers import FAILS, REFUSAL, fail, held
from tests.harness.servers.processes import ServerProcess


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
    await fail(page, "ListKeys", FAILS)
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_count(1)
    await expect(page.get_by_role("button", name="Columns")).to_be_disabled()
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Duration").uncheck()
    await expect(page.get_by_role("columnheader")).to_have_text(["", "Run", "Status", "Started ↓", "loss"])


async def test_what_failed_can_be_tried_again(page: Page, client: StepwellClient, experiment: str) -> None:
    run_id = add_run(client, experiment, "one")
    addresses = {
        f"/#/experiments/{experiment}?view=table": "GetExperiment",
        f"/#/experiments/{experiment}/models": "GetExperiment",
        f'/#/compare?runs=["{run_id}"]': "SearchRuns",
    }
    for address, call in addresses.items():
        await page.goto("about:blank")
        await fail(page, call, FAILS)
        await page.goto(address)
        await expect(page.get_by_text("The disk is full.")).to_be_visible()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("The disk is full.")).to_have_count(0)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def test_what_failed_once_is_asked_again(page: Page, client: StepwellClient, experiment: str) -> None:
    run_id = add_run(client, experiment, "one")
    for call in ("GetRun", "GetLatestMetrics"):
        await fail(page, call, 1)
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}")
    await expect(page.get_by_role("heading", name="one")).to_be_visible()
    # The least, the greatest and the mean of its one point, which nothing else tells.
    await expect(
        page.get_by_role("row").filter(has_text="loss").get_by_text("0.5", exact=True)
    ).to_have_count(4)


async def test_a_tab_that_there_is_not_is_the_first(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "one")
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}?tab=nonsense")
    await expect(page.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true")
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}?tab=images")
    await expect(page.get_by_role("tab", name="Images")).to_have_attribute("aria-selected", "true")
    await expect(page.get_by_role("heading", name="No pictures by step")).to_be_visible()


async def test_what_was_refused_is_told_although_its_menu_is_closed(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    add_run(client, experiment, "one")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await fail(page, "ChangeRuns", 1)
    await page.get_by_role("button", name="Actions for one").click()
    await page.get_by_role("menuitem", name="Colour 2").click()
    await expect(page.get_by_text("The disk is full.")).to_be_visible()


async def test_what_was_refused_is_told_although_its_page_was_left(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "one")
    is_left = asyncio.Event()

    async def refuse_late(route: Route) -> None:
        await is_left.wait()
        await route.fulfill(**REFUSAL)

    await page.route("**/DeleteRun", refuse_late)
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}")
    await page.get_by_role("button", name="Actions for the run").click()
    async with page.expect_request("**/DeleteRun"):
        await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("navigation").get_by_role("link", name="Models", exact=True).click()
    await expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    is_left.set()
    await expect(page.get_by_text("The disk is full.")).to_be_visible()


async def test_what_is_selected_while_others_are_deleted_stays_selected(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    for name in ("one", "two"):
        add_run(client, experiment, name)
    await page.goto(f"/#/experiments/{experiment}?view=table")
    toolbar = page.get_by_role("toolbar", name="Selected runs")
    async with held(page, "ChangeRuns") as change:
        await page.get_by_role("checkbox", name="Select one").check()
        await toolbar.get_by_role("button", name="Delete").click()
        await change.are_asked.wait()
        await page.get_by_role("checkbox", name="Select one").uncheck()
        await page.get_by_role("checkbox", name="Select two").check()
    await expect(page.get_by_text("1 run deleted")).to_be_visible()
    await expect(page.get_by_role("rowheader")).to_have_text(["two"])
    await expect(page.get_by_role("checkbox", name="Select two")).to_be_checked()


async def test_what_is_told_of_a_run_says_that_it_failed(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "one")
    for call in ("ListWriters", "ListAlerts"):
        await fail(page, call, FAILS)
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}")
    unread = page.get_by_role("alert").filter(has_text="alerts, its processes. The disk is full.")
    await unread.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("region", name="Processes")).to_be_visible()
    await expect(unread).to_have_count(0)


async def test_the_file_of_a_model_can_be_read_again(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    model = client.create_logged_model(experiment, name="unread")
    client.finalize_logged_model(model.model_id, "READY")
    reading = await fail(page, "MLmodel", math.inf)
    await page.goto(f"/#/experiments/{experiment}/models/{model.model_id}")
    schema = page.get_by_role("region", name="Schema")
    await expect(schema).to_contain_text("The disk is full.")
    reading.end()
    await schema.get_by_role("button", name="Try again").click()
    await expect(schema).not_to_contain_text("The disk is full.")


async def test_escape_and_a_click_beside_it_lose_no_description_that_is_being_written(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "one")
    await page.goto(f"/#/experiments/{experiment}/runs/{run_id}")
    text = page.get_by_label("Markdown")
    await page.get_by_role("button", name="Edit the description").click()
    await page.keyboard.press("Escape")
    await expect(text).to_have_count(0)
    await page.get_by_role("button", name="Edit the description").click()
    await text.fill("an hour's work")
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("keeps what is written")).to_be_visible()
    await page.mouse.click(5, 5)
    await expect(text).to_have_value("an hour's work")
    await page.get_by_role("button", name="Cancel").click()
    await expect(text).to_have_count(0)


async def test_a_run_whose_reading_failed_is_read_again(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    add_run(client, experiment, "one")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_text(["one"])
    reading = await fail(page, "SearchRuns", math.inf)
    await asyncio.to_thread(add_run, client, experiment, "two")
    # The look that tells of the change, and the reading after it, which fails.
    for _ in range(2):
        async with page.expect_response("**/ListChangedRuns"):
            pass
    async with page.expect_response("**/SearchRuns"):
        pass
    reading.end()
    await expect(page.get_by_role("rowheader")).to_have_text(["two", "one"])


async def test_what_changes_while_a_search_is_on_its_way_is_read_afterwards(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    run_id = add_run(client, experiment, "before")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_text(["before"])
    is_answered, may_come = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        is_answered.set()
        await may_come.wait()
        await route.fulfill(response=answer)

    await page.route("**/SearchRuns", answer_late)
    await page.get_by_role("columnheader", name="loss").get_by_role("button").click()
    await is_answered.wait()
    await asyncio.to_thread(client.update_run, run_id, name="after")
    # The second was asked for after the change; when the third is there, the page has done what it did about it.
    for _ in range(3):
        async with page.expect_response("**/ListChangedRuns"):
            pass
    may_come.set()
    await expect(page.get_by_role("rowheader")).to_have_text(["after"])


@pytest.mark.parametrize(("call", "tab"), [("ReadConsole", "console"), ("ListWriters", "overview")])
async def test_what_came_last_of_a_run_is_shown_though_its_end_is_known_before(
    page: Page, shared_server: ServerProcess, call: str, tab: str
) -> None:
    are_read, has_ended = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        if are_read.is_set():
            await route.continue_()
            return
        answer = await route.fetch()
        are_read.set()
        await has_ended.wait()
        await route.fulfill(response=answer)

    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"late {uuid.uuid4().hex}")
    with stepwell.start_run(rank=1) as run:
        run.writer.log_console(console.OUTPUT, 1, "it begins", 0)
        stepwell.flush()
        await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab={tab}")
        await expect(page.locator("main")).to_contain_text(
            {"console": "it begins", "overview": "rank 1"}[tab]
        )
        await page.route(f"**/{call}", answer_late)
        await are_read.wait()
        run.writer.log_console(console.OUTPUT, 2, "it is over", 0)
    await expect(page.locator("main").get_by_text("Finished", exact=True).first).to_be_visible()
    has_ended.set()
    await expect(page.locator("main")).to_contain_text({"console": "it is over", "overview": "left"}[tab])
