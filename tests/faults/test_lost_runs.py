"""A training process that is killed leaves a run behind; the server ends it, and a successor takes it back."""

from collections.abc import Callable

from stepwell_server.model import LOST_TAG, RunStatus
from tests.faults.accounting import rows
from tests.faults.conftest import StartTraining
from tests.faults.patience import until
from tests.harness.processes import ServerProcess

SEED = 8
QUERY = (
    "SELECT status, (SELECT value FROM tag WHERE run_id = run.run_id AND key = $2) FROM run WHERE run_id = $1"
)


def test_a_killed_training_ends_its_run_and_the_next_one_takes_it_back(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    server = start_server("--store", database_url, "--lost-after", "1")

    def state(run_id: str) -> tuple[RunStatus, str | None]:
        ((status, reason),) = rows(database_url, QUERY, run_id, LOST_TAG)
        return RunStatus(status), reason

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
