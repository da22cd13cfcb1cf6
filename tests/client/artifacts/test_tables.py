"""Tables through the client: rows of everybody come together, each once, and values read back as what they were."""

import json
import math
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas
import pytest
from PIL import Image

import stepwell as mlflow
from stepwell import MlflowClient
from stepwell.files.calls import ArtifactCalls
from stepwell.files.tabular import tables
from tests.client.conftest import Script
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri", "spool")

APPENDING = """
import sys, stepwell
for k in range(4):
    stepwell.log_table({"who": [sys.argv[2]], "k": [k]}, "together.json", run_id=sys.argv[1])
"""


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


def rows_of(run_id: str, path: str) -> list[tuple[Any, ...]]:
    table = mlflow.load_table(path, run_ids=[run_id])
    return list(table.itertuples(index=False, name=None))


def stored(run_id: str, path: str) -> Any:
    """The table's file, as pages and other clients read it."""
    return json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{path}"))


def test_rows_of_threads_and_processes_come_together(tmp_path: Path) -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    processes = [
        subprocess.Popen([sys.executable, "-c", APPENDING, run_id, str(number)], cwd=tmp_path)
        for number in range(3)
    ]

    def append(who: int) -> None:
        for k in range(4):
            client.log_table(run_id, {"who": [f"thread {who}"], "k": [k]}, "together.json")
            client.log_table(run_id, {"who": [who]}, f"{who % 2}.json")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    rows = rows_of(run_id, "together.json")
    expected = [(f"thread {who}", k) for who in range(4) for k in range(4)]
    expected += [(str(who), k) for who in range(3) for k in range(4)]
    assert sorted(map(str, rows)) == sorted(str((who, k)) for who, k in expected)
    # What one of them logged is in the order of logging.
    assert [k for who, k in rows if who == "thread 0"] == [0, 1, 2, 3]
    noted = json.loads(client.get_run(run_id).data.tags["mlflow.loggedArtifacts"])
    assert sorted(entry["path"] for entry in noted) == ["0.json", "1.json", "together.json"]


def test_rows_that_wait_are_added_once_whoever_delivers_them(
    script: Script, tmp_path: Path, tracking_uri: str
) -> None:
    spool = tmp_path / "offline"
    answer = script(
        "import stepwell\n"
        "with stepwell.start_run() as run:\n"
        "    for row in (1, 2): stepwell.log_table({'a': [row]}, 'rows.json')\n"
        "print(run.info.run_id)\n",
        STEPWELL_MODE="offline",
        STEPWELL_SPOOL_DIR=str(spool),
    )
    run_id = answer.stdout.strip()
    shutil.copytree(spool, tmp_path / "copy")
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "sync"]
    for place in (spool, tmp_path / "copy"):
        subprocess.run([*command, str(place)], check=True, capture_output=True, timeout=60)
    assert stored(run_id, "rows.json") == {"columns": ["a"], "data": [[1], [2]]}


@pytest.mark.parametrize("answered", [False, True])
def test_an_answer_that_is_lost_doubles_no_rows(monkeypatch: pytest.MonkeyPatch, answered: bool) -> None:
    original = ArtifactCalls.add_rows
    lost = iter([True])

    def add_rows(self: ArtifactCalls, *arguments: Any) -> bool:
        added = original(self, *arguments)
        if next(lost, False):
            code = "TEMPORARILY_UNAVAILABLE" if answered else "DEADLINE_EXCEEDED"
            raise mlflow.StepwellException("the answer is lost", code)
        return added

    monkeypatch.setattr(ArtifactCalls, "add_rows", add_rows)
    with mlflow.start_run() as run:
        mlflow.log_table({"a": [1]}, "t.json")
        mlflow.log_table({"a": [1]}, "t.json")  # the same again is another row
    assert stored(run.info.run_id, "t.json")["data"] == [[1], [1]]


