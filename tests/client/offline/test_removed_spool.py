"""Somebody removes the spool while a run is logged: what is lost is told and counted, and the rest is logged."""

import shutil
from pathlib import Path

import pytest

import stepwell
from stepwell.spool.segment import SEGMENT_RECORDS_MAX


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


def test_the_end_of_the_run_is_logged(
    spool: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with stepwell.start_run() as run:
        stepwell.log_metric("before", 1.0)
        stepwell.flush()
        shutil.rmtree(spool)
        stepwell.log_metric("lost", 1.0)
    found = stepwell.get_run(run.info.run_id)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"before": 1.0})
    assert "Somebody has removed the spool" in caplog.text
    assert "1 entries that were not delivered are lost" in caplog.text


def test_log_calls_go_on_in_another_spool(spool: Path, tracking_uri: str) -> None:
    points = 4 * SEGMENT_RECORDS_MAX
    run = stepwell.start_run()
    stepwell.log_metric("loss", 0.0, step=0)
    stepwell.flush()
    shutil.rmtree(spool)
    for step in range(1, points):
        stepwell.log_metric("loss", 0.0, step=step)
    receipt = stepwell.end_run()
    assert receipt is not None
    assert receipt.damaged > 0
    assert not receipt.complete
    history = stepwell.get_metric_history(run.info.run_id, "loss")
    assert history[-1].step == points - 1
    assert len(history) + receipt.damaged >= points
    assert stepwell.get_run(run.info.run_id).info.status == "FINISHED"


def test_reads_and_flushes_do_not_wait_for_what_is_lost(spool: Path, tracking_uri: str) -> None:
    with stepwell.start_run() as run:
        stepwell.log_metric("before", 1.0)
        stepwell.flush()
        shutil.rmtree(spool)
        stepwell.log_metric("lost", 1.0)
        assert run.writer.flush(50.0).damaged == 1
        stepwell.log_param("after", 1)
        assert stepwell.get_run(run.info.run_id).data.params == {"after": "1"}
