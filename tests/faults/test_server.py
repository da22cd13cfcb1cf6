"""The server dies, stops and comes back; every point arrives, once."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.accounting import assert_exact, assert_receipt
from tests.faults.conftest import StartTraining
from tests.faults.syncing import sync
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess

SEED = 4
CALLS = 6_000
PACE = 1_500
# The end of a run does not wait for a server that has been away for longer.
END_PATIENCE_S = 5.0

End = Callable[[ServerProcess], object]


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.terminate])
def test_every_point_arrives_once_whatever_ends_the_server(
    end: End, database_url: str, start_training: StartTraining, tmp_path: Path
) -> None:
    with ExitStack() as servers:
        port = str(free_port())
        server = servers.enter_context(ServerProcess("--store", database_url, "--grpc-port", port))
        training = start_training(server.tracking_uri, "--pace", str(PACE), seed=SEED, calls=CALLS)
        for returned in (500, 2_000):
            training.wait_for_calls(returned)
            began = time.monotonic()
            end(server)
            server = servers.enter_context(ServerProcess("--store", database_url, "--grpc-port", port))
            away_s = time.monotonic() - began
        receipt = training.end()
        if receipt["waiting"] and away_s > END_PATIENCE_S:  # a busy machine: then a sync delivers what waits
            assert sync(tmp_path / "spool").exit_code == 0
            assert_exact(database_url, training)
        else:
            assert_exact(database_url, training)
            assert_receipt(receipt, training)


def test_a_second_server_takes_over_while_the_first_hangs(
    database_url: str, start_training: StartTraining, start_server: Callable[..., ServerProcess]
) -> None:
    """The old server commits what it still has, after the new one has told the client where it stands."""
    from signal import SIGCONT, SIGSTOP

    from tests.harness.network.proxy import Proxy

    first, second = start_server("--store", database_url), start_server("--store", database_url)
    with Proxy(first.port) as proxy:
        training = start_training(proxy.tracking_uri, "--pace", str(PACE), seed=SEED, calls=CALLS)
        training.wait_for_calls(500)
        first.signal(SIGSTOP)
        time.sleep(0.3)  # batches gather in the stopped server's sockets
        proxy.redirect(second.port)
        proxy.cut(reset=False)
        training.wait_for_calls(2_000)
        first.signal(SIGCONT)
        receipt = training.end()
    assert_exact(database_url, training)
    assert_receipt(receipt, training)
