"""What waits is waited for or told: reads are never silently less; alarms are never false."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import stepwell as mlflow
from stepwell.delivery import offline, progress, shipper
from stepwell.delivery.writer import writer_for
from stepwell.wire.calls import Calls
from tests.client.conftest import Script
from tests.harness.client_errors import refused
from tests.harness.network.ports import free_port
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    yield tmp_path / "spool"
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture
def absent(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A server that nobody reaches until it is healed; the process logs to it."""
    with Proxy(shared_server.port) as proxy:
        proxy.refuse()
        monkeypatch.setenv("STEPWELL_TRACKING_URI", proxy.tracking_uri)
        monkeypatch.setattr(shipper, "BACKOFF_MAX_S", 3_600.0)  # who does not hurry comes far too late
        monkeypatch.setattr(shipper, "BACKOFF_FIRST_S", 3_600.0)
        yield proxy


def stored_points(run_id: str) -> int:
    """How many points the server has, whatever waits here."""
    return Calls(mlflow.get_tracking_uri()).get_run(run_id).data.latest_points["loss"].step + 1


READS = {
    "history": lambda run_id: len(mlflow.get_metric_history(run_id, "loss")),
    "series": lambda run_id: len(mlflow.get_metric_series(run_id, "loss")[0].steps),
    "run": lambda run_id: mlflow.get_run(run_id).data.latest_points["loss"].step + 1,
    "flush": lambda run_id: (mlflow.flush(), stored_points(run_id))[1],
}


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("read", READS)
def test_a_read_after_the_server_came_back_sees_all_that_was_logged(
    read: str, ended: bool, absent: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "UNREACHABLE_PATIENCE_S", 0.0)
    monkeypatch.setattr(offline, "REACH_TIMEOUT_S", 0.2)  # nobody is there
    run = mlflow.start_run()
    for step in range(3_000):
        mlflow.log_metric("loss", step, step=step)
    mlflow.log_param("p", 1)
    if ended:
        mlflow.end_run()
    absent.heal()
    assert READS[read](run.info.run_id) == 3_000
    mlflow.end_run()  # while the server is there


def test_who_waits_for_a_write_waits_for_the_log_that_it_went_to(absent: Proxy) -> None:
    writer = writer_for(mlflow.get_tracking_uri(), "0" * 32)
    writer.log_tags({"stage": "begun"})
    writer.rest()  # as another thread lets it, at the limit of open logs
    with refused("TEMPORARILY_UNAVAILABLE"):
        writer.pending("stage").wait(0.1)


def test_a_read_that_cannot_have_all_says_how_much_waits(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 1)
        mlflow.flush()
        monkeypatch.setenv("STEPWELL_FLUSH_TIMEOUT_S", "0")
        for step in range(1, 100):
            mlflow.log_metric("loss", 1, step=step)
        with refused("TEMPORARILY_UNAVAILABLE", r"99 entries .* not stored yet"):
            mlflow.get_metric_history(run.info.run_id, "loss")
        mlflow.log_metric("loss", 1, step=100)
        assert not mlflow.flush().complete
        assert "not stored yet" in caplog.text
        monkeypatch.delenv("STEPWELL_FLUSH_TIMEOUT_S")
        assert len(mlflow.get_metric_history(run.info.run_id, "loss")) == 101


def test_threads_that_join_a_run_and_leave_it_raise_no_alarm(
    tracking_uri: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    incomplete = []
    with mlflow.start_run() as run:

        def work(number: int) -> None:
            mlflow.start_run(run_id=run.info.run_id)
            for k in range(5):
                mlflow.log_metric("m", number, step=number * 5 + k)
            joined = mlflow.active_run()
            assert joined is not None
            joined.__exit__(None, None, None)
            if not joined.writer.flush().complete:
                incomplete.append(number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(100)))
        # One log for all of them.
        assert len(list(spool.glob("*/writer.json"))) == 1
    assert len(mlflow.get_metric_history(run.info.run_id, "m")) == 500
    alarms = [record.getMessage() for record in caplog.records if run.info.run_id in record.getMessage()]
    assert (incomplete, alarms) == ([], [])
    assert mlflow.get_run(run.info.run_id).info.status == "FINISHED"


