"""The files of a run: a tree, and a view for each kind; what is in a file never runs as the page."""

import uuid
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Page, Route, expect

from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

SCRIPT = "<script>parent.document.title = document.title = 'taken'</script>"


@pytest.fixture
def address(shared_server: ServerProcess, tmp_path: Path) -> str:
    """The address of the files of a run that has some of each kind."""
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"files {uuid.uuid4().hex}")
    run_id = client.create_run(experiment_id).info.run_id
    client.log_text(run_id, "def train():\n    return 1\n", "code/train.py")
    client.log_text(run_id, "# Notes\n\nwith **bold** words", "notes.md")
    client.log_text(run_id, "a,b\n1,2\n3,four", "data/table.csv")
    client.log_text(run_id, f"<h1>Report</h1>{SCRIPT}", "report.html")
    client.log_text(
        run_id,
        f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{SCRIPT}</svg>',
        "drawing.svg",
    )
    client.log_text(run_id, "x" * 1_100_000, "long.txt")
    client.log_text(run_id, "", "empty.txt")
    client.log_text(run_id, "odd", "süß & 100%/a #1?.txt")
    client.log_image(run_id, Image.fromarray(np.full((8, 8, 3), 99, np.uint8)), "pictures/grey.png")
    client.log_table(run_id, {"step": [1, 2], "text": [SCRIPT, "fine"]}, "answers.json")
    (tmp_path / "weights.bin").write_bytes(b"\0" * 2_048)
    client.log_artifact(run_id, tmp_path / "weights.bin")
    client.set_terminated(run_id)
    client.flush()
    return f"/#/experiments/{experiment_id}/runs/{run_id}?tab=artifacts"


def content(path: Path) -> bytes:
    return path.read_bytes()


async def open_file(page: Page, *names: str) -> None:
    for name in names:
        await page.get_by_role("button", name=name, exact=True).click()


async def test_each_kind_has_its_view(page: Page, address: str) -> None:
    await page.goto(address)
    view = page.locator("main")
    await open_file(page, "code/", "train.py")
    await expect(view.locator("code .hljs-keyword").first).to_have_text("def")
    await open_file(page, "notes.md")
    await expect(page.get_by_role("heading", name="Notes")).to_be_visible()
    await open_file(page, "data/", "table.csv")
    await expect(page.get_by_role("cell", name="four")).to_be_visible()
    await open_file(page, "answers.json")
    await expect(page.get_by_role("cell", name=SCRIPT)).to_be_visible()
    await open_file(page, "pictures/", "grey.png")
    await expect(page.get_by_role("img", name="grey.png")).to_have_js_property("naturalWidth", 8)
    await open_file(page, "long.txt")
    await expect(view.get_by_text("This is the first MiB")).to_be_visible()
    await open_file(page, "empty.txt")
    await expect(view.get_by_role("alert")).to_have_count(0)
    await open_file(page, "weights.bin")
    await expect(view.get_by_text("No view for this kind of file")).to_be_visible()
    await open_file(page, "süß & 100%/", "a #1?.txt")
    await expect(view.get_by_text("odd", exact=True)).to_be_visible()
    await page.reload()
    await expect(view.get_by_text("odd", exact=True)).to_be_visible()


async def test_a_folder_that_does_not_come_says_why_and_is_asked_for_again(page: Page, address: str) -> None:
    async def refuse(route: Route) -> None:
        refusal = {"code": "internal", "message": "the disk is gone"}
        is_code = b"code" in (route.request.post_data_buffer or b"")
        await (route.fulfill(status=500, json=refusal) if is_code else route.continue_())

    await page.route("**/ListArtifacts", refuse)
    await page.goto(address)
    files = page.get_by_role("navigation", name="Files")
    await open_file(page, "code/")
    await expect(files.get_by_role("alert")).to_have_text("The disk is gone.")
    await page.unroute("**/ListArtifacts")
    await files.get_by_role("button", name="Try again").click()
    await expect(files.get_by_role("button", name="train.py")).to_be_visible()
    await expect(files.get_by_role("alert")).to_have_count(0)


async def test_what_is_in_files_does_not_run(page: Page, address: str) -> None:
    await page.goto(address)
    await open_file(page, "report.html")
    await expect(page.frame_locator("iframe").get_by_role("heading", name="Report")).to_be_visible()
    assert await page.title() != "taken"
    await open_file(page, "drawing.svg")
    await expect(page.get_by_role("img", name="drawing.svg")).to_be_visible()
    assert await page.title() != "taken"
    run_id = address.split("/runs/")[1].split("?")[0]
    for name in ("report.html", "drawing.svg"):
        await page.goto(f"/api/stepwell/v1/runs/{run_id}/artifacts/{name}")
        assert await page.evaluate("self.origin") == "null"
        assert await page.title() != "taken"


async def test_files_and_folders_are_downloaded(page: Page, address: str) -> None:
    await page.goto(address)
    await open_file(page, "weights.bin")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download", exact=True).click()
    file = await waiting.value
    assert file.suggested_filename == "weights.bin"
    assert content(await file.path()) == b"\0" * 2_048
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download all as zip").click()
    assert (await waiting.value).suggested_filename.endswith(".zip")


async def test_a_run_without_files(page: Page, shared_server: ServerProcess) -> None:
    run = StepwellClient(shared_server.tracking_uri).create_run("0")
    await page.goto(f"/#/experiments/0/runs/{run.info.run_id}?tab=artifacts")
    await expect(page.get_by_text("No files yet")).to_be_visible()
