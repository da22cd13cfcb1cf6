"""A training process that is killed leaves a run behind; the server ends it, and a successor takes it back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stepwell_server.model.runs import LOST_TAG, RunStatus
from tests.faults.accounting import assert_exact, rows
from tests.faults.conftest import StartTraining
from tests.faults.patience import until
from tests.harness.servers.processes import ServerProcess

SEED = 8
QUERY = (
    "SELECT status, (SELECT value FROM tag WHERE run_id = run.run_id AND key = $2) FROM run WHERE run_id = $1"
)


State = tuple[RunStatus, str | None]


def state_of(store: str, run_id: str) -> State:
    """How a run stands, and why it is lost, if it is."""
    ((status, reason),) = rows(store, QUERY, run_id, LOST_TAG)
    return RunStatus(status), reason


def test_a_run_that_never_logged_anything_is_noticed_too(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    server = start_server("--store", database_url, "--lost-after", "1")
    silent = start_training(server.tracking_uri, "--wait", seed=SEED, calls=0)
    silent.wait_for_calls(0)
    until(lambda: rows(database_url, "SELECT 1 FROM writer_lease"), "the stream of the silent run")
    assert state_of(database_url, silent.run_id) == (RunStatus.RUNNING, None)
    silent.kill()
    until(lambda: state_of(database_url, silent.run_id)[0] is RunStatus.FAILED, "the end of the run")


def test_a_run_whose_process_dies_before_it_opens_its_stream_is_noticed_too(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start_server("--store", database_url, "--lost-after", "1")
    script = (
        "import os, signal, stepwell\n"
        "from stepwell.delivery.writer import RunWriter\n"
        "RunWriter.log = lambda self, **how: os.kill(os.getpid(), signal.SIGKILL)\n"
        "stepwell.start_run()\n"
    )
    environment = {**os.environ, "STEPWELL_TRACKING_URI": server.tracking_uri}
    died = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    ((run_id,),) = rows(database_url, "SELECT run_id FROM run")
    until(lambda: state_of(database_url, run_id)[0] is RunStatus.FAILED, "the end of the run")


def test_a_rank_that_leaves_is_not_missed_and_the_last_one_is(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    server = start_server("--store", database_url, "--lost-after", "1")
    first = start_training(server.tracking_uri, "--wait", seed=SEED, calls=10)
    first.wait_for_calls(10)
    second = start_training(
        server.tracking_uri,
        "--leave",
        "--wait",
        seed=SEED,
        calls=10,
        rank=1,
        environment={"STEPWELL_RUN_ID": first.run_id, "RANK": "1"},
    )
    second.wait_for_calls(10)
    second.end()
    time.sleep(3)  # longer than a lost writer is waited for
    assert state_of(database_url, first.run_id) == (RunStatus.RUNNING, None)
    first.kill()
    until(lambda: state_of(database_url, first.run_id)[0] is RunStatus.FAILED, "the end of the run")
    assert_exact(database_url, first, second)


def test_a_killed_training_ends_its_run_and_the_next_one_takes_it_back(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    server = start_server("--store", database_url, "--lost-after", "1")

    def state(run_id: str) -> State:
        return state_of(database_url, run_id)

    killed = start_training(server.tracking_uri, "--pace", "1000", seed=SEED, calls=10_000)
    killed.wait_for_calls(1_500)
    assert state(killed.run_id) == (RunStatus.RUNNING, None)
    killed.kill()
    until(lambda: state(killed.run_id)[0] is RunStatus.FAILED, "the end of the run")
    assert f"process {killed.process.pid} on " in str(state(killed.run_id)[1])

    successor = start_training(
        server.tracking_uri, "--wait", seed=SEED, calls=10, environment={"STEPWELL_RUN_ID": killed.run_id}
    )
    successor.wait_for_calls(10)
    until(lambda: state(killed.run_id) == (RunStatus.RUNNING, None), "the return of the run")
    successor.end()
    assert state(killed.run_id)[0] is RunStatus.FINISHED