def sync(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "sync", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_syncs_that_meet_raise_no_alarm(script: Script, spool: Path) -> None:
    for _ in range(4):
        answer = script(
            "import stepwell\n"
            "with stepwell.start_run():\n"
            "    for step in range(50_000): stepwell.log_metric('m', step, step=step)\n",
            STEPWELL_MODE="offline",
        )
        assert answer.returncode == 0, answer.stderr
    meeting = [sync(str(spool)) for _ in range(3)]
    said = [process.communicate(timeout=60) for process in meeting]
    assert [process.returncode for process in meeting] == [0, 0, 0], said
    assert not any("away" in text for texts in said for text in texts), said


def test_a_sync_without_a_server_says_what_helps_its_user(script: Script, spool: Path) -> None:
    nobody = f"grpc://127.0.0.1:{free_port()}"
    script(
        "import stepwell\nwith stepwell.start_run(): stepwell.log_metric('m', 1)\n",
        STEPWELL_MODE="offline",
        STEPWELL_TRACKING_URI=nobody,
    )
    output, errors = sync(str(spool), "--to", nobody).communicate(timeout=60)
    assert "cannot be reached; --to" in output
    assert "stepwell sync" not in errors


def test_the_end_says_how_long_it_waited(script: Script) -> None:
    answer = script(
        "import stepwell\nrun = stepwell.start_run()\nstepwell.log_metric('m', 1)\nraise KeyboardInterrupt\n",
        STEPWELL_TRACKING_URI=f"grpc://127.0.0.1:{free_port()}",
    )
    assert "could not be delivered (no server answers; waited " in answer.stderr
    assert "waited for up to" not in answer.stderr


def test_the_run_id_of_the_environment_is_for_the_first_run_that_names_none(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with mlflow.start_run(run_name="parent") as parent:
        parent_id = parent.info.run_id
        monkeypatch.setenv("MLFLOW_RUN_ID", parent_id)
        with mlflow.start_run(run_name="child", nested=True) as child:
            assert child.info.run_id != parent_id
            assert child.data.tags["mlflow.parentRunId"] == parent_id
    with mlflow.start_run(run_name="child", parent_run_id=parent_id) as child:
        assert child.info.run_id != parent_id
        assert (child.info.run_name, child.data.tags["mlflow.parentRunId"]) == ("child", parent_id)
    with refused("INVALID_PARAMETER_VALUE", "has no parent"):
        mlflow.start_run(run_id=parent_id, parent_run_id=child.info.run_id)
    assert os.environ["MLFLOW_RUN_ID"] == parent_id
    with mlflow.start_run(run_name="other") as resumed:
        assert resumed.info.run_id == parent_id
    assert "goes on under its name 'parent'" in caplog.text
    with mlflow.start_run(run_id=child.info.run_id, parent_run_id=parent_id) as again:
        assert again.info.run_id == child.info.run_id


def test_texts_and_truth_are_numbers_if_float_says_so(tracking_uri: str) -> None:
    with mlflow.start_run() as run:
        for value in ("0.5", True, 0.25):
            mlflow.log_metric("s", value)  # type: ignore[arg-type]
        mlflow.log_metrics({"s": "1e3"})  # type: ignore[dict-item]
        mlflow.log_series("s", [True, False])
        with refused("INVALID_PARAMETER_VALUE", "'s'.*'fast'"):
            mlflow.log_metric("s", "fast")  # type: ignore[arg-type]
    history = mlflow.get_metric_history(run.info.run_id, "s")
    assert sorted(point.value for point in history) == [0.0, 0.25, 0.5, 1.0, 1.0, 1000.0]


def test_who_logs_to_a_run_that_was_deleted_here_hears_it_at_the_call(tracking_uri: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
        mlflow.delete_run(run.info.run_id)
        for call in (
            lambda: mlflow.log_metric("m", 2),
            lambda: mlflow.log_metrics({"m": 2}),
            lambda: mlflow.log_param("p", 1),
            lambda: mlflow.set_tag("t", 1),
            lambda: mlflow.log_series("m", [1]),
        ):
            with refused("INVALID_STATE", "is deleted"):
                call()
        mlflow.restore_run(run.info.run_id)
        mlflow.log_metric("m", 3)
    assert [point.value for point in mlflow.get_metric_history(run.info.run_id, "m")] == [1, 3]


def test_who_logs_to_a_run_that_somebody_deleted_hears_it_soon_and_it_is_counted(
    tracking_uri: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mlflow.health().rejected
    change = "import sys, stepwell; getattr(stepwell, sys.argv[1])(sys.argv[2])"
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
        mlflow.flush()
        assert script(change, "delete_run", run.info.run_id).returncode == 0
        mlflow.log_metric("m", 2)  # nobody here can know it
        assert run.writer.flush().rejected == 1
        with refused("INVALID_STATE", "is deleted"):
            mlflow.log_metric("m", 3)
        assert script(change, "restore_run", run.info.run_id).returncode == 0
        deadline = time.monotonic() + 30
        while True:
            try:
                mlflow.log_metric("m", 4)
                break
            except mlflow.StepwellException:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    assert [point.value for point in mlflow.get_metric_history(run.info.run_id, "m")] == [1, 4]
    assert mlflow.health().rejected - before == 1
