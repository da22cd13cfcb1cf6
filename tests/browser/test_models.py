"""Models on the page: of a run and an experiment, registered, staged, named by aliases; names are only text."""

import asyncio
import json
import re
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from playwright.async_api import Page, expect
from sklearn.dummy import DummyClassifier

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'<%2Fscript>?#&%41'"
INPUTS = [
    {"name": "age", "type": "double", "required": True},
    {"name": HOSTILE, "type": "string", "required": False},
]
# JSON is YAML.
MODEL_FILE = json.dumps(
    {
        "flavors": {"python_function": {"loader_module": "mlflow.sklearn"}, "sklearn": {}},
        "signature": {
            "inputs": json.dumps(INPUTS),
            "outputs": json.dumps([{"type": "long", "required": True}]),
        },
    }
)


@dataclass
class Logged:
    client: StepwellClient
    experiment_id: str
    run_id: str
    model_id: str

    @property
    def run_address(self) -> str:
        return f"/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    @property
    def address(self) -> str:
        return f"/#/experiments/{self.experiment_id}/models/{self.model_id}"

    def registered(self, versions: int = 2) -> str:
        """Return the name of a registered model, as odd as names may be, with so many versions."""
        name = f"{HOSTILE.replace('/', '')} {uuid.uuid4().hex}".replace(":", "")
        self.client.create_registered_model(name)
        for _ in range(versions):
            self.client.create_model_version(name, f"models:/{self.model_id}", self.run_id)
        return name


@pytest.fixture
def logged(shared_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Logged:
    """A run that made a model at step 7 and measured it."""
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"models {uuid.uuid4().hex}")
    (tmp_path / "MLmodel").write_text(MODEL_FILE)
    (tmp_path / "requirements.txt").write_text("scikit-learn==1.5.0\n")
    run_id = client.create_run(experiment_id, run_name="training").info.run_id
    model = stepwell.log_model_folder(
        tmp_path, "best", params={"depth": 3, "bad": HOSTILE}, step=7, run_id=run_id
    )
    client.log_metric(run_id, "accuracy", 0.93, step=7, model_id=model.model_id)
    client.log_metric(run_id, "val loss", 0.4, step=7, model_id=model.model_id)
    client.set_terminated(run_id)
    client.flush()
    return Logged(client, experiment_id, run_id, model.model_id)


async def test_a_runs_model_is_registered_as_a_new_model(page: Page, logged: Logged) -> None:
    name = f"fraud {uuid.uuid4().hex}"
    await page.goto(logged.run_address)
    models = page.get_by_role("region", name="Models")
    await expect(models).to_contain_text("step 7")
    await models.get_by_role("link", name="best").click()
    await expect(page.get_by_role("heading", name="best")).to_be_visible()
    await expect(page.get_by_text("scikit-learn==1.5.0")).to_be_visible()
    await expect(page.get_by_role("region", name="Metrics")).to_contain_text("0.93")
    await expect(page.get_by_role("table", name="Inputs")).to_contain_text("double")
    await page.get_by_role("button", name="Register").click()
    await page.get_by_label("Registered model").fill(name)
    await expect(page.get_by_text("it is created")).to_be_visible()
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_role("button", name="Register").click()
    await expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
    await expect(page.get_by_text(f'load_model("models:/{name}/1")').first).to_be_visible()
    version = logged.client.get_model_version(name, "1")
    assert (version.run_id, version.source) == (logged.run_id, f"models:/{logged.model_id}")
    assert logged.client.registry_changes(name)[0].user == "Ada"

    await page.go_back()
    await page.get_by_role("button", name="Register").click()
    await page.get_by_label("Registered model").fill(name)
    await expect(page.get_by_text("It gets a new version")).to_be_visible()
    await expect(page.get_by_label("Your name")).to_have_value("Ada")
    await page.get_by_role("dialog").get_by_role("button", name="Register").click()
    await expect(page.get_by_role("heading", name="Version 2")).to_be_visible()

    await page.get_by_role("tab", name="Files").click()
    await page.get_by_role("button", name="requirements.txt").click()
    await expect(page.get_by_text("scikit-learn==1.5.0")).to_be_visible()