def test_who_is_always_too_late_lets_the_rows_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with mlflow.start_run() as run, monkeypatch.context() as patch:
        patch.setattr(tables, "ATTEMPTS_MAX", 2)
        patch.setattr(ArtifactCalls, "add_rows", lambda *_: False)
        mlflow.log_table({"a": [1]}, "t.json")
    assert rows_of(run.info.run_id, "t.json") == [(1,)]


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_values_read_back_as_what_they_were(suffix: str) -> None:
    with mlflow.start_run() as run:
        for _ in range(2):  # also those that were there before
            mlflow.log_table(
                {
                    "number": [math.inf, -math.inf, math.nan, 0.1 + 0.2],
                    "list": [[1.0, math.inf], [], [-math.inf], [2.5]],
                    "text": ["Infinity and more", "ä", "c", "d"],
                },
                f"t.{suffix}",
            )
    table = mlflow.load_table(f"t.{suffix}", run_ids=[run.info.run_id])
    assert repr(table["number"].tolist()) == repr([math.inf, -math.inf, math.nan, 0.1 + 0.2] * 2)
    assert [list(each) for each in table["list"]] == [[1.0, math.inf], [], [-math.inf], [2.5]] * 2
    assert table["text"].tolist() == ["Infinity and more", "ä", "c", "d"] * 2


def test_json_says_what_it_can_and_keeps_rows_that_are_there() -> None:
    class Thing:
        def __str__(self) -> str:
            return "a thing"

    frame = pandas.DataFrame(
        {
            "when": pandas.to_datetime(["2026-01-02 03:04:05.678", None]),
            "odd": [{"a": np.float32(0.5), "b": {1}}, Thing()],
            "array": [np.arange(2), np.array([[math.nan]])],
        }
    )
    with mlflow.start_run() as run:
        mlflow.log_table(frame, "t.json")
        mlflow.log_table({"code": ["001"]}, "t.json")
        mlflow.log_table({"when": ["later"]}, "t.json")
        mlflow.log_dict({"no": "table"}, "other.json")
        with refused("INVALID_STATE", "no table"):
            mlflow.log_table({"a": [1]}, "other.json")
    assert stored(run.info.run_id, "t.json") == {
        "columns": ["when", "odd", "array", "code"],
        "data": [
            ["2026-01-02T03:04:05.678", {"a": 0.5, "b": [1]}, [0, 1], None],
            [None, "a thing", [[None]], None],
            [None, None, None, "001"],
            ["later", None, None, None],
        ],
    }


def test_images_become_artifacts_that_the_cells_refer_to(tmp_path: Path) -> None:
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    figure = matplotlib.figure.Figure()
    figure.add_subplot().plot([1, 2])
    with mlflow.start_run() as run:
        mlflow.log_table(
            {"image": [Image.fromarray(red), red, figure, None], "n": [1, 2, 3, 4]}, "evaluation/t.json"
        )
        mlflow.log_table({"image": red, "n": 5}, "evaluation/t.json")
        mlflow.log_table({"image": np.stack([red, red]), "n": [6, 7]}, "evaluation/t.json")
        mlflow.log_table({"matrix": np.eye(3), "n": [1, 2, 3]}, "numbers.json")
    cells = mlflow.load_table("evaluation/t.json", run_ids=[run.info.run_id])["image"].tolist()
    assert [type(cell) is dict for cell in cells] == [True, True, True, False, True, True, True]
    for cell in cells[:2] + cells[4:]:
        assert cell["type"] == "image"
        assert cell["filepath"].startswith("table_images/evaluation/t/")
        shown = mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/{cell['filepath']}")
        assert np.array_equal(np.asarray(shown.convert("RGB")), red)
        small = mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/{cell['compressed_filepath']}")
        assert small.size == (6, 4)
    assert mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/{cells[2]['filepath']}").width > 100
    assert stored(run.info.run_id, "numbers.json")["data"][0] == [[1.0, 0.0, 0.0], 1]
