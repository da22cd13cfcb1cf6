"""The server dies, stops and comes back; every point arrives, once."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.faults.accounting import assert_exact, assert_receipt
from tests.faults.conftest import StartTraining
from tests.harness.processes import ServerProcess

SEED = 4
CALLS = 6_000
PACE = 1_500

End = Callable[[ServerProcess], object]


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.terminate])
def test_every_point_arrives_once_whatever_ends_the_server(
    end: End, database_url: str, start_training: StartTraining
) -> None:
    with ExitStack() as servers:
        server = servers.enter_context(ServerProcess("--store", database_url))
        port = str(server.port)
        training = start_training(server.tracking_uri, "--pace", str(PACE), seed=SEED, calls=CALLS)
        for returned in (500, 2_000):
            training.wait_for_calls(returned)
            end(server)
            server = servers.enter_context(ServerProcess("--store", database_url, "--port", port))
        receipt = training.end()
        assert_exact(database_url, training)
        assert_receipt(receipt, training)


def test_a_second_server_takes_over_while_the_first_hangs(
    database_url: str, start_training: StartTraining, start_server: Callable[..., ServerProcess]
) -> None:
    """The old server commits what it still has, after the new one has told the client where it stands."""
    from signal import SIGCONT, SIGSTOP

    from tests.harness.proxy import Proxy

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
