"""Sweeps: trials are runs, what is finished is not run again, what is hopeless is stopped."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stepwell
from stepwell.entities import Run
from stepwell.projects import sweep
from stepwell.projects.sweeping import PRUNED_TAG, TRIAL_TAG
from tests.client.conftest import Script
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")

MAIN = "from stepwell.cli import main; main()"
TRAIN = """
import sys, time
import stepwell
x, pause = float(sys.argv[1]), float(sys.argv[2])
with stepwell.start_run():
    for step in range(400 if pause and x > 0.5 else 8):
        stepwell.log_metric("loss", (x - 0.25) ** 2 + 1 / (step + 1), step=step)
        time.sleep(pause)
    if x == 0.75:
        sys.exit(4)
"""
FILE = """
entry_points:
  main:
    parameters: {x: float, pause: {type: float, default: 0}}
    command: "python train.py {x} {pause}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(FILE)
    (folder / "train.py").write_text(TRAIN)
    return folder


def space(folder: Path, parameters: str, more: str = "") -> Path:
    file = folder / "space.yaml"
    file.write_text(f"metric: loss\nparameters: {parameters}\n{more}")
    return file


def trials_of(run_id: str) -> list[Run]:
    condition = f"tags.`mlflow.parentRunId` = '{run_id}'"
    return stepwell.search_runs(filter_string=condition, search_all_experiments=True, output_format="list")


def tried(runs: list[Run]) -> list[float]:
    return sorted(json.loads(run.data.tags[TRIAL_TAG])["x"] for run in runs)


def test_a_grid_goes_on_where_it_was_stopped(project: Path) -> None:
    file = space(project, "{x: {low: 0, high: 1, step: 0.25}}")
    first = sweep(str(project), space=file, trials=2, sampler="grid")
    assert (first.finished, first.failed) == (2, 0)
    again = sweep(str(project), space=file, trials=9, parallel=2, sampler="grid", run_id=first.run_id)
    assert again.run_id == first.run_id
    assert (again.finished, again.failed, again.best_value) == (4, 1, 0.125)
    runs = trials_of(first.run_id)
    assert tried(runs) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert sorted(run.info.status for run in runs) == ["FAILED", *4 * ["FINISHED"]]
    parent = stepwell.get_run(first.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best_loss"] == 0.125
    assert parent.data.tags["stepwell.sweep.bestRun"] == again.best_run_id
    best = stepwell.get_run(again.best_run_id or "")
    assert best.data.params == {"x": "0.25", "pause": "0"}
    # What failed is tried again, and nothing else.
    sweep(str(project), space=file, trials=9, sampler="grid", run_id=first.run_id)
    assert tried(trials_of(first.run_id)) == [0.0, 0.25, 0.5, 0.75, 0.75, 1.0]


def test_a_sweep_that_is_killed_goes_on(project: Path, script: Script, tmp_path: Path) -> None:
    file = space(project, "{x: {low: 0, high: 0.5}}")
    words = [
        "sweep",
        str(project),
        "--space",
        str(file),
        "--trials",
        "6",
        "--seed",
        "3",
        "--sampler",
        "random",
    ]
    process = subprocess.Popen([sys.executable, "-c", MAIN, *words, "--run-name", "killed"], cwd=tmp_path)

    def parent() -> list[Run]:
        return stepwell.search_runs(
            filter_string="attributes.run_name = 'killed'", search_all_experiments=True, output_format="list"
        )

    end = time.monotonic() + 90
    while (
        not (found := parent())
        or sum(run.info.status == "FINISHED" for run in trials_of(found[0].info.run_id)) < 2
    ):
        assert time.monotonic() < end
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run_id = found[0].info.run_id
    before = {run.info.run_id for run in trials_of(run_id) if run.info.status == "FINISHED"}
    answer = script(MAIN, *words, "--run-id", run_id, "--json")
    assert answer.returncode == 0, answer.stderr
    outcome = json.loads(answer.stdout.splitlines()[-1])
    assert (outcome["run_id"], outcome["finished"]) == (run_id, 6)
    after = {run.info.run_id for run in trials_of(run_id) if run.info.status == "FINISHED"}
    assert before <= after
    assert 6 <= len(after) <= 7  # the one that ran when the sweep was killed may have finished by itself
    assert len(set(tried(trials_of(run_id)))) == len(trials_of(run_id))


def test_hopeless_trials_are_stopped(project: Path) -> None:
    file = space(project, "{x: [0.0, 0.1, 0.2, 0.25, 0.3, 1.0]}")
    outcome = sweep(str(project), space=file, trials=6, sampler="grid", prune=True, parameters={"pause": 0.1})
    assert (outcome.finished, outcome.pruned) == (5, 1)
    (pruned,) = [run for run in trials_of(outcome.run_id) if PRUNED_TAG in run.data.tags]
    assert (pruned.info.status, json.loads(pruned.data.tags[TRIAL_TAG])) == ("KILLED", {"x": 1.0})


def test_a_sweep_whose_trials_all_fail_ends(project: Path, script: Script) -> None:
    file = space(project, "{x: [0.75]}")
    answer = script(MAIN, "sweep", str(project), "--space", str(file), "--trials", "50")
    assert answer.returncode == 1
    assert "The first 3 trials failed" in answer.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("metric: loss", "needs parameters"),
        ("parameters: {x: [1]}", "needs a metric"),
        ("metric: loss\ngoal: best\nparameters: {x: [1]}", "goal is one of minimize, maximize"),
        ("metric: loss\nparameters: {x: 1}", "'x' is to be a list of choices"),
        ("metric: loss\nparameters: {x: {low: 1e-4, high: 1}}", "write 1.0e-4"),
        ("metric: loss\nparameters: {x: {low: 2, high: 1}}", "'x' cannot be"),
        ("metric: loss\nparameters: {y: [1]}", "needs x"),
        ("metric: loss\nparameters: {x: [1]}\ntrials: 3", "has the keys trials"),
    ],
)
def test_a_space_that_cannot_be(project: Path, text: str, complaint: str) -> None:
    file = project / "space.yaml"
    file.write_text(text)
    with refused("INVALID_PARAMETER_VALUE", re.escape(complaint)):
        sweep(str(project), space=file, trials=1)


def test_a_grid_needs_steps(project: Path) -> None:
    with refused("INVALID_PARAMETER_VALUE", "give the parameter 'x' a step"):
        sweep(str(project), space=space(project, "{x: {low: 0, high: 1.5}}"), trials=1, sampler="grid")


def test_a_dry_run_runs_nothing(project: Path, script: Script) -> None:
    file = space(project, "{x: {low: 0, high: 1, step: 0.5}}", "goal: maximize")
    words = ["--trials", "9", "--sampler", "grid", "--dry-run", "--experiment-name", "dry"]
    answer = script(MAIN, "sweep", str(project), "--space", str(file), *words)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        "3 trials, 1 at once, for a large loss",
        *(f"  python train.py {x} 0" for x in (0.0, 0.5, 1.0)),
    ]
    assert stepwell.MlflowClient().get_experiment_by_name("dry") is None
