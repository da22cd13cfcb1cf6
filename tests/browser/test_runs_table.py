"""The table of runs: what columns show, filters that are completed, nested runs, groups, baselines, many at once."""

import asyncio
import csv
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.async_api import Locator, Page, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
# Name, name of the parent, params, losses, tags. Each is later than the one before.
RUNS: Sequence[tuple[str, str, dict[str, str], list[float]]] = (
    ("sweep", "", {}, []),
    ("deep", "sweep", {"opt": "adam", "lr": "0.1"}, [5.0, 1.0, 3.0]),
    ("deeper", "deep", {"opt": "sgd", "lr": HOSTILE}, [4.0, 2.0]),
    ("alone", "", {"opt": "adam", "lr": "0.2"}, [2.0, 2.5]),
)


@pytest.fixture
def client(shared_server: ServerProcess) -> StepwellClient:
    return StepwellClient(shared_server.tracking_uri)


@pytest.fixture
def experiment(client: StepwellClient) -> str:
    experiment_id = client.create_experiment(f"table {uuid.uuid4().hex}")
    ids: dict[str, str] = {}
    for number, (name, parent, params, losses) in enumerate(RUNS):
        tags = {"mlflow.parentRunId": ids[parent]} if parent else {}
        start = 1_700_000_000_000 + number
        ids[name] = client.create_run(experiment_id, start, tags, name).info.run_id
        client.log_batch(
            ids[name],
            metrics=[stepwell.Metric("loss", loss, step, step) for step, loss in enumerate(losses)],
            params=[stepwell.Param(key, value) for key, value in params.items()],
        )
        client.set_terminated(ids[name])
    client.flush()
    return experiment_id


async def open_table(page: Page, experiment: str, query: str = "") -> None:
    await page.goto(f"/#/experiments/{experiment}?view=table{query}")
    await expect(page.get_by_role("rowheader").first).to_be_visible()


def row(page: Page, name: str) -> Locator:
    named = page.get_by_role("link", name=name, exact=True)
    return page.get_by_role("row").filter(has=named)


async def act(page: Page, name: str, what: str) -> None:
    await row(page, name).get_by_role("button", name=f"Actions for {name}").click()
    await page.get_by_role("menuitem", name=what).click()


async def test_a_metric_is_shown_by_its_extremes_and_mean(page: Page, experiment: str) -> None:
    await open_table(page, experiment, "&nested=off")
    await page.get_by_role("button", name="Columns").click()
    for of in ("min", "mean"):
        await page.get_by_role("button", name=f"{of} of loss").click()
    await page.keyboard.press("Escape")
    await page.get_by_role("columnheader", name="loss min").get_by_role("button").click()
    await page.get_by_role("columnheader", name="loss min").get_by_role("button").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["deep", "alone", "deeper", "sweep"])
    await expect(row(page, "deep").get_by_role("gridcell")).to_contain_text(["3", "0.1", "adam", "1", "3"])
    await page.reload()
    await expect(page.get_by_role("columnheader", name="loss mean")).to_be_visible()


async def test_a_filter_is_completed_and_kept(page: Page, experiment: str) -> None:
    await open_table(page, experiment, "&nested=off")
    field = page.get_by_role("combobox", name="Filter runs")
    await field.fill("op")
    await page.get_by_role("option", name="params.opt").click()
    await field.press_sequentially("= ")
    await expect(page.get_by_role("option")).to_have_text(["adam2 runs", "sgd1 run"])
    await field.press("ArrowDown")
    await field.press("Enter")
    await expect(field).to_have_value("params.opt = 'adam' ")
    await field.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "deep"])
    await field.fill("params.opt = 'adam' AND typed and not sear")
    await page.reload()
    await expect(field).to_have_value("params.opt = 'adam' AND typed and not sear")
    await field.fill("params.lr = ")
    await expect(page.get_by_role("option", name=HOSTILE)).to_be_visible()
    await page.get_by_role("button", name="Clear the filter").click()
    await field.click()
    await page.get_by_role("option", name="params.opt = 'adam'").click()
    await field.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "deep"])
    await page.get_by_role("button", name="Help with filters").click()
    await page.get_by_role("button", name="metrics.loss < 0.1", exact=True).click()
    await expect(field).to_have_value("metrics.loss < 0.1")
    assert await page.title() != "taken"


