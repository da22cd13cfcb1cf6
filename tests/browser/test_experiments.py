"""The list of experiments: search, create, rename, delete, restore."""

import re
import uuid

from playwright.async_api import Page, expect

from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

# Of scripts, compressed, that come before anything can be seen.
SCRIPT_BYTES_MAX = 260_000


async def test_the_main_acts_of_the_list(page: Page) -> None:
    name = f"walks {uuid.uuid4().hex}"
    await page.get_by_role("button", name="New experiment").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("button", name="Create").click()
    await expect(page).to_have_url(re.compile(r"#/experiments/\d+"))
    await expect(page.get_by_role("heading", name=name)).to_be_visible()

    await page.get_by_role("navigation").get_by_role("link", name="Experiments", exact=True).click()
    search = page.get_by_label("Search experiments")
    await search.fill(name)
    await page.get_by_role("button", name=f"Actions for {name}").click()
    await page.get_by_role("menuitem", name="Rename").click()
    await page.get_by_label("Name", exact=True).fill(f"{name} again")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("link", name=f"{name} again")).to_be_visible()

    # Undo first: it goes by itself after some seconds, whether the list has followed by then or not.
    await page.get_by_role("button", name=f"Actions for {name} again").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    await expect(page.get_by_role("link", name=f"{name} again")).to_be_visible()
    await page.get_by_role("button", name=f"Actions for {name} again").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await expect(page.get_by_role("link", name=name)).to_have_count(0)


async def test_a_name_that_is_taken_is_told_in_the_dialog(page: Page) -> None:
    await page.get_by_role("button", name="New experiment").click()
    await page.get_by_label("Name", exact=True).fill("Default")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("alert")).to_contain_text("already exists")


async def test_a_place_of_artifacts_that_is_refused_is_not_laid_at_the_name(page: Page) -> None:
    await page.get_by_role("button", name="New experiment").click()
    name = page.get_by_label("Name", exact=True)
    await name.fill(f"placed {uuid.uuid4().hex}")
    await page.get_by_label("Artifact location").fill("ftpx://nowhere")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("alert")).to_contain_text("ftpx")
    await expect(name).to_have_attribute("aria-invalid", "false")


async def test_hostile_names_are_only_text(page: Page) -> None:
    name = f"<img src=x onerror=\"document.title='taken'\"> {uuid.uuid4().hex}"
    await page.get_by_role("button", name="New experiment").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert await page.title() != "taken"


async def test_a_long_name_takes_three_lines_of_the_list_and_is_whole_in_its_title(page: Page) -> None:
    name = f"long {uuid.uuid4().hex} " + "of many words " * 30 + "end"
    await page.get_by_role("button", name="New experiment").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await page.goto("/")
    link = page.get_by_role("link", name=name)
    await expect(link).to_have_attribute("title", name)
    lines = "it => it.getBoundingClientRect().height / parseFloat(getComputedStyle(it).lineHeight)"
    assert round(await link.evaluate(lines)) == 3


async def test_keys_and_themes(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Experiments")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_label("Search experiments")).to_be_focused()
    await page.get_by_role("button", name="Dark theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_the_first_page_is_light(page: Page) -> None:
    await page.reload()
    await expect(page.get_by_role("heading", name="Experiments")).to_be_visible()
    sizes = await page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter((it) => it.name.endsWith('.js')).map((it) => it.encodedBodySize)"
    )
    assert 100_000 < sum(sizes) < SCRIPT_BYTES_MAX


async def test_the_page_of_a_deleted_experiment_says_so_and_brings_it_back(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    made = client.create_experiment(f"taken away {uuid.uuid4().hex}")
    client.delete_experiment(made)
    await page.goto(f"/#/experiments/{made}")
    await expect(page.get_by_text("This experiment is deleted.")).to_be_visible()
    # To log to it is no advice.
    await expect(page.get_by_role("heading", name="No runs", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Restore").click()
    await expect(page.get_by_text("This experiment is deleted.")).to_have_count(0)
    await expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
