"""The runs of an experiment: table, filter, sorting, columns, charts, deleting and restoring."""

import asyncio
import math
import re
import subprocess
import sys
import uuid
from urllib.parse import unquote

import pytest
from playwright.async_api import Page, Route, expect

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
def experiment(shared_server: ServerProcess) -> str:
    """An experiment with three runs of a few metrics and params; its id."""
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"runs {uuid.uuid4().hex}")
    for number, name in enumerate(["first", "second", "third"]):
        run = client.create_run(experiment_id, run_name=name, start_time=1_700_000_000_000 + number)
        client.log_batch(
            run.info.run_id,
            metrics=[
                stepwell.Metric("val/loss", math.nan if step == 5 else 1 / (step + number + 1), step, step)
                for step in range(20)
            ]
            + [stepwell.Metric("acc", number, 0, 0)],
            params=[stepwell.Param("lr", str(0.1 * number)), stepwell.Param("my param", "x")],
        )
        client.set_terminated(run.info.run_id)
    client.flush()
    return experiment_id


async def mark(page: Page, name: str) -> str:
    """The colour of a run's mark."""
    return await page.get_by_role("button", name=f"Hide {name} in the charts").evaluate(
        "mark => mark.style.backgroundColor"
    )


async def test_runs_are_listed_sorted_and_filtered(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    await expect(page.get_by_role("rowheader")).to_have_text(["third", "second", "first"])
    colors = [await mark(page, name) for name in ("first", "second", "third")]
    assert len(set(colors)) == 3
    await page.get_by_role("columnheader", name="acc").get_by_role("button").click()
    await expect(page).to_have_url(re.compile("order=metrics.acc"))
    await page.get_by_role("columnheader", name="acc").get_by_role("button").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["first", "second", "third"])
    assert [await mark(page, name) for name in ("first", "second", "third")] == colors
    await page.get_by_label("Filter runs").fill("params.lr = '0.1'")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("rowheader")).to_have_text(["second"])
    assert "params.lr = '0.1'" in unquote(page.url).replace("+", " ")
    await page.reload()
    await expect(page.get_by_role("rowheader")).to_have_text(["second"])


async def test_lines_that_are_drawn_share_no_colour_without_need(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    experiment_id = client.create_experiment(f"colours {uuid.uuid4().hex}")
    names = [f"run {number:02}" for number in range(30)]
    runs = [client.create_run(experiment_id, run_name=name, start_time=n) for n, name in enumerate(names, 1)]
    client.log_metric(runs[-1].info.run_id, "loss", 1.0)
    client.flush()
    await page.goto(f"/#/experiments/{experiment_id}")
    drawn = names[:-21:-1]
    colors = [await mark(page, name) for name in drawn]
    assert len(set(colors[:10])) == len(set(colors[10:])) == 10
    # Two that had the same among twenty differ when they are compared.
    alike = [drawn[0], drawn[colors.index(colors[0], 1)]]
    for name in alike:
        await page.get_by_role("checkbox", name=f"Select {name}").check()
    await page.get_by_role("link", name="Compare").click()
    heads = page.get_by_role("columnheader").filter(has=page.get_by_role("link"))
    await expect(heads).to_have_count(2)
    shown = await heads.locator("i").evaluate_all("marks => marks.map(mark => mark.style.background)")
    assert len(set(shown)) == 2


async def test_who_comes_back_from_a_run_finds_the_table_where_it_was(
    page: Page, shared_server: ServerProcess
) -> None:
    client = StepwellClient(shared_server.tracking_uri)
    name = f"many {uuid.uuid4().hex}"
    experiment = client.create_experiment(name)
    for number in range(120):
        client.set_terminated(client.create_run(experiment, run_name=f"run {number}").info.run_id)
    await page.goto(f"/#/experiments/{experiment}?show=table")
    table = page.get_by_role("treegrid", name="Runs")
    await expect(page.get_by_role("rowheader", name="run 119")).to_be_visible()
    await table.evaluate("table => table.scrollTop = 1700")
    row = page.get_by_role("rowheader", name="run 60")
    await expect(row).to_be_in_viewport()
    await row.get_by_role("link").click()
    await expect(page.get_by_role("heading", name="run 60")).to_be_visible()
    await page.go_back()
    await expect(row).to_be_in_viewport()
    assert await table.evaluate("table => table.scrollTop") == 1700
    # Another way there begins at its beginning.
    await page.get_by_role("link", name="Stepwell, all experiments").click()
    await page.get_by_role("link", name=name).click()
    await expect(page.get_by_role("rowheader", name="run 119")).to_be_in_viewport()


async def test_a_bad_filter_is_explained_where_it_is_wrong(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    await page.get_by_label("Filter runs").fill("metrics.acc = = 3")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("(character 15)")
    await expect(page.get_by_text("No run fulfils the filter")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
async def test_what_is_wrong_with_a_filter_lies_over_nothing(page: Page, experiment: str, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 844})
    await page.goto(f"/#/experiments/{experiment}?q=metrics.acc+%3D+%3D+3")
    problem = await page.get_by_role("alert").bounding_box()
    assert problem is not None
    for name in ("Group", "Columns", "Views", "Both"):
        button = await page.get_by_role("button", name=name, exact=True).bounding_box()
        assert button is not None
        assert button["y"] + button["height"] <= problem["y"]


async def test_what_the_filter_offers_to_write_is_seen_whole_beside_the_other_tools(
    page: Page, experiment: str
) -> None:
    await page.set_viewport_size({"width": 1024, "height": 800})
    await page.goto(f"/#/experiments/{experiment}")
    field = page.get_by_role("combobox", name="Filter runs")
    await expect(field).to_be_visible()
    # As a text of its own, the field can tell whether it has room for it.
    await field.evaluate("it => { it.value = it.placeholder }")
    assert await field.evaluate("it => it.scrollWidth <= it.clientWidth")


async def test_columns_are_chosen_and_stay(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}?view=table")
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_label("Search columns").fill("my par")
    await page.get_by_role("checkbox", name="my param").uncheck()
    await expect(page.get_by_role("columnheader", name="my param")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_role("columnheader", name="lr")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="my param")).to_have_count(0)


async def test_charts_draw_the_runs_that_are_shown(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    chart = page.get_by_role("region", name="Chart of val/loss")
    await expect(chart.get_by_role("img", name="3 lines over step")).to_be_visible()
    await page.get_by_role("button", name="Hide first in the charts").click()
    await expect(chart.get_by_role("img", name="2 lines over step")).to_be_visible()
    box = await chart.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    await expect(chart.get_by_text(re.compile(r"^step \d+$"))).to_be_visible()
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2, steps=4)
    await page.mouse.up()
    await chart.get_by_role("button", name="Show all").click()
    await expect(chart.get_by_role("button", name="Show all")).to_have_count(0)
    await page.get_by_label("Metrics by regular expression").fill("^acc")
    await expect(chart).to_have_count(0)
    await expect(page.get_by_role("region", name="Chart of acc")).to_be_visible()


async def test_selected_runs_are_deleted_and_come_back(page: Page, experiment: str) -> None:
    await page.goto(f"/#/experiments/{experiment}")
    await page.get_by_role("checkbox", name="Select second").check()
    await page.get_by_role("toolbar").get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("dialog").get_by_label("Name")).to_have_value("second")
    await page.keyboard.press("Escape")
    # Undo first: it goes by itself after some seconds, whether the table has followed by then or not.
    await page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("1 run restored")).to_be_visible()
    await expect(page.get_by_role("rowheader")).to_have_text(["third", "second", "first"])
    await page.get_by_role("checkbox", name="Select second").check()
    await page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["third", "first"])