async def test_nested_runs_open_to_any_depth(page: Page, experiment: str) -> None:
    await open_table(page, experiment)
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "sweep"])
    await page.get_by_role("button", name="Open sweep").click()
    await page.get_by_role("button", name="Open deep", exact=True).click()
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "sweep", "deep", "deeper"])
    assert [await row(page, name).get_attribute("aria-level") for name in ("sweep", "deep", "deeper")] == [
        "1",
        "2",
        "3",
    ]
    await page.reload()
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "sweep", "deep", "deeper"])
    await page.get_by_role("button", name="Close sweep").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "sweep"])
    await page.get_by_label("Filter runs").fill("params.opt = 'sgd'")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["sweep", "deep", "deeper"])
    marks = [
        row(page, name).get_by_role("button", name=f"Hide {name}") for name in ("sweep", "deep", "deeper")
    ]
    assert [await mark.count() for mark in marks] == [0, 0, 1]  # only the hit is one
    await page.get_by_role("checkbox", name="Nested").uncheck()
    await expect(page.get_by_role("rowheader")).to_have_text(["deeper"])


async def test_charts_draw_the_runs_that_are_listed(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    chart = page.get_by_role("region", name="Chart of loss")
    await expect(chart.get_by_role("img", name="1 line over step")).to_be_visible()
    await expect(page.get_by_text("1 run in a closed row is not drawn.")).to_be_visible()
    await page.get_by_role("button", name="Open sweep").click()
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    await page.get_by_role("button", name="Charts", exact=True).click()
    await page.get_by_role("button", name="Open it").click()
    await expect(chart.get_by_role("img", name="3 lines over step")).to_be_visible()
    await expect(page.get_by_text("not drawn")).to_have_count(0)
    await page.get_by_role("button", name="Both", exact=True).click()
    await page.get_by_role("button", name="Close sweep").click()
    await expect(chart.get_by_role("img", name="1 line over step")).to_be_visible()


@pytest.fixture
def sweeps(client: StepwellClient) -> str:
    """Three studies that log nothing, each with twelve trials that do."""
    experiment_id = client.create_experiment(f"sweeps {uuid.uuid4().hex}")
    for number in range(3):
        study = client.create_run(experiment_id, run_name=f"study {number}").info.run_id
        for trial in range(12):
            tags = {"mlflow.parentRunId": study}
            run_id = client.create_run(
                experiment_id, tags=tags, run_name=f"trial {number}-{trial}"
            ).info.run_id
            client.log_batch(
                run_id, metrics=[stepwell.Metric("loss", 1 / (step + 1), 0, step) for step in range(5)]
            )
    client.flush()
    return experiment_id


async def test_rows_begin_open_where_nothing_but_what_lies_in_them_can_be_drawn(
    page: Page, sweeps: str
) -> None:
    await page.goto(f"/#/experiments/{sweeps}")
    chart = page.get_by_role("region", name="Chart of loss")
    # The newest studies have 24 trials, and the first 20 rows are drawn, those of the studies among them.
    await expect(chart.get_by_role("img", name="18 lines over step")).to_be_visible()
    await expect(page.get_by_role("button", name="Open study 0")).to_be_visible()
    await expect(page.get_by_text("12 runs in a closed row are not drawn.")).to_be_visible()
    for name in ("study 1", "study 2"):
        await page.get_by_role("button", name=f"Close {name}").click()
    closed = ["study 2", "study 1", "study 0"]
    await expect(page.get_by_role("rowheader")).to_have_text(closed)
    await page.reload()
    await expect(page.get_by_text("36 runs in closed rows are not drawn.")).to_be_visible()
    await expect(page.get_by_role("rowheader")).to_have_text(closed)


async def test_a_selected_run_is_renamed_although_its_row_is_closed(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    await open_table(page, experiment)
    await page.get_by_role("button", name="Open sweep").click()
    await page.get_by_role("checkbox", name="Select deep", exact=True).check()
    await page.get_by_role("button", name="Close sweep").click()
    await page.get_by_role("toolbar").get_by_role("button", name="Rename").click()
    field = page.get_by_role("dialog").get_by_label("Name", exact=True)
    await expect(field).to_have_value("deep")
    await field.fill("deepest")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await page.get_by_role("button", name="Open sweep").click()
    await expect(row(page, "deepest")).to_be_visible()


async def test_whole_numbers_have_all_their_digits_where_there_is_room(
    page: Page, client: StepwellClient
) -> None:
    experiment_id = client.create_experiment(f"tokens {uuid.uuid4().hex}")
    run_id = client.create_run(experiment_id, run_name="long").info.run_id
    client.log_batch(run_id, metrics=[stepwell.Metric("tokens", 123_456_789_012, 0, 0)])
    client.flush()
    await page.goto(f"/#/experiments/{experiment_id}")
    tokens = row(page, "long").get_by_title("123456789012")
    await expect(tokens).to_have_text("123,456,789,012")
    assert await tokens.evaluate("it => it.offsetWidth <= it.parentElement.clientWidth - 20")
    figure = page.get_by_role("region", name="Chart of tokens").get_by_role("img")
    await expect(figure).to_have_accessible_name("long 123,456,789,012")
    await page.goto(f'/#/experiments/{experiment_id}?widths={{"metrics.tokens":100}}')
    await page.reload()
    await expect(tokens).to_have_text("1.235e11")


async def test_names_are_cut_through_no_character_and_read_from_where_they_begin(
    page: Page, client: StepwellClient
) -> None:
    experiment_id = client.create_experiment(f"names {uuid.uuid4().hex}")
    fox, arabic = "a run of the \N{FOX FACE}1234567", "قراءة العربية الطويلة"
    for name in (fox, arabic):
        client.create_run(experiment_id, run_name=name)
    await open_table(page, experiment_id)
    halves = await page.get_by_role("link", name=fox).locator("span").all_text_contents()
    assert halves == ["a run of the ", "\N{FOX FACE}1234567"]
    first, end = [
        await it.bounding_box() for it in await page.get_by_role("link", name=arabic).locator("span").all()
    ]
    assert first is not None
    assert end is not None
    assert first["x"] > end["x"]


async def test_runs_are_grouped_with_mean_and_spread(page: Page, experiment: str) -> None:
    await open_table(page, experiment)
    await page.get_by_role("button", name="Group").click()
    await page.get_by_label("Group by").fill("opt")
    await page.get_by_role("checkbox", name="opt").check()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("rowheader")).to_have_text(["adam", "sgd", "none"])
    adam = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="adam"))
    await expect(adam).to_contain_text("2 runs")
    await expect(adam).to_contain_text("2.75 ± 0.35")
    await page.get_by_role("button", name="Open adam").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["adam", "alone", "deep", "sgd", "none"])
    await page.get_by_role("button", name="Open none").click()
    await page.reload()
    await expect(page.get_by_role("rowheader")).to_have_text(
        ["adam", "alone", "deep", "sgd", "none", "sweep"]
    )


