"""An open page follows what others do meanwhile, also to what has ended, and a server that goes and comes back."""

import asyncio
import uuid
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from stepwell.runs import console
from tests.browser.answers import held
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess

# More pieces of a console than some looks bring.
PIECES = 2_000
AWAY_MAX_S = 60


@pytest.fixture
def client(shared_server: ServerProcess) -> StepwellClient:
    return StepwellClient(shared_server.tracking_uri)


@pytest.fixture
def experiment(client: StepwellClient) -> str:
    return client.create_experiment(f"followed {uuid.uuid4().hex}")


@pytest.fixture
def ended(client: StepwellClient, experiment: str) -> str:
    run_id = client.create_run(experiment, run_name="first name").info.run_id
    client.set_terminated(run_id)
    client.flush()
    return run_id


async def opened(page: Page, address: str) -> None:
    """Open a page of runs; what changes from now on, it is told: the look says what time it is."""
    async with page.expect_response("**/ListChangedRuns"):
        await page.goto(address)


async def test_a_run_that_goes_on_after_its_end_is_followed_again(
    page: Page, shared_server: ServerProcess, experiment: str, ended: str
) -> None:
    await opened(page, f"/#/experiments/{experiment}/runs/{ended}")
    await expect(page.locator("header").get_by_text("Finished")).to_be_visible()
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    with stepwell.start_run(run_id=ended):
        await expect(page.locator("header").get_by_text("Running")).to_be_visible()
        stepwell.log_metric("loss", 0.25)
        stepwell.flush()
        await expect(page.get_by_role("row").filter(has_text="loss")).to_be_visible()


async def test_a_run_that_has_ended_is_deleted_and_renamed_by_somebody_else(
    page: Page, client: StepwellClient, experiment: str, ended: str
) -> None:
    await opened(page, f"/#/experiments/{experiment}/runs/{ended}")
    await expect(page.get_by_role("heading", name="first name")).to_be_visible()
    client.update_run(ended, name="second name")
    await expect(page.get_by_role("heading", name="second name")).to_be_visible()
    client.delete_run(ended)
    await expect(page.locator("header").get_by_text("deleted")).to_be_visible()


async def test_a_comparison_follows_runs_that_have_ended(
    page: Page, client: StepwellClient, experiment: str, ended: str
) -> None:
    await opened(page, f'/#/compare?runs=["{ended}"]')
    await expect(page.get_by_role("link", name="first name")).to_be_visible()
    client.update_run(ended, name="second name")
    await expect(page.get_by_role("link", name="second name")).to_be_visible()


async def test_what_is_started_in_a_run_after_its_end_is_shown(
    page: Page, client: StepwellClient, experiment: str, ended: str
) -> None:
    await opened(page, f"/#/experiments/{experiment}/runs/{ended}")
    await expect(page.get_by_role("heading", name="first name")).to_be_visible()
    client.create_run(experiment, run_name="trial", tags={"mlflow.parentRunId": ended})
    await expect(page.get_by_role("link", name="trial")).to_be_visible()


async def test_an_experiment_that_is_renamed_elsewhere(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(client.get_experiment(experiment).name)
    name = f"renamed {uuid.uuid4().hex}"
    client.rename_experiment(experiment, name)
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)


async def test_a_model_is_followed_after_its_files_are_there(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    model = client.create_logged_model(experiment, name="followed")
    client.finalize_logged_model(model.model_id, "READY")
    await page.goto(f"/#/experiments/{experiment}/models/{model.model_id}")
    await expect(page.get_by_text("Ready")).to_be_visible()
    client.set_logged_model_tags(model.model_id, {"reviewed": "twice"})
    await expect(page.get_by_role("button", name="Remove the tag reviewed")).to_be_visible()
    name = f"followed {uuid.uuid4().hex}"
    client.create_registered_model(name)
    client.create_model_version(name, f"models:/{model.model_id}")
    await expect(page.get_by_role("link", name=name)).to_be_visible()


async def test_all_of_a_long_console_is_read_when_its_run_has_ended(
    page: Page, shared_server: ServerProcess
) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"followed {uuid.uuid4().hex}")
    with stepwell.start_run() as run:
        run.writer.log_console(console.OUTPUT, 1, "it begins", 0)
        stepwell.flush()
        await page.goto(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=console")
        await expect(page.get_by_role("log", name="Lines")).to_contain_text("it begins")
        async with held(page, "ReadConsole") as reading:
            await reading.are_asked.wait()
            for number in range(PIECES):
                run.writer.log_console(console.OUTPUT, 2 + number, f"line {number}", 0)
            await asyncio.to_thread(stepwell.end_run)
            await expect(page.locator("header").get_by_text("Finished")).to_be_visible()
    await expect(page.get_by_text(f"{PIECES + 1:,} lines")).to_be_visible()


async def test_connections_that_were_lost_on_the_way_are_told_and_the_page_goes_on_over_new_ones(
    page: Page, shared_server: ServerProcess
) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"followed {uuid.uuid4().hex}")
    away = page.get_by_text("The server cannot be reached.")
    with Proxy(urlsplit(shared_server.url).port) as proxy, stepwell.start_run() as run:
        address = f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=console"
        run.writer.log_console(console.OUTPUT, 1, "it begins", 0)
        stepwell.flush()
        await page.goto(f"http://127.0.0.1:{proxy.port}{address}")
        await expect(page.get_by_role("log", name="Lines")).to_contain_text("it begins")
        # All that the browser makes, until all that it may make at once wait for an answer.
        async with asyncio.timeout(AWAY_MAX_S):
            while not await away.is_visible():
                proxy.abandon()
                await asyncio.sleep(0.05)
        proxy.abandon()
        run.writer.log_console(console.OUTPUT, 2, "and goes on", 0)
        stepwell.flush()
        await expect(page.get_by_role("log", name="Lines")).to_contain_text("and goes on")
        await expect(away).to_have_count(0)
