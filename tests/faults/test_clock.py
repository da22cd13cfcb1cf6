"""The clock of the training's machine is set back in the middle of a run; every point arrives, once."""

from tests.faults.accounting import assert_exact, assert_receipt, rows
from tests.faults.conftest import StartTraining
from tests.harness.processes import ServerProcess

SEED = 7
CALLS = 3_000
DAY_MS = 86_400_000


def test_a_clock_that_is_set_back_loses_and_doubles_nothing(
    shared_server: ServerProcess, start_training: StartTraining
) -> None:
    training = start_training(
        shared_server.tracking_uri, "--clock-back-at", str(CALLS // 2), seed=SEED, calls=CALLS
    )
    receipt = training.end()
    assert_exact(shared_server.store, training)
    assert_receipt(receipt, training)
    query = "SELECT max(timestamp_ms) - min(timestamp_ms) FROM metric_points WHERE run_id = $1"
    assert rows(shared_server.store, query, training.run_id)[0][0] > DAY_MS - 60_000