async def test_groups_have_lines_of_their_own(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}?group=%5B%22params.opt%22%5D")
    chart = page.get_by_role("region", name="Chart of loss")
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    box = await chart.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 3, box["y"] + 60)
    await expect(chart.get_by_role("presentation")).to_contain_text("adam3.51.38 … 5.62, 2 runs")
    await expect(chart.get_by_title("adam: mean of 2 runs\nsgd: mean of 1 run")).to_have_text("3 runs")
    await page.get_by_role("button", name="Hide adam in the charts").click()
    await expect(chart.get_by_role("img", name="1 line over step")).to_be_visible()
    await page.get_by_role("button", name="Axes").click()
    await page.get_by_label("One line a group").uncheck()
    await expect(chart.get_by_role("img", name="3 lines over step")).to_be_visible()
    await page.goto(f"/#/experiments/{experiment}?view=charts&group=%5B%22params.lr%22%5D")
    await expect(page.get_by_role("list", name="Runs")).to_contain_text(HOSTILE)
    assert await page.title() != "taken"


async def test_columns_are_made_wider_and_stay_so(page: Page, experiment: str) -> None:
    await open_table(page, experiment, "&nested=off")
    heading = page.get_by_role("columnheader", name="loss")

    async def width() -> float:
        box = await heading.bounding_box()
        assert box is not None
        return box["width"]

    usual = await width()
    await heading.get_by_role("button").focus()
    await page.keyboard.press("Alt+Shift+ArrowRight")
    await expect(heading).to_have_css("width", f"{usual + 16:g}px")
    border = await page.locator("[data-border='metrics.loss']").bounding_box()
    assert border is not None
    await page.mouse.move(border["x"] + 4, border["y"] + 16)
    await page.mouse.down()
    await page.mouse.move(border["x"] + 64, border["y"] + 16, steps=3)
    await page.mouse.up()
    await expect(heading).to_have_css("width", f"{usual + 76:g}px")
    await page.goto("/#/")
    await open_table(page, experiment, "&nested=off")
    await expect(heading).to_have_css("width", f"{usual + 76:g}px")
    await page.locator("[data-border='metrics.loss']").dblclick()
    await expect(heading).to_have_css("width", f"{usual:g}px")


