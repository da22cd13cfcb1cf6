"""Servers behind PgBouncer in transaction mode: the life of a run, and every point once whatever is killed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import stepwell
from stepwell.client import StepwellClient
from tests.faults.accounting import assert_exact, assert_receipt, next_commit
from tests.faults.conftest import StartTraining
from tests.faults.training import CALLS_WITHOUT_END
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess, stepwell_command
from tests.harness.store.pgbouncer import PgBouncer, running_pgbouncer

SEED = 22
PACE = 1_500


@pytest.fixture
def pgbouncer(database_url: str) -> Iterator[PgBouncer]:
    with running_pgbouncer(database_url) as pooler:
        yield pooler


def test_a_run_lives_with_two_servers_behind_a_pooler(
    pgbouncer: PgBouncer,
    database_url: str,
    start_server: Callable[..., ServerProcess],
    tmp_path: Path,
) -> None:
    store = pgbouncer.url(database_url)
    # One hears at once of what the other commits, the other one looks.
    first = start_server("--store", store, "--data", str(tmp_path / "data"))
    second = start_server("--store", store, "--listen-store", database_url, "--data", str(tmp_path / "data"))
    stepwell.set_tracking_uri(first.tracking_uri)
    try:
        with stepwell.start_run(run_name="pooled") as run:
            run_id = run.info.run_id
            stepwell.log_params({"depth": 3, "rate": 0.1})
            for step in range(200):
                stepwell.log_metrics({"loss": 1 / (step + 1), "accuracy": step / 200}, step=step)
            stepwell.log_text("what it was about", "notes/about.txt")
            stepwell.flush()
            for server in (first, second):
                assert watched(server.tracking_uri, run_id, 200) == list(range(200))
    finally:
        stepwell.set_tracking_uri(None)
    done = json.loads(stepwell_command("compaction", "run", "--json", "--store", store))
    assert done["merged_points"] > 0
    for server in (first, second):
        client = StepwellClient(server.tracking_uri)
        assert [point.step for point in client.get_metric_history(run_id, "loss")] == list(range(200))
        (found,) = client.search_runs(["0"], "metrics.accuracy > 0.9 and params.depth = '3'")
        assert (found.info.run_id, found.info.status) == (run_id, "FINISHED")
        assert Path(client.download_artifacts(run_id, "notes/about.txt", str(tmp_path))).read_text()
        client.set_tag(run_id, "seen by", server.tracking_uri)
        client.delete_run(run_id)
        client.restore_run(run_id)


def watched(uri: str, run_id: str, points: int) -> list[int]:
    """Watch the loss from the beginning until so many points have come; returns their steps."""
    steps: list[int] = []
    for news in stepwell.watch(run_id, "loss", start="beginning", tracking_uri=uri):
        steps += news.points.steps.tolist()
        if len(steps) >= points:
            break
    return steps


def test_every_point_arrives_once_whatever_is_killed(
    pgbouncer: PgBouncer, database_url: str, start_training: StartTraining
) -> None:
    store = pgbouncer.url(database_url)
    with ExitStack() as servers:
        port = str(free_port())
        server = servers.enter_context(ServerProcess("--store", store, "--grpc-port", port))
        training = start_training(
            server.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS_WITHOUT_END
        )
        position = next_commit(database_url, 0)
        pgbouncer.kill()
        pgbouncer.start()
        position = next_commit(database_url, position)
        server.kill()
        servers.enter_context(ServerProcess("--store", store, "--grpc-port", port))
        next_commit(database_url, position)
        receipt = training.end()
        assert_exact(database_url, training)
        assert_receipt(receipt, training)
