"""Clocks are set back in the middle of a run: the training's, and the database's; every point arrives, once."""

from collections.abc import Callable
from random import Random

from stepwell_server.model.runs import RunStatus
from tests.faults.accounting import assert_exact, assert_receipt, next_commit, rows
from tests.faults.clocks import DAY_MS, set_database_clock_back
from tests.faults.conftest import StartTraining
from tests.harness.servers.processes import ServerProcess

SEED = 7
CALLS = 3_000
PACE = 1_500
TIMES_BACK = 5


def test_a_clock_that_is_set_back_again_and_again_loses_and_doubles_nothing(
    shared_server: ServerProcess, start_training: StartTraining
) -> None:
    moments = [str(moment) for moment in sorted(Random(SEED).sample(range(1, CALLS), TIMES_BACK))]
    training = start_training(shared_server.tracking_uri, "--clock-back-at", *moments, seed=SEED, calls=CALLS)
    receipt = training.end()
    assert_exact(shared_server.store, training)
    assert_receipt(receipt, training)
    query = "SELECT max(timestamp_ms) - min(timestamp_ms) FROM metric_points WHERE run_id = $1"
    assert rows(shared_server.store, query, training.run_id)[0][0] > TIMES_BACK * DAY_MS - 60_000


def test_a_clock_that_is_set_back_under_the_server_loses_and_doubles_nothing(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    server = start_server("--store", database_url, "--lost-after", "2")
    training = start_training(server.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=20_000)
    position = 0
    for _ in range(TIMES_BACK):
        position = next_commit(database_url, position)
        set_database_clock_back(database_url, DAY_MS)
    next_commit(database_url, position)
    receipt = training.end()
    assert_exact(database_url, training)
    assert_receipt(receipt, training)
    status = rows(database_url, "SELECT status FROM run WHERE run_id = $1", training.run_id)
    assert status == [(RunStatus.FINISHED,)]
