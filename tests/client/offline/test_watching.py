"""Watching through the client, from real servers."""

import random
import threading
from collections.abc import Callable, Iterator

import pytest

import stepwell
from stepwell import StepwellClient, StepwellException, jitter
from stepwell.reading.watching import MetricNews
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess

WATCH_S = 60.0


def steps_until(news: Iterator[MetricNews], count: int) -> list[int]:
    """The steps of the next `count` points."""
    steps: list[int] = []
    for one in news:
        assert one.points is not None
        assert not one.restarted
        steps += one.points.steps.tolist()
        if len(steps) >= count:
            return steps
    raise AssertionError(f"only {len(steps)} of {count} points came")


def test_points_come_as_they_are_committed(
    shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    client = StepwellClient()
    run_id = client.create_run("0").info.run_id
    client.log_metric(run_id, "loss", 0.0, step=0)
    news = stepwell.watch(run_id, "loss", start="beginning", timeout_s=WATCH_S)
    assert steps_until(news, 1) == [0]
    for step in range(1, 4):
        client.log_metric(run_id, "loss", 0.5, step=step)
        client.log_metric(run_id, "other", 0.5, step=step)
        client.flush()
        assert steps_until(news, 1) == [step]
    assert list(stepwell.watch(run_id, timeout_s=0.2)) == []
    with pytest.raises(StepwellException, match="does not exist"):
        next(stepwell.watch("0" * 32))
    with pytest.raises(StepwellException, match="now, beginning"):
        stepwell.watch(run_id, start="then")


def test_a_watch_survives_its_server_and_moves_to_another(
    database_url: str, start_server: Callable[..., ServerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--store", database_url, "--grpc-port", str(free_port()))
    logging, watched = start_server("--store", database_url), start_server(*options)
    monkeypatch.setenv("STEPWELL_TRACKING_URI", logging.tracking_uri)
    client = StepwellClient()
    run_id = client.create_run("0").info.run_id
    news = stepwell.watch(
        run_id, "loss", start="beginning", timeout_s=WATCH_S, tracking_uri=watched.tracking_uri
    )
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(steps_until(news, 300)), daemon=True)
    reader.start()
    for step in range(300):
        client.log_metric(run_id, "loss", 0.5, step=step)
        if step % 20 == 0:
            client.flush()
        if step == 150:
            watched.kill()
            watched = start_server(*options)
    client.flush()
    reader.join(WATCH_S)
    assert sorted(found) == list(range(300))


def test_pauses_leave_the_random_numbers_of_the_script_as_they_are() -> None:
    random.seed(1)
    expected = [random.random() for _ in range(3)]
    random.seed(1)
    assert 0.5 <= jitter.between(0.5, 1.0) <= 1.0
    assert [random.random() for _ in range(3)] == expected
