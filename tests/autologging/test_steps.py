"""Steps of a training: kept, or safe at once, and delivered together, as long as nothing else is logged."""

import itertools
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import stepwell
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.options import Options
from stepwell.delivery import kept, writer_log
from tests.autologging.logged import points_of, runs_of
from tests.autologging.test_worker_processes import run_script
from tests.harness.network.faults import until
from tests.harness.servers.processes import ServerProcess

KILLED = """
import os, signal, time
import stepwell
from stepwell.autologging import calls
from stepwell.autologging.options import Options

with stepwell.start_run():
    call = calls.LoggedCall("keras", Options())
    for step in range(20):
        time.sleep(0.011)
        call.log_step({"loss": 0.5}, step)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_no_step_that_is_not_quick(
    tmp_path: Path, shared_server: ServerProcess, experiment: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="SIGKILL"):
        run_script(tmp_path, shared_server, experiment, KILLED)
    sync = ("-m", "stepwell", "sync", tmp_path / "spool", "--to", shared_server.tracking_uri)
    subprocess.run([sys.executable, *sync], check=True, timeout=100)
    (run,) = runs_of(experiment)
    assert points_of(run.info.run_id, "loss") == [(step, 0.5) for step in range(20)]


ENDS = """
import atexit, sys, time
import stepwell
from stepwell.autologging import calls
from stepwell.autologging.options import Options
from stepwell.delivery import kept

kept.QUICK_STEP_NS = 2**62
stepwell.start_run()
atexit.register(time.sleep, 3 * kept.KEPT_S)  # before what the run does at the end
sys.stderr = open("told", "w")
call = calls.LoggedCall("keras", Options())
for step in range(20):
    call.log_step({"loss": 0.5}, step)
"""


def test_steps_that_are_kept_at_the_end_of_a_process_are_written(
    tmp_path: Path, shared_server: ServerProcess, experiment: str
) -> None:
    run_script(tmp_path, shared_server, experiment, ENDS)
    assert "Traceback" not in (tmp_path / "told").read_text()
    (run,) = runs_of(experiment)
    assert points_of(run.info.run_id, "loss") == [(step, 0.5) for step in range(20)]


@pytest.fixture
def call(experiment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoggedCall]:
    """A call none of whose steps is quick, and whose steps wait for others for an hour."""
    monkeypatch.setattr(kept, "QUICK_STEP_NS", 0)
    monkeypatch.setattr(writer_log, "STEPS_LINGER_S", 3_600.0)
    with stepwell.start_run():
        yield LoggedCall("keras", Options())


def test_steps_alone_are_delivered_together(call: LoggedCall) -> None:
    log, steps = call.writer.log(), itertools.count()

    def wait_for_others() -> bool:
        position = log.delivery.position
        for step in itertools.islice(steps, 100):
            call.log_step({"loss": 0.5}, step)
            time.sleep(0.01)
        return 0 < position == log.delivery.position <= log.spool.end_position() - 100

    until(wait_for_others)
    assert stepwell.flush().waiting == 0
    assert points_of(call.run_id, "loss") == [(step, 0.5) for step in range(next(steps))]


def test_of_steps_that_are_kept_what_is_no_number_is_told_once_and_holds_up_no_other(
    call: LoggedCall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept, "QUICK_STEP_NS", 2**62)
    monkeypatch.setattr(kept, "KEPT_S", 3_600.0)

    class Broken:
        def tolist(self) -> list[float]:
            raise RuntimeError("the device is gone")

    for step in range(2):
        call.log_step({"loss": 0.5, "odd": "none"}, step)
        call.log_step({f"new {step}": 1.5}, step)
        call.log_waiting_step(("loss",), Broken(), step)
    call.log_step({"a name with\nlines": 2.5}, 2)
    call.log_step({"loss": 0.5}, 2)
    assert not caplog.text
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        assert stepwell.flush().waiting == 0
    told = ("the metric 'odd' is no number", "the device is gone", "a name with")
    assert [caplog.text.count(it) for it in told] == [1, 1, 1]
    assert call.has_failed
    assert points_of(call.run_id, "loss") == [(0, 0.5), (1, 0.5), (2, 0.5)]
    assert [points_of(call.run_id, f"new {step}") for step in range(2)] == [[(0, 1.5)], [(1, 1.5)]]


def test_they_are_not_while_a_user_logs_beside_them(call: LoggedCall) -> None:
    log, steps = call.writer.log(), itertools.count()

    def log_both() -> bool:
        step = next(steps)
        call.log_step({"loss": 0.5}, step)
        stepwell.log_metric("own", 0.5, step=step)
        return log.delivery.position > position

    for _ in range(3):
        position = log.spool.end_position()
        until(log_both)


def test_steps_of_a_run_that_was_deleted_are_told(call: LoggedCall, caplog: pytest.LogCaptureFixture) -> None:
    call.log_step({"loss": 0.5}, 0)
    stepwell.delete_run(call.run_id)
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        call.log_step({"loss": 0.5}, 1)
        assert f"Run {call.run_id} is deleted" in caplog.text
    stepwell.restore_run(call.run_id)