async def test_a_stage_change_asks_what_becomes_of_what_is_there(page: Page, logged: Logged) -> None:
    name = logged.registered()
    logged.client.transition_model_version_stage(name, "1", "Staging")
    await page.goto(f"/#/models/{quote(name, safe='')}")
    await page.get_by_role("button", name="Actions for version 2").click()
    await page.get_by_role("menuitem", name="Move to a stage").click()
    await page.get_by_label("To the stage").select_option("Production")
    await expect(page.get_by_label("Archive what is in")).to_have_count(0)
    await page.get_by_label("To the stage").select_option("Staging")
    await expect(page.get_by_label("Archive what is in Staging now: version 1")).to_be_checked()
    await page.get_by_label("Why").fill("better recall")
    await page.get_by_role("button", name="Move").click()
    versions = page.get_by_role("region", name="Versions")
    await expect(versions.get_by_role("row").filter(has_text="Version 2")).to_contain_text("Staging")
    await expect(versions.get_by_role("row").filter(has_text="Version 1")).to_contain_text("Archived")
    history = page.get_by_role("region", name="History")
    await expect(history).to_contain_text("Version 2 went from None to Staging: better recall")
    assert logged.client.get_model_version(name, "1").current_stage == "Archived"


async def test_on_a_phone_what_can_be_done_with_a_version_is_in_view(page: Page, logged: Logged) -> None:
    name = logged.registered()
    logged.client.set_registered_model_alias(name, "challenger-with-a-rather-long-name", "2")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"/#/models/{quote(name, safe='')}")
    actions = page.get_by_role("button", name="Actions for version 2")
    await expect(actions).to_be_in_viewport(ratio=1)
    # Clicks reach it: what lies below it does not lie over it.
    await actions.click()
    await expect(page.get_by_role("menuitem", name="Set an alias")).to_be_visible()


async def test_a_move_that_comes_too_late_is_refused_in_the_window(page: Page, logged: Logged) -> None:
    name = logged.registered()
    await page.goto(f"/#/models/{quote(name, safe='')}")
    await page.get_by_role("button", name="Actions for version 2").click()
    await page.get_by_role("menuitem", name="Move to a stage").click()
    await page.get_by_label("To the stage").select_option("Production")
    await page.route("**/GetRegisteredModel", lambda route: route.abort())
    logged.client.transition_model_version_stage(name, "1", "Production")
    await page.get_by_role("button", name="Move").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "Version 1 is in Production"
    )
    assert logged.client.get_model_version(name, "2").current_stage == "None"


async def test_aliases_are_set_and_removed(page: Page, logged: Logged) -> None:
    name = logged.registered()
    await page.goto(f"/#/models/{quote(name, safe='')}")
    await page.get_by_role("button", name="Actions for version 1").click()
    await page.get_by_role("menuitem", name="Set an alias").click()
    await page.get_by_label("Alias", exact=True).fill("latest")
    await page.get_by_role("button", name="Set", exact=True).click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("latest")
    await page.get_by_label("Alias", exact=True).fill("champion")
    await page.get_by_role("button", name="Set", exact=True).click()
    aliases = page.get_by_role("region", name="Aliases")
    await expect(aliases).to_contain_text("@champion")
    assert logged.client.get_model_version_by_alias(name, "champion").version in (1, "1")
    # Undo first: it goes by itself after some seconds, whether the page has followed by then or not.
    await aliases.get_by_role("button", name="Remove the alias champion").click()
    async with page.expect_response("**/SetAlias"):
        await page.get_by_role("button", name="Undo").click()
    assert logged.client.get_model_version_by_alias(name, "champion").version in (1, "1")
    await aliases.get_by_role("button", name="Remove the alias champion").click()
    await expect(aliases).not_to_contain_text("@champion")


