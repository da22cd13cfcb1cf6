"""The network fails in every way that it has; every point arrives, once."""

import time
from collections.abc import Callable

import pytest

from tests.faults.accounting import assert_exact, assert_receipt, committed
from tests.faults.conftest import StartTraining
from tests.faults.patience import until
from tests.faults.training import CALLS_WITHOUT_END
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerProcess

SEED = 3
CALLS = 4_000
PACE = 2_000
# How many of the calls returned when the network fails.
FIRST_FAULT = 500
# As long as nothing is committed for so long, the client waits.
SILENCE_S = 0.4

Fault = Callable[[Proxy], None]


def cut(proxy: Proxy) -> None:
    """Five times, in the middle of whatever passes."""
    for number in range(5):
        proxy.cut(reset=number % 2 == 0)
        time.sleep(0.2)


def pause(proxy: Proxy) -> None:
    """Nothing passes for a while, then everything does."""
    proxy.pause()
    time.sleep(1)
    proxy.heal()


def pause_and_cut(proxy: Proxy) -> None:
    """What was under way when nothing passed never arrives."""
    proxy.pause()
    time.sleep(0.5)
    proxy.cut()
    proxy.heal()


def slow_down(proxy: Proxy) -> None:
    """A modem: less passes than is logged."""
    proxy.slow(20_000)
    time.sleep(2)
    proxy.heal()


def refuse(proxy: Proxy) -> None:
    """The server cannot be reached for a while."""
    proxy.refuse()
    time.sleep(1.5)
    proxy.heal()


def lose_batches(proxy: Proxy) -> None:
    """What is sent vanishes, and then the connection."""
    proxy.drop(Way.UP)
    time.sleep(0.5)
    proxy.heal()


FAULTS = [cut, pause, pause_and_cut, slow_down, refuse, lose_batches]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_point_arrives_once(
    fault: Fault, proxy: Proxy, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    training = start_training(proxy.tracking_uri, "--pace", str(PACE), seed=SEED, calls=CALLS)
    training.wait_for_calls(FIRST_FAULT)
    fault(proxy)
    receipt = training.end()
    assert training.record.calls == CALLS
    assert_exact(shared_server.store, training)
    assert_receipt(receipt, training)
    assert proxy.connections >= (1 if fault in (pause, slow_down) else 2)


def lose_acknowledgement(proxy: Proxy, store: str) -> None:
    """Batches arrive and are committed, and nobody hears of it; return when the next ones are committed."""
    proxy.hold(Way.DOWN)
    unheard = 0
    while unheard < (unheard := committed(store)):
        time.sleep(SILENCE_S)  # until the client waits for acknowledgements before it sends more
    proxy.cut()
    proxy.heal()
    until(lambda: committed(store) > unheard, "another commit")


def test_acknowledgements_that_are_lost_after_the_commit_double_nothing(
    proxy: Proxy, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    at_first = committed(shared_server.store)
    training = start_training(
        proxy.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS_WITHOUT_END
    )
    until(lambda: committed(shared_server.store) > at_first, "the first commit")
    for _ in range(3):
        lose_acknowledgement(proxy, shared_server.store)
    receipt = training.end()
    assert_exact(shared_server.store, training)
    assert_receipt(receipt, training)


def test_a_half_open_connection_is_noticed_and_left(
    proxy: Proxy, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    training = start_training(
        proxy.tracking_uri, "--keepalive-ms", "6000", "--pace", str(PACE), seed=SEED, calls=CALLS
    )
    training.wait_for_calls(FIRST_FAULT)
    proxy.abandon()  # the old connections never hear anything again; new ones work
    receipt = training.end()
    assert proxy.connections == 2
    assert_exact(shared_server.store, training)
    assert_receipt(receipt, training)
