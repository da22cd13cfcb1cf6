"""Going on with a run that is there: who ends it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import stepwell as mlflow

START = "import stepwell\nrun = stepwell.start_run({})\nstepwell.log_metric('loss', 1.0)\nstepwell.flush()\n"
GO_ON = "import sys, stepwell\nwith stepwell.start_run(run_id=sys.argv[1]{}):\n    stepwell.log_metric('loss', 2.0)\n"
TELL = "print(run.info.run_id, flush=True)\n"
WAIT = "sys.stdin.read()\n"
DIE = "os.kill(os.getpid(), 9)\n"


def status(run_id: str) -> str:
    return mlflow.get_run(run_id).info.status


@contextmanager
def living(folder: Path, arguments: str = "") -> Iterator[str]:
    """A process that works on a run of its own until the context ends, and then ends it; yields the run's id."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + START.format(arguments) + TELL + WAIT],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stdout.close()


def killed(script) -> str:
    """A run whose process was killed in the midst of it."""
    answer = script("import os\n" + START.format("") + TELL + DIE)
    run_id: str = answer.stdout.strip()
    assert status(run_id) == "RUNNING"
    return run_id


def test_a_run_that_a_client_created_ends_with_who_works_on_it(tracking_uri: str) -> None:
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_param(run_id, "of", "the client")  # by this process, through a log of its own
    with mlflow.start_run(run_id=run_id):
        assert status(run_id) == "RUNNING"
    assert status(run_id) == "FINISHED"
    failing = client.create_run("0").info.run_id
    with pytest.raises(ZeroDivisionError), mlflow.start_run(run_id=failing):
        _ = 1 / 0
    assert status(failing) == "FAILED"


def test_a_run_that_the_environment_names_ends_with_who_works_on_it(script) -> None:
    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    done = script("import stepwell\nwith stepwell.start_run():\n    pass\n", MLFLOW_RUN_ID=run_id)
    assert done.returncode == 0, done.stderr
    assert status(run_id) == "FINISHED"


def test_who_goes_on_after_a_crash_ends_the_run(script) -> None:
    run_id = killed(script)
    assert script(GO_ON.format(""), run_id).returncode == 0
    assert status(run_id) == "FINISHED"


def test_a_process_that_lives_goes_on_after_others_left(script, tmp_path: Path) -> None:
    with living(tmp_path) as run_id:
        assert script(GO_ON.format(""), run_id).returncode == 0
        assert status(run_id) == "RUNNING"
    assert status(run_id) == "FINISHED"


def test_rank_0_ends_a_run_that_other_ranks_resumed_with_it(script, tmp_path: Path) -> None:
    with living(tmp_path, "rank=1") as run_id:
        assert script(GO_ON.format(", rank=2"), run_id).returncode == 0
        assert status(run_id) == "RUNNING"
        assert script(GO_ON.format(", rank=0"), run_id).returncode == 0
        assert status(run_id) == "FINISHED"


def test_a_process_below_rank_0_leaves_the_run_to_it(script, tmp_path: Path) -> None:
    with living(tmp_path, "rank=0") as run_id:
        assert script(GO_ON.format(", rank=0"), run_id).returncode == 0
        assert status(run_id) == "RUNNING"
