"""What others do is seen without a reload; views with names, columns that stay, several experiments at once."""

import asyncio
import re
import uuid

import pytest
from playwright.async_api import Page, Request, Route, expect

from stepwell import Metric, StepwellClient
from tests.harness.servers.processes import ServerProcess

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def client(shared_server: ServerProcess) -> StepwellClient:
    return StepwellClient(shared_server.tracking_uri)


@pytest.fixture
def experiment(client: StepwellClient) -> str:
    experiment_id = client.create_experiment(f"shared {uuid.uuid4().hex}", tags={"team": HOSTILE})
    add_run(client, experiment_id, "first", 1)
    return experiment_id


def add_run(client: StepwellClient, experiment_id: str, name: str, loss: float) -> str:
    run_id = client.create_run(experiment_id, run_name=name).info.run_id
    client.log_batch(run_id, metrics=[Metric("loss", loss, 0, 0)], synchronous=True)
    return run_id


async def test_new_runs_and_what_becomes_of_them_come_by_themselves(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_text(["first"])
    run_id = await asyncio.to_thread(add_run, client, experiment, "second", 2)
    await expect(page.get_by_role("rowheader")).to_have_text(["second", "first"])
    second = page.get_by_role("row").filter(has=page.get_by_role("link", name="second"))
    await asyncio.to_thread(client.log_metric, run_id, "loss", 7.25, step=1, synchronous=True)
    await expect(second).to_contain_text("7.25")
    await asyncio.to_thread(client.set_terminated, run_id, "KILLED")
    await expect(second).to_contain_text("Killed")
    await asyncio.to_thread(client.delete_run, run_id)
    await expect(page.get_by_role("rowheader")).to_have_text(["first"])
    await page.get_by_role("columnheader", name="loss").get_by_role("button").click()
    await asyncio.to_thread(add_run, client, experiment, "third", 3)
    await expect(page.get_by_role("rowheader")).to_have_text(["third", "first"])


async def test_only_what_is_new_is_asked_for(page: Page, client: StepwellClient, experiment: str) -> None:
    for run in client.search_runs([experiment]):
        client.set_terminated(run.info.run_id)
    client.flush()
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("rowheader")).to_have_text(["first"])
    searches: list[Request] = []
    under_way: set[Request] = set()

    def note(request: Request) -> None:
        if request.url.endswith("/SearchRuns"):
            searches.append(request)
            under_way.add(request)

    page.on("request", note)
    page.on("requestfinished", lambda request: under_way.discard(request))
    page.on("requestfailed", lambda request: under_way.discard(request))

    async def asked_meanwhile() -> int:
        """How many searches begin until the page has heard once more what changed."""
        before = len(searches)
        async with page.expect_response(re.compile("/ListChangedRuns$")):
            pass
        return len(searches) - before

    await asked_meanwhile()
    while await asked_meanwhile() or under_way:
        pass  # what had just changed is looked at once more
    assert [await asked_meanwhile() for _ in range(3)] == [0] * 3


