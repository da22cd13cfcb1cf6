"""What the tutorials do on the page: find and compare what was trained, register the best model and stage it."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.examples import ran
from tests.harness.servers.processes import ServerProcess

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


@pytest.fixture
def trained(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A baseline and two searches; the best is version 1 of a registered model, in Staging."""
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    with ran("search_and_register.py", "diabetes", "diabetes"):
        yield


@pytest.mark.usefixtures("trained")
async def test_what_was_trained_is_compared_registered_and_staged(
    page: Page, shared_server: ServerProcess
) -> None:
    await page.reload()
    await page.get_by_role("link", name="diabetes").click()
    # The search opens, and shows its best candidates.
    await expect(page.get_by_role("rowheader")).to_have_text(["forest", "ridge", "baseline"])
    await page.get_by_role("button", name="Open ridge").click()
    await expect(page.get_by_role("rowheader")).to_have_count(3 + 5)
    # A filter in the grammar of searches.
    field = page.get_by_role("combobox", name="Filter runs")
    await field.fill("metrics.`Neg. MAE` > -46 AND params.cv = '3'")
    await field.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["ridge"])
    await page.get_by_role("button", name="Clear the filter").click()
    # One metric of all runs in bars.
    await page.get_by_role("button", name="New chart").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Kind").select_option("Bar")
    await dialog.get_by_role("button", name="Show the chart").click()
    await expect(page.get_by_role("img", name="Bar of")).to_be_attached()
    # The run: what it was given and gave, its notes, tags and files.
    await page.get_by_role("link", name="ridge", exact=True).first.click()
    await expect(page.get_by_role("heading", name="ridge")).to_be_visible()
    for name in ("Neg. MAE", "R2", "best_cv_score", "best_alpha"):
        await expect(page.get_by_role("rowheader", name=name, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Edit the description").click()
    await page.get_by_label("Markdown").fill("# Looks good")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Looks good")).to_be_visible()
    # Its model: the schema, the code to use it, and a second version of the registered one.
    await page.get_by_role("region", name="Models").get_by_role("link", name="best_estimator").click()
    await expect(page.get_by_role("table", name="Inputs")).to_contain_text("bmi")
    await expect(page.get_by_text("load_model(").first).to_be_visible()
    await page.get_by_role("button", name="Register").click()
    await page.get_by_label("Registered model").fill("diabetes")
    await expect(page.get_by_text("It gets a new version")).to_be_visible()
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_role("dialog").get_by_role("button", name="Register").click()
    await expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    # It takes the place of the first one in Staging.
    await page.get_by_role("navigation").get_by_role("link", name="Models").click()
    await page.get_by_role("link", name="diabetes", exact=True).click()
    await page.get_by_role("button", name="Actions for version 2").click()
    await page.get_by_role("menuitem", name="Move to a stage").click()
    await page.get_by_label("To the stage").select_option("Staging")
    await expect(page.get_by_label("Archive what is in Staging now: version 1")).to_be_checked()
    await page.get_by_role("button", name="Move").click()
    versions = page.get_by_role("region", name="Versions")
    await expect(versions.get_by_role("row").filter(has_text="Version 1")).to_contain_text("Archived")
    # And is what code gets that asks for it.
    client = StepwellClient(shared_server.tracking_uri)
    (staged,) = client.get_latest_versions("diabetes", ["Staging"])
    assert int(staged.version) == 2
    model = stepwell.sklearn.load_model("models:/diabetes/staging")
    assert type(model).__name__ == "Ridge"
