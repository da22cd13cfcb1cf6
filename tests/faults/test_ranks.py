"""Several processes in one run, with faults: every rank's points arrive, once."""

from tests.faults.accounting import assert_exact
from tests.faults.conftest import StartTraining
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess

SEED = 6
CALLS = 2_000
PACE = 1_000
RANKS = 3


def test_ranks_in_one_run_through_a_broken_network(
    proxy: Proxy, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    first = start_training(proxy.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS)
    first.wait_for_calls(1)
    others = [
        start_training(
            proxy.tracking_uri,
            "--pace",
            str(PACE),
            seed=SEED,
            calls=CALLS,
            rank=rank,
            environment={"STEPWELL_RUN_ID": first.run_id, "RANK": str(rank)},
        )
        for rank in range(1, RANKS)
    ]
    for returned in (400, 800, 1_200):
        others[-1].wait_for_calls(returned)
        proxy.cut()
    for training in (*others, first):
        training.end()
    assert_exact(shared_server.store, first, *others)