async def test_descriptions_tags_and_names_are_edited(page: Page, logged: Logged) -> None:
    name = logged.registered(1)
    await page.goto(f"/#/models/{quote(name, safe='')}")
    await page.get_by_role("button", name="Edit the description").click()
    await page.get_by_label("Markdown").fill("# What it is for")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="What it is for")).to_be_visible()
    await page.get_by_label("New tag").fill("team: risk")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Remove the tag team")).to_be_visible()
    new = f"renamed {uuid.uuid4().hex}"
    await page.get_by_role("button", name="Actions for the model").click()
    await page.get_by_role("menuitem", name="Rename").click()
    await page.get_by_label("Name", exact=True).fill(new)
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name=new)).to_be_visible()
    await page.get_by_role("button", name="Actions for the model").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    await page.get_by_label("Search models").fill(new)
    await expect(page.get_by_text("No model matches")).to_be_visible()


async def test_the_list_and_hostile_names(page: Page, logged: Logged) -> None:
    name = logged.registered(1)
    logged.client.transition_model_version_stage(name, "1", "Production")
    logged.client.set_registered_model_alias(name, "champion", "1")
    logged.client.update_registered_model(name, f"**bold** [link](javascript:alert(1)) {HOSTILE}")
    await page.get_by_role("navigation").get_by_role("link", name="Models").click()
    await page.get_by_label("Search models").fill(name[-32:])
    row = page.get_by_role("row").filter(has_text=name)
    await expect(row).to_contain_text("Production 1")
    await expect(row).to_contain_text("@champion")
    await row.get_by_role("link", name=name).click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await expect(page.get_by_text("bold")).to_be_visible()
    assert await page.get_by_text("link", exact=True).get_attribute("href") in (None, "")
    await page.get_by_role("link", name="Version 1").first.click()
    await page.get_by_label("Named by").select_option(f"models:/{name}@champion")
    await expect(page.get_by_role("region", name="Use it")).to_contain_text('@champion")')
    await expect(page.get_by_role("table", name="Inputs")).to_contain_text(HOSTILE)
    await expect(page.locator("main img, main script")).to_have_count(0)
    assert await page.title() != "taken"


async def test_versions_are_compared(page: Page, logged: Logged, tmp_path: Path) -> None:
    name = logged.registered(1)
    file = json.loads(MODEL_FILE)
    file["signature"]["inputs"] = json.dumps([{"name": "age", "type": "long", "required": True}])
    (tmp_path / "MLmodel").write_text(json.dumps(file))
    other = stepwell.log_model_folder(tmp_path, "best", params={"depth": 3, "bad": "x"}, run_id=logged.run_id)
    logged.client.create_model_version(name, f"models:/{other.model_id}", logged.run_id)
    await page.goto(f"/#/models/{quote(name, safe='')}")
    await page.get_by_label("Choose version 1").check()
    await page.get_by_label("Choose version 2").check()
    await page.get_by_role("link", name="Compare 2 versions").click()
    age = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="age", exact=True))
    await expect(age).to_contain_text("double")
    await expect(age).to_contain_text("long")
    await expect(page.get_by_role("row").filter(has_text="bad")).to_contain_text(HOSTILE)
    await expect(page.get_by_role("rowheader", name="depth")).to_have_count(0)
    await page.get_by_label("Differences only").uncheck()
    await expect(page.get_by_role("rowheader", name="depth")).to_be_visible()
    await expect(page.locator("main img, main script")).to_have_count(0)


async def test_a_new_model_with_stages_of_its_own(page: Page) -> None:
    name = f"shadowed {uuid.uuid4().hex}"
    await page.goto("/#/models")
    await page.get_by_role("button", name="New model").click()
    await page.get_by_label("Name", exact=True).fill("a/b")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Stages of its own").fill("Shadow, Canary")
    await page.get_by_role("button", name="Create").click()
    await expect(page).to_have_url(re.compile("#/models/shadowed"))
    await expect(page.get_by_text("Shadow, Canary")).to_be_visible()
    await page.get_by_role("button", name="Actions for the model").click()
    await page.get_by_role("menuitem", name="Stages of its own").click()
    await page.get_by_label("Names, with commas").fill("Shadow, Blue")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Shadow, Blue")).to_be_visible()


