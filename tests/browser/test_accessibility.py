"""Every page by a checker of what keeps people from using it (names, roles, contrast), in both themes; by keyboard."""

import json
import uuid

import pytest
from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.browser import axe
from tests.harness.servers.processes import ServerProcess

FAULTS = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}"""


@pytest.fixture
def pages(shared_server: ServerProcess) -> dict[str, str]:
    """Addresses of pages with something on each, and a word that is there when they are drawn."""
    client = StepwellClient(shared_server.tracking_uri)
    tags = {"team": "vision", "mlflow.note.content": "Some **text**"}
    experiment_id = client.create_experiment(f"accessible {uuid.uuid4().hex}", tags=tags)
    ids: list[str] = []
    for number in range(3):
        parent = {"mlflow.parentRunId": ids[0]} if number == 2 else {}
        run_id = client.create_run(experiment_id, run_name=f"run {number}", tags=parent).info.run_id
        metrics = [
            stepwell.Metric(key, number + step / 2, 0, step) for step in range(3) for key in ("a/loss", "acc")
        ]
        client.log_batch(run_id, metrics=metrics, params=[stepwell.Param("lr", str(number))])
        client.log_table(run_id, {"prompt": ["a"], "score": [number]}, "eval.json")
        client.set_terminated(run_id, "FAILED" if number else "FINISHED")
        ids.append(run_id)
    client.flush()
    model = client.create_registered_model(f"accessible {uuid.uuid4().hex}").name
    version = client.create_model_version(model, f"runs:/{ids[0]}/eval.json", ids[0]).version
    client.transition_model_version_stage(model, version, "Staging")
    here, both = f"/#/experiments/{experiment_id}", f"/#/compare?runs={json.dumps(ids[:2])}"
    return {
        "/#/": "Experiments",
        f"{here}?about=true&baseline={json.dumps(ids[1])}&selected={json.dumps(ids[:1])}": "run 0",
        f'{here}?group=["params.lr"]': "a/loss",
        f"{here}?q=nonsense": "expected a comparison",
        f"{here}/runs/{ids[0]}": "run 0",
        f"{here}/runs/{ids[0]}?tab=charts": "a/loss",
        f"{here}/runs/{ids[0]}?tab=artifacts&path=eval.json": "prompt",
        both: "2 runs compared",
        f"{both}&tab=charts": "a/loss",
        f"{both}&tab=plots": "Parallel coordinates",
        f"{both}&tab=tables": "prompt",
        "/#/models": model,
        "/#/settings": "Settings",
    }


async def test_nothing_keeps_people_from_using_a_page(page: Page, pages: dict[str, str]) -> None:
    faults: list[str] = []
    for address, word in pages.items():
        await page.goto("about:blank")
        await page.goto(address)
        await expect(page.locator("main").get_by_text(word).first).to_be_visible()
        await page.evaluate(axe())
        for theme in ("light", "dark"):
            await page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            faults += [f"{address}, {theme}: {fault}" for fault in await page.evaluate(FAULTS)]
    assert faults == []


async def test_rows_are_walked_by_the_arrow_keys(page: Page, pages: dict[str, str]) -> None:
    address = next(address for address in pages if "about=" in address)
    await page.goto(f"{address.split('?')[0]}?view=table")
    first = page.get_by_role("link", name="run 1")
    await first.focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("link", name="run 0")).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("link", name="run 2")).to_be_visible()
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("link", name="run 2")).to_have_count(0)
    await page.keyboard.press("ArrowUp")
    await expect(first).to_be_focused()


async def test_the_table_has_as_much_room_as_one_gives_it(page: Page, pages: dict[str, str]) -> None:
    address = next(address for address in pages if "about=" in address)
    await page.goto(address.split("?")[0])
    split = page.get_by_role("separator", name="Width of the table")
    await split.focus()
    await page.keyboard.press("ArrowRight")
    await expect(split).to_have_attribute("aria-valuenow", "46")
    await page.reload()
    await expect(split).to_have_attribute("aria-valuenow", "46")


async def test_who_leaves_a_dialog_is_where_it_was_opened(page: Page, pages: dict[str, str]) -> None:
    table = next(address for address in pages if "about=" in address).split("?")[0] + "?view=table"
    for address, button, item in (
        ("/#/", "New experiment", ""),
        ("/#/", "Actions for Default", "Rename"),
        (table, "Actions for run 1", "Rename"),
    ):
        await page.goto(address)
        opener = page.get_by_role("button", name=button)
        await opener.focus()
        await page.keyboard.press("Enter")
        if item:
            await page.get_by_role("menuitem", name=item).focus()
            await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").get_by_role("textbox").first).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(opener).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
