"""What was lost where it waited is told to the server, so that whoever looks at the run sees that it is missing."""

import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient
from stepwell.commands.runs import runs
from stepwell.entities import Refusal
from stepwell.spool import folders
from stepwell.spool.records import RECORD_BYTES
from tests.client.conftest import Script
from tests.faults.syncing import sync

POINTS = 50_000
# Some 25,000 points.
SPOOL_BYTES_MAX = 1_400_000


@pytest.fixture
def left_behind(script: Script, tmp_path: Path) -> tuple[str, Path]:
    """A run that nobody has delivered, of which the spool had not room for all; and the folder of spools."""
    text = (
        "import stepwell\n"
        "with stepwell.start_run() as run:\n"
        f"    for step in range({POINTS}):\n"
        "        stepwell.log_metric('loss', 1.0, step=step)\n"
        "    print(run.info.run_id)\n"
    )
    answer = script(
        text,
        STEPWELL_MODE="offline",
        STEPWELL_SPOOL_DIR=str(tmp_path / "spools"),
        STEPWELL_SPOOL_BYTES_MAX=str(SPOOL_BYTES_MAX),
        STEPWELL_SPOOL_FULL="drop_oldest",
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip(), tmp_path / "spools"


def losses(run_id: str) -> dict[str, Refusal]:
    found = StepwellClient().get_refusals(run_id)
    assert all(refusal.is_loss for refusal in found)
    return {refusal.error_code: refusal for refusal in found}


def test_what_a_full_spool_dropped_is_told_once(left_behind: tuple[str, Path], tmp_path: Path) -> None:
    run_id, place = left_behind
    copy = tmp_path / "copy"
    shutil.copytree(place, copy)
    for folder in (place, copy):
        sync(folder)
        dropped = losses(run_id)["RESOURCE_EXHAUSTED"]
        assert dropped.count == POINTS - len(stepwell.get_metric_history(run_id, "loss")) > 0
    assert "STEPWELL_SPOOL_FULL=drop_oldest" in dropped.reason
    shown = CliRunner().invoke(runs, ["show", run_id]).output
    assert re.search(rf"lost +\W {dropped.count} points or entries", shown)


def test_what_was_damaged_is_told_beside_it(left_behind: tuple[str, Path]) -> None:
    run_id, place = left_behind
    (folder,) = folders.spools(place)
    first, *_, before_last, _ = sorted(folder.glob("points2-*"))
    with first.open("r+b") as file:
        file.seek(50 * RECORD_BYTES)
        file.write(b"\x7f")  # one of the two writings of a step
    left = before_last.stat().st_size // RECORD_BYTES // 2
    cut_off = before_last.stat().st_size // RECORD_BYTES - left
    os.truncate(before_last, left * RECORD_BYTES)
    sync(place)
    told = losses(run_id)
    assert told["DATA_LOSS"].count == 1 + cut_off
    lost = POINTS - len(stepwell.get_metric_history(run_id, "loss"))
    assert told["RESOURCE_EXHAUSTED"].count + told["DATA_LOSS"].count == lost