async def test_the_models_of_an_experiment(page: Page, logged: Logged) -> None:
    await page.goto(f"/#/experiments/{logged.experiment_id}")
    await page.get_by_role("main").get_by_role("link", name="Models").click()
    row = page.get_by_role("row").filter(has_text="best")
    await expect(row).to_contain_text("0.93")
    await expect(row.get_by_role("link", name="training")).to_be_visible()
    await page.get_by_role("button", name="accuracy").click()
    await expect(page.get_by_role("columnheader", name="accuracy")).to_have_attribute(
        "aria-sort", "descending"
    )
    await expect(row).to_contain_text("0.93")
    await page.get_by_role("button", name="val loss").click()
    await expect(page.get_by_role("columnheader", name="val loss")).to_have_attribute(
        "aria-sort", "descending"
    )
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.get_by_label("Filter models").fill("metrics.accuracy > 0.95")
    await expect(page.get_by_text("No model matches")).to_be_visible()
    await page.get_by_label("Filter models").fill("metrics.accuracy >")
    await expect(page.get_by_role("alert")).to_be_visible()


async def test_a_model_that_is_not_there(page: Page) -> None:
    await page.goto("/#/models/nobody")
    await expect(page.get_by_role("alert")).to_contain_text("nobody")
    await page.goto(f"/#/experiments/0/models/m-{'0' * 32}")
    await expect(page.get_by_role("alert")).to_be_visible()


async def test_models_of_a_run_are_charted_by_step(page: Page, logged: Logged, tmp_path: Path) -> None:
    for step, value in ((8, 0.95), (2**53 + 1, 0.97)):
        model = stepwell.log_model_folder(tmp_path, "best", step=step, run_id=logged.run_id)
        logged.client.log_metric(logged.run_id, "accuracy", value, step=step, model_id=model.model_id)
    logged.client.flush()
    await page.goto(logged.run_address)
    models = page.get_by_role("region", name="Models")
    await expect(models).to_contain_text("accuracy 0.97")
    await models.get_by_role("link", name="Charts by step").click()
    chart = page.get_by_role("figure", name="Chart of accuracy by step")
    await expect(chart.locator("circle")).to_have_count(3)
    await chart.locator("circle").last.hover()
    await expect(chart).to_contain_text("training · best · step 9,007,199,254,740,993: 0.97")
    await page.get_by_role("tab", name="Table").click()
    await expect(page.get_by_role("link", name="best")).to_have_count(3)
    await page.go_back()
    await chart.locator("circle").last.click()
    await expect(page.get_by_role("region", name="Metrics")).to_contain_text("0.97")


async def test_the_code_that_is_offered_runs(page: Page, logged: Logged) -> None:
    inputs = pd.DataFrame({"age": [1.0, 2.0], 'it\'s "odd"': [3.0, 4.0]})
    forest = DummyClassifier(strategy="constant", constant=7).fit(inputs, [7, 8])
    with stepwell.start_run(run_id=logged.run_id):
        model = stepwell.sklearn.log_model(
            forest, name="dummy", signature=stepwell.models.infer_signature(inputs, [7, 8])
        )
    await page.goto(f"/#/experiments/{logged.experiment_id}/models/{model.model_id}")
    offered = page.get_by_role("region", name="Use it").locator("pre")
    await expect(offered).to_have_count(3)
    whole, own, serving = await offered.all_text_contents()
    code = f"{whole}\n{own}\nprint(type(model).__name__)\n"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert (process.returncode, printed.decode().split()) == (0, ["[7]", "DummyClassifier"])
    assert f"stepwell models serve -m 'models:/{model.model_id}'" in serving