async def test_an_empty_experiment_says_how_to_begin(page: Page, shared_server: ServerProcess) -> None:
    empty = StepwellClient(shared_server.tracking_uri).create_experiment(f"empty {uuid.uuid4().hex}")
    await page.goto(f"/#/experiments/{empty}")
    await expect(page.get_by_text("No runs yet")).to_be_visible()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy: Python").click()
    await expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    script = await page.evaluate("navigator.clipboard.readText()")
    assert f'set_tracking_uri("{shared_server.url}")' in script
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=True, timeout=60)
    await expect(page.get_by_role("region", name="Chart of loss")).to_be_visible()


@pytest.mark.parametrize("place", ["table", "run"])
async def test_an_id_is_copied_although_the_page_came_without_tls(
    page: Page, shared_server: ServerProcess, experiment: str, place: str
) -> None:
    (run,) = StepwellClient(shared_server.tracking_uri).search_runs([experiment], "run_name = 'first'")
    # What a browser has at http://another-machine:5000.
    await page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    await page.goto(f"/#/experiments/{experiment}" + (f"/runs/{run.info.run_id}" if place == "run" else ""))
    await page.reload()
    of = "first" if place == "table" else "the run"
    await page.get_by_role("button", name=f"Actions for {of}").click()
    await page.get_by_role("menuitem", name="Copy id").click()
    await expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    await page.goto(f"/#/experiments/{experiment}")
    field = page.get_by_role("combobox", name="Filter runs")
    await field.focus()
    await page.keyboard.press("Control+V")
    await expect(field).to_have_value(run.info.run_id)


@pytest.mark.parametrize("what", ["Tag", "Rename"])
async def test_who_sends_a_form_twice_over_a_slow_network_sends_it_once(
    page: Page, experiment: str, what: str
) -> None:
    asked = []
    slow = asyncio.Event()

    async def answer_late(route: Route) -> None:
        asked.append(route.request.url)
        await slow.wait()
        await route.continue_()

    await page.route(re.compile("ChangeRuns|UpdateRun"), answer_late)
    await page.goto(f"/#/experiments/{experiment}")
    await page.get_by_role("checkbox", name="Select second").check()
    await page.get_by_role("toolbar").get_by_role("button", name=what).click()
    field = page.get_by_role("dialog").get_by_label("Key" if what == "Tag" else "Name", exact=True)
    await field.fill("done")
    await field.press("Enter")
    await field.press("Enter")
    send = page.get_by_role("dialog").get_by_role("button", name=what)
    await expect(send).to_be_disabled()
    slow.set()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(asked) == 1


async def test_what_is_not_there(page: Page) -> None:
    await page.goto("/#/experiments/987654321")
    await expect(page.get_by_role("alert")).to_contain_text("experiment")
    await page.goto("/#/nowhere")
    await expect(page.get_by_text("There is no such page")).to_be_visible()