async def test_runs_beside_a_baseline_pinned_and_painted(page: Page, experiment: str) -> None:
    await open_table(page, experiment, "&nested=off")
    await act(page, "deep", "Use as baseline")
    await expect(page.get_by_role("rowheader")).to_have_text(["deep", "alone", "deeper", "sweep"])
    await expect(row(page, "alone").get_by_text("\N{MINUS SIGN}0.5")).to_be_visible()
    await act(page, "sweep", "Pin to the top")
    await expect(page.get_by_role("rowheader").nth(1)).to_have_text("sweep")
    mark = row(page, "deeper").get_by_role("button", name="Hide deeper")
    await act(page, "deeper", "Colour 3")
    await expect(mark).to_have_css("background-color", "rgb(15, 157, 118)")
    await page.reload()
    await expect(mark).to_have_css("background-color", "rgb(15, 157, 118)")
    await act(page, "deeper", "Rename")
    await page.get_by_label("Name", exact=True).fill(f"named {HOSTILE}")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("rowheader", name=f"named {HOSTILE}")).to_be_visible()
    assert await page.title() != "taken"


async def test_what_a_tag_says_of_a_colour_is_a_colour_or_nothing(
    page: Page, client: StepwellClient, experiment: str
) -> None:
    (run,) = client.search_runs([experiment], "run_name = 'alone'")
    client.set_tag(run.info.run_id, "mlflow.runColor", "url(/api/x)", synchronous=True)
    await open_table(page, experiment)
    mark = row(page, "alone").get_by_role("button", name="Hide alone")
    assert "url" not in (await mark.get_attribute("style") or "")


async def test_many_runs_are_chosen_tagged_and_deleted(page: Page, experiment: str) -> None:
    await open_table(page, experiment, "&nested=off")
    await page.get_by_role("checkbox", name="Select alone").check()
    await page.get_by_role("checkbox", name="Select deep", exact=True).click(modifiers=["Shift"])
    await expect(page.get_by_role("toolbar")).to_contain_text("3 runs selected")
    await page.reload()
    await expect(page.get_by_role("toolbar")).to_contain_text("3 runs selected")
    await page.get_by_role("checkbox", name="Select all runs that the filter finds").check()
    await page.get_by_role("checkbox", name="Select sweep").uncheck()
    await expect(page).to_have_url(re.compile("everything=true"))
    await expect(page.get_by_role("toolbar")).to_contain_text("3 runs selected")
    await page.get_by_role("toolbar").get_by_role("button", name="Tag").click()
    await page.get_by_label("Key", exact=True).fill("seen")
    await page.get_by_label("Value", exact=True).fill("it's")
    await page.get_by_role("dialog").get_by_role("button", name="Tag").click()
    await expect(page.get_by_text("3 runs tagged")).to_be_visible()
    await page.get_by_role("toolbar").get_by_role("button", name="Clear").click()
    await page.get_by_label("Filter runs").fill("tags.seen = 'it''s'")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "deeper", "deep"])
    await page.get_by_role("checkbox", name="Select all runs that the filter finds").check()
    await page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No run fulfils the filter")).to_be_visible()
    await page.get_by_role("checkbox", name="Deleted").check()
    await page.get_by_role("checkbox", name="Select all runs that the filter finds").check()
    await page.get_by_role("toolbar").get_by_role("button", name="Restore").click()
    await expect(page.get_by_text("3 runs restored")).to_be_visible()
    assert "tags.seen" in unquote(page.url)


async def test_a_name_leads_to_the_run_and_back_to_what_was_shown(page: Page, experiment: str) -> None:
    await open_table(page, experiment, "&nested=off")
    await page.get_by_role("link", name="alone", exact=True).click()
    await expect(page.get_by_role("heading", name="alone")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "deeper", "deep", "sweep"])


async def test_what_a_filter_finds_is_a_file_with_the_columns_of_the_table(
    page: Page, experiment: str
) -> None:
    await open_table(page, experiment, "&columns=%5B%22min(metrics.loss)%22%2C%22params.lr%22%5D")
    await page.get_by_label("Filter runs").fill("params.opt IS NOT NULL")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["alone", "sweep", "deep", "deeper"])
    async with page.expect_download() as started:
        await page.get_by_role("link", name="CSV").click()
    text = await asyncio.to_thread(Path.read_text, await (await started.value).path(), "utf-8")
    titles, *rows = csv.reader(text.splitlines())
    assert titles == ["run_id", "run_name", "min(metrics.loss)", "params.lr"]
    assert [row[1:] for row in rows] == [
        ["alone", "2.0", "0.2"],
        ["deeper", "2.0", HOSTILE],
        ["deep", "1.0", "0.1"],
    ]
