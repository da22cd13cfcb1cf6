"""Pictures by step, documents, sound, film and tables of all kinds, in the page."""

import io
import uuid
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from playwright.async_api import Page, Response, expect

import stepwell
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
def run_ids(shared_server: ServerProcess) -> tuple[str, list[str]]:
    """An experiment, and two runs with pictures at different steps."""
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    experiment_id = stepwell.create_experiment(f"media {uuid.uuid4().hex}")
    ids = []
    for number in range(2):
        with stepwell.start_run(experiment_id=experiment_id, run_name=f"painter {number}") as run:
            for step in range(0, 30, 10 * (number + 1)):
                picture = np.full((16, 16, 3), step * 8, np.uint8)
                stepwell.log_image(picture, key="val/sample", step=step)
            ids.append(run.info.run_id)
    return experiment_id, ids


async def test_pictures_are_walked_by_slider_and_keys(page: Page, run_ids: tuple[str, list[str]]) -> None:
    await page.goto(f"/#/experiments/{run_ids[0]}/runs/{run_ids[1][0]}?tab=images")
    await expect(page.get_by_role("img", name="val/sample at step 20")).to_be_visible()
    slider = page.get_by_role("slider", name="Step")
    await slider.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("img", name="val/sample at step 10")).to_be_visible()
    await page.keyboard.press("Home")
    picture = page.get_by_role("img", name="val/sample at step 0")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.complete && image.naturalWidth") == 16
    await page.get_by_role("button", name="Open val/sample").click()
    await expect(page.get_by_role("dialog", name="val/sample, step 0")).to_be_visible()
    await page.reload()
    await expect(picture).to_be_visible()


async def test_pictures_of_compared_runs_stand_beside_each_other(
    page: Page, run_ids: tuple[str, list[str]]
) -> None:
    chosen = "%2C".join(f"%22{run_id}%22" for run_id in run_ids[1])
    await page.goto(f"/#/compare?runs=%5B{chosen}%5D&tab=images")
    await page.get_by_role("slider", name="Step").focus()
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("img", name="val/sample at step 10")).to_have_count(1)
    await expect(page.get_by_role("img", name="val/sample at step 0")).to_have_count(1)


async def test_rows_of_parquet_are_fetched_as_they_are_shown(
    page: Page, shared_server: ServerProcess, tmp_path: Path
) -> None:
    rows = 1_000
    table = pa.table(
        {
            "number": pa.array([2**62 + number for number in range(rows)]),
            "text": [f"<b>{number}</b>" for number in range(rows)],
            "nested": [{"x": [number, None]} for number in range(rows)],
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=250, compression="zstd")
    (tmp_path / "some.parquet").write_bytes(file.getvalue())
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"parquet {uuid.uuid4().hex}")
    with stepwell.start_run() as run:
        stepwell.log_artifact(tmp_path / "some.parquet")
    await page.goto(
        f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=artifacts&path=some.parquet"
    )
    await expect(page.get_by_text("Rows 1 to 200 of 1,000")).to_be_visible()
    await expect(page.get_by_role("cell", name="4611686018427387904")).to_be_visible()
    await expect(page.get_by_role("cell", name="<b>0</b>")).to_be_visible()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("cell", name='{"x":["200",null]}')).to_be_visible()


FILM = Path(__file__).with_name("film.webm")  # six frames of 64 x 36 pixels in VP8, which every browser plays


async def test_documents_sound_and_film_are_shown_and_fetched_in_parts(
    page: Page, shared_server: ServerProcess, tmp_path: Path
) -> None:
    pages = [Image.new("RGB", (200, 100), colour) for colour in ("red", "blue", "green")]
    pages[0].save(tmp_path / "report.pdf", save_all=True, append_images=pages[1:])
    with wave.open(str(tmp_path / "tone.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(32_000))
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"media {uuid.uuid4().hex}")
    with stepwell.start_run() as run:
        stepwell.log_artifacts(tmp_path)
        stepwell.log_artifact(FILM)
    partial: set[str] = set()

    def note(answer: Response) -> None:
        if answer.status == 206:
            partial.add(answer.url.rsplit("/", 1)[1])

    page.on("response", note)
    address = f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=artifacts&path="
    await page.goto(f"{address}report.pdf")
    first = page.get_by_role("img", name="Page 1")
    await expect(first).to_have_attribute("data-drawn", "1")
    colour = "canvas => [...canvas.getContext('2d').getImageData(canvas.width / 2, 9, 1, 1).data].slice(0, 3)"
    red, *others = await first.evaluate(colour)
    assert (red > 200, max(others) < 60) == (True, True)
    await expect(page.get_by_text("3 pages")).to_be_visible()
    await page.get_by_role("button", name="Larger").click()
    await expect(first).to_have_attribute("data-drawn", "1.5")
    await page.goto(f"{address}film.webm")
    film = page.get_by_label("film.webm")
    await expect(film).to_have_js_property("videoWidth", 64)
    await page.goto(f"{address}tone.wav")
    sound_player = page.get_by_label("tone.wav")
    await expect(sound_player).to_have_js_property("duration", 2)
    await sound_player.evaluate("sound => { sound.currentTime = 1.5 }")
    await expect(sound_player).to_have_js_property("currentTime", 1.5)
    assert {"film.webm", "tone.wav"} <= partial


async def test_a_logged_table_with_pictures_is_a_table_or_a_grid(
    page: Page, shared_server: ServerProcess
) -> None:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    stepwell.set_experiment(f"tables {uuid.uuid4().hex}")
    with stepwell.start_run() as run:
        picture = np.zeros((8, 8, 3), np.uint8)
        rows = {"seen": [picture, picture + 99], "label": ["<b>cat</b>", "dog"], "p": [1 / 3, 0.5]}
        stepwell.log_table(rows, "errors.json")
    await page.goto(
        f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?tab=artifacts&path=errors.json"
    )
    await expect(page.get_by_role("cell", name="0.333333", exact=True)).to_have_attribute(
        "title", "0.3333333333333333"
    )
    await page.get_by_role("button", name="As a grid").click()
    card = page.get_by_role("listitem").filter(has_text="<b>cat</b>")
    await expect(card.get_by_role("img")).to_have_js_property("naturalWidth", 8)
    await expect(card).to_contain_text("0.333333")
    await page.get_by_role("button", name="As a table").click()
    await expect(page.get_by_role("cell", name="dog")).to_be_visible()
