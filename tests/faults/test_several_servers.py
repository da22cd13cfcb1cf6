"""An address names several servers of one database: clients go on with another one, and every point is there once."""

from collections.abc import Callable
from contextlib import ExitStack
from uuid import UUID

import pytest

import stepwell
from stepwell.addresses import Address, parse_address
from stepwell.client import StepwellClient
from stepwell.errors import StepwellException
from stepwell.wire import several
from tests.faults.accounting import assert_exact, assert_receipt, committed, next_commit
from tests.faults.conftest import StartTraining
from tests.faults.training import CALLS_WITHOUT_END, Training
from tests.harness.network.names import serving_names
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.pgbouncer import running_pgbouncer

SEED = 23
PACE = 1_500
NAME = "several.stepwell.test"

AddressOf = Callable[[ServerProcess], str]


def together(servers: list[ServerProcess], address_of: AddressOf) -> str:
    """Return the one address of several servers."""
    first, *others = map(address_of, servers)
    return ",".join([first, *(each.partition("://")[2] for each in others)])


def of_run(
    training: Training, servers: list[ServerProcess], address_of: AddressOf = lambda it: it.tracking_uri
) -> ServerProcess:
    """Return the server that a training logs to first."""
    places = parse_address(together(servers, address_of)).places
    return servers[places.index(several.of_run(places, UUID(training.run_id)))]


@pytest.mark.parametrize(
    "address_of", [lambda it: it.tracking_uri, lambda it: it.url], ids=["their gRPC", "their HTTP"]
)
def test_every_point_arrives_once_at_whichever_server_is_left(
    address_of: AddressOf, database_url: str, start_training: StartTraining
) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(ServerProcess("--store", database_url)) for _ in range(2))
        training = start_training(
            together([first, second], address_of),
            *("--pace", str(PACE), "--wait"),
            seed=SEED,
            calls=CALLS_WITHOUT_END,
        )
        position = next_commit(database_url, 0)
        of_run(training, [first, second], address_of).kill()
        next_commit(database_url, position)
        receipt = training.end()
        assert_exact(database_url, training)
        assert_receipt(receipt, training)
        assert "is away" not in training.log


def test_a_server_without_its_database_is_left_for_another_one(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    with running_pgbouncer(database_url) as one, running_pgbouncer(database_url) as other:
        poolers = [one, other]
        servers = [start_server("--store", it.url(database_url), "--no-http") for it in poolers]
        training = start_training(
            together(servers, lambda it: it.tracking_uri),
            *("--pace", str(PACE), "--wait"),
            seed=SEED,
            calls=CALLS_WITHOUT_END,
        )
        next_commit(database_url, 0)
        # The server listens, and answers that it can do nothing.
        poolers[servers.index(of_run(training, servers))].kill()
        next_commit(database_url, committed(database_url))
        receipt = training.end()
    assert_exact(database_url, training)
    assert_receipt(receipt, training)


def test_a_name_with_several_addresses_leads_to_whichever_server_is_left(
    database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    addresses = ["127.0.0.1", "127.0.0.2"]
    port = str(free_port())
    first, second = (
        start_server("--store", database_url, "--no-http", "--host", it, "--grpc-port", port)
        for it in addresses
    )
    with serving_names(addresses) as dns_port:
        training = start_training(
            f"grpc://{NAME}:{port}",
            *("--name", NAME, "--addresses", *addresses, "--dns-port", str(dns_port)),
            *("--pace", str(PACE), "--wait"),
            seed=SEED,
            calls=CALLS_WITHOUT_END,
        )
        position = next_commit(database_url, 0)
        first.kill()
        position = next_commit(database_url, position)
        start_server("--store", database_url, "--no-http", "--host", addresses[0], "--grpc-port", port)
        second.kill()  # the training is at one of the two: now it has moved at least once
        next_commit(database_url, position)
        receipt = training.end()
    assert_exact(database_url, training)
    assert_receipt(receipt, training)


def test_a_process_logs_where_the_runs_of_its_shard_go(
    database_url: str, start_server: Callable[..., ServerProcess]
) -> None:
    servers = [start_server("--store", database_url, "--no-http") for _ in range(2)]
    uri = together(servers, lambda it: it.tracking_uri)
    places = parse_address(uri).places
    client = StepwellClient(uri)
    place = client_place(client)
    experiment_id = client.create_experiment("by shard")
    assert place() == places[0]
    elsewhere, here = (a_run_of(client, experiment_id, places, number) for number in (1, 0))
    stepwell.set_tracking_uri(uri)
    try:
        with stepwell.start_run(run_id=elsewhere):
            stepwell.log_metric("loss", 1.0)
            stepwell.flush()
            assert place() == places[1]
        with stepwell.start_run(run_id=here):  # nobody moves for the second run
            stepwell.log_metric("loss", 2.0)
            stepwell.flush()
            assert place() == places[1]
    finally:
        stepwell.set_tracking_uri(None)
    assert [client.get_run(it).data.metrics["loss"] for it in (elsewhere, here)] == [1.0, 2.0]


def a_run_of(client: StepwellClient, experiment_id: str, places: tuple[Address, ...], number: int) -> str:
    """Create runs until one belongs to that place."""
    while True:
        run_id: str = client.create_run(experiment_id).info.run_id
        if several.of_run(places, UUID(run_id)) == places[number]:
            return run_id


def test_calls_stay_with_the_server_that_answered_last(
    database_url: str, start_server: Callable[..., ServerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "5")
    first, second = (
        start_server("--store", database_url, "--no-http", "--grpc-port", str(free_port())) for _ in range(2)
    )
    client = StepwellClient(together([first, second], lambda it: it.tracking_uri))
    place = client_place(client)
    experiment_id = client.create_experiment("several")
    assert place().target == f"127.0.0.1:{first.port}"
    first.kill()
    assert client.get_experiment(experiment_id).name == "several"
    assert place().target == f"127.0.0.1:{second.port}"
    start_server("--store", database_url, "--no-http", "--grpc-port", str(first.port))
    for _ in range(3):
        client.get_experiment(experiment_id)
    assert place().target == f"127.0.0.1:{second.port}"
    second.terminate()
    assert client.get_experiment(experiment_id).name == "several"
    assert place().target == f"127.0.0.1:{first.port}"


def client_place(client: StepwellClient) -> Callable[[], Address]:
    """Return what tells where a client's calls go."""
    from stepwell.wire.connection import connect

    connection = connect(client.tracking_uri)
    return lambda: connection._place


def test_what_is_wrong_with_each_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.5")
    one, other = free_port(), free_port()
    stepwell.set_tracking_uri(f"grpc://127.0.0.1:{one},127.0.0.1:{other}")
    try:
        with pytest.raises(StepwellException) as caught:
            stepwell.search_runs(["0"])
    finally:
        stepwell.set_tracking_uri(None)
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    for port in (one, other):
        assert f"127.0.0.1:{port}: nothing listens there" in str(caught.value)