async def test_a_view_is_kept_and_opened_by_its_address(page: Page, experiment: str) -> None:
    name = f"low {HOSTILE}"
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await page.get_by_label("Filter runs").fill("metrics.loss < 5")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Views").click()
    await page.get_by_label("Keep what is shown as").fill(name)
    await page.get_by_role("button", name="Keep", exact=True).click()
    await expect(page).to_have_url(re.compile("saved=%22[0-9]+%22"))
    saved = re.search("saved=(%22[0-9]+%22)", page.url)
    assert saved is not None
    await page.goto("/#/")
    await page.goto(f"/#/experiments/{experiment}?saved={saved[1]}")
    await expect(page.get_by_label("Filter runs")).to_have_value("metrics.loss < 5")
    await page.get_by_label("Filter runs").fill("metrics.loss < 6")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name=f"{name} *").click()
    await page.get_by_role("button", name="Keep the changes in").click()
    # The list in the window has a button of this name, too.
    await expect(page.get_by_label("Keep what is shown as")).to_be_hidden()
    await page.get_by_role("button", name=name, exact=True).click()
    await page.get_by_label("Keep what is shown as").fill(name)
    await page.get_by_role("button", name="Keep", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("already")
    await page.get_by_role("button", name=f"Delete the view {name}").click()
    await expect(page.get_by_text("Nobody has kept a view")).to_be_visible()
    assert await page.title() != "taken"


async def test_columns_stay_with_the_experiment(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Duration").uncheck()
    await page.keyboard.press("Escape")
    # The window gives the focus back a moment after it closed.
    await expect(page.get_by_role("button", name="Columns")).to_be_focused()
    await page.get_by_role("columnheader", name="loss").get_by_role("button").focus()
    await page.keyboard.press("Alt+ArrowLeft")
    titles = ["", "Run", "Status", "loss", "Started ↓"]
    await expect(page.get_by_role("columnheader")).to_have_text(titles)
    await page.goto("/#/")
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("columnheader", name="loss")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Duration")).to_have_count(0)


async def test_columns_are_chosen_once_all_are_known(page: Page, experiment: str) -> None:
    are_asked = asyncio.Event()

    async def answer_later(route: Route) -> None:
        await are_asked.wait()
        await route.continue_()

    await page.route("**/*/ListKeys", answer_later)
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await expect(page.get_by_role("button", name="Columns")).to_be_disabled()
    are_asked.set()
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Duration").uncheck()
    await expect(page.get_by_role("columnheader")).to_have_text(["", "Run", "Status", "Started ↓", "loss"])


async def test_several_experiments_at_once(page: Page, client: StepwellClient, experiment: str) -> None:
    other = client.create_experiment(f"other {HOSTILE} {uuid.uuid4().hex}")
    add_run(client, other, "elsewhere", 4)
    names = [client.get_experiment(id_).name for id_ in (experiment, other)]
    await page.get_by_label("Search experiments").fill(names[0])
    await expect(page.get_by_role("row").filter(has_text=names[0])).to_contain_text("1 running")
    await page.get_by_role("checkbox", name=f"Select {names[0]}").check()
    await page.get_by_label("Search experiments").fill(names[1])
    await page.get_by_role("checkbox", name=f"Select {names[1]}").check()
    await page.get_by_role("link", name="Open 2 experiments together").click()
    await page.get_by_role("button", name="Table").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["elsewhere", "first"])
    await expect(page.get_by_role("gridcell", name=names[1])).to_be_visible()
    assert await page.title() != "taken"


async def test_what_an_experiment_is_stands_above_its_runs(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    await page.get_by_role("button", name="About").click()
    about = page.get_by_role("region", name="About the experiment")
    await expect(about).to_contain_text(f"team: {HOSTILE}")
    await about.get_by_role("button", name="Edit the description").click()
    await page.get_by_label("Markdown").fill(
        f"# Sweeps\n\n{HOSTILE}\n\n[a link](javascript:document.title='taken')"
    )
    await page.get_by_role("button", name="Save").click()
    await expect(about.get_by_role("heading", name="Sweeps")).to_be_visible()
    await about.get_by_role("button", name="Add a tag").click()
    await page.get_by_label("Key", exact=True).fill("stage")
    await page.get_by_label("Value", exact=True).fill("one")
    await page.get_by_role("dialog").get_by_role("button", name="Tag").click()
    await expect(about).to_contain_text("stage: one")
    await about.get_by_role("button", name="Remove the tag team").click()
    await expect(about).not_to_contain_text("team")
    assert await page.title() != "taken"


async def test_pages_that_are_wanted_while_the_server_is_away_come_when_it_is_back(
    page: Page, shared_server: ServerProcess
) -> None:
    # A tab of its own, since its console tells what did not come.
    assert page.context.browser is not None
    tab = await page.context.browser.new_page()
    await tab.goto(shared_server.url)
    away = ["**/health", "**/assets/*"]
    for address in away:
        await tab.route(address, lambda route: route.abort())
    await tab.get_by_role("link", name="Models", exact=True).click()
    await expect(tab.get_by_text("The server cannot be reached")).to_be_visible()
    await expect(tab.get_by_text("This part of the page has not come yet")).to_be_visible()
    for address in away:
        await tab.unroute(address)
    await expect(tab.get_by_role("heading", name="Models", exact=True)).to_be_visible()
