"""What the client and the server refuse, where it is told, and that nothing else is lost."""

import logging
import uuid

import pytest
from click.testing import CliRunner

import stepwell as mlflow
from stepwell import MlflowClient, MlflowException
from stepwell.commands.runs import runs
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")

NO_RUN = "0" * 32


def test_bad_values_at_the_call() -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("x", 1)
        with refused("INVALID_PARAMETER_VALUE", "'x'.*must be a number"):
            mlflow.log_metric("x", "much")
        with refused("INVALID_PARAMETER_VALUE", "must be a number"):
            mlflow.log_metric("x", b"1")
        with refused("INVALID_PARAMETER_VALUE", "Metric name"):
            mlflow.log_metric("a//b", 1)
        with refused("INVALID_PARAMETER_VALUE", "Metric name"):
            mlflow.log_metric(["x"], 1)
        with refused("INVALID_PARAMETER_VALUE", "64-bit|integer from"):
            mlflow.log_metric("x", 1.0, step=2**63)
        with refused("INVALID_PARAMETER_VALUE", "timestamp"):
            mlflow.log_metric("x", 1, timestamp=-1)
        with refused("INVALID_PARAMETER_VALUE"):
            mlflow.log_metrics({"y": 1, "x": "much"})
        mlflow.log_metrics({"y": 1.0, "x": 1.0})
        with refused("INVALID_PARAMETER_VALUE", "'x'.*must be a number"):
            mlflow.log_metrics({"y": 3.0, "x": "much"}, step=1)
        with refused("INVALID_PARAMETER_VALUE", "'y': the step must be an integer"):
            mlflow.log_metrics({"y": 3.0, "x": 3.0}, step="late")
        for log, what in (
            (mlflow.log_metrics, "metrics"),
            (mlflow.log_params, "params"),
            (mlflow.set_tags, "tags"),
        ):
            for given in (["x"], None, "x"):
                with refused("INVALID_PARAMETER_VALUE", f"{what} must be a dictionary"):
                    log(given)
        with refused("INVALID_PARAMETER_VALUE", "Param name"):
            mlflow.log_params({"good": 1, "bad?": 2})
        with refused("INVALID_PARAMETER_VALUE", "Tag name"):
            mlflow.set_tag("", 1)
        mlflow.log_metric("x", 2, step=1)
    read = mlflow.get_run(run.info.run_id)
    assert (read.data.metrics, read.data.params) == ({"x": 2, "y": 1}, {})


def test_a_param_that_this_process_knows() -> None:
    with mlflow.start_run() as run:
        mlflow.log_param("rate", 0.1)
        mlflow.log_param("rate", "0.1")
        with refused("INVALID_PARAMETER_VALUE", "written once"):
            mlflow.log_param("rate", 0.2)
        with refused("INVALID_PARAMETER_VALUE", "twice in one batch"):
            MlflowClient().log_batch(run.info.run_id, params=[mlflow.Param("p", "1"), mlflow.Param("p", "2")])
    assert mlflow.get_run(run.info.run_id).data.params == {"rate": "0.1"}


def test_a_param_that_only_the_server_knows(caplog: pytest.LogCaptureFixture, script) -> None:
    run = MlflowClient().create_run("0")
    text = f"import stepwell; stepwell.MlflowClient().log_param('{run.info.run_id}', 'rate', 1)"
    assert script(text).returncode == 0
    mlflow.start_run(run.info.run_id)
    mlflow.log_param("rate", 2)
    mlflow.log_metric("x", 1)
    receipt = mlflow.end_run()
    assert (receipt.rejected, receipt.committed, receipt.waiting) == (1, 2, 0)
    assert [(each.key, each.error_code) for each in receipt.rejections] == [
        ("rate", "INVALID_PARAMETER_VALUE")
    ]
    assert any(
        "rate" in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    )
    read = mlflow.get_run(run.info.run_id)
    assert (read.data.params, read.data.metrics) == ({"rate": "1"}, {"x": 1})
    (refusal,) = MlflowClient().get_refusals(run.info.run_id)
    assert (refusal.key, refusal.count, refusal.error_code) == ("rate", 1, "INVALID_PARAMETER_VALUE")
    assert "written once" in refusal.reason
    shown = CliRunner().invoke(runs, ["show", run.info.run_id])
    assert "refused rate" in shown.output
    assert "written once" in shown.output
    with refused("RESOURCE_DOES_NOT_EXIST"):
        MlflowClient().get_refusals(NO_RUN)


def test_waiting_raises_what_the_server_refused(script) -> None:
    run = MlflowClient().create_run("0")
    text = f"import stepwell; stepwell.MlflowClient().log_param('{run.info.run_id}', 'rate', 1)"
    assert script(text).returncode == 0
    with refused("INVALID_PARAMETER_VALUE", "rate"):
        MlflowClient().log_param(run.info.run_id, "rate", 2, synchronous=True)
    assert MlflowClient().log_param(run.info.run_id, "rate", 1, synchronous=True) == 1


def test_a_run_that_does_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    mlflow.log_metric("x", 1, run_id=NO_RUN)
    receipt = mlflow.flush()
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.get_run(NO_RUN)
    # It stays in the spool: the run may come to be.
    assert receipt.waiting == 1
    assert any("does not take what was logged" in record.getMessage() for record in caplog.records)
    other = uuid.uuid4().hex
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.log_metric("x", 1, run_id=other, synchronous=True)
    with pytest.raises(MlflowException, match="32 hexadecimal"):
        mlflow.log_metric("x", 1, run_id="mine")


def test_statuses() -> None:
    mlflow.start_run()
    with refused("INVALID_PARAMETER_VALUE", "status"):
        mlflow.end_run("DONE")
    assert mlflow.active_run() is not None
    with refused("INVALID_PARAMETER_VALUE", "status"):
        MlflowClient().update_run(mlflow.active_run().info.run_id, status="DONE")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.2")
    monkeypatch.setenv("STEPWELL_TRACKING_URI", "grpc://127.0.0.1:1")
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")
    with refused("TEMPORARILY_UNAVAILABLE", r"127\.0\.0\.1:1.*stepwell server"):
        mlflow.start_run(experiment_id="0")
    assert mlflow.active_run() is None


def test_a_receipt_counts_what_was_logged_before_the_log_ended_at_the_limit(script) -> None:
    of_all = mlflow.flush()
    with mlflow.start_run() as run:
        text = f"import stepwell; stepwell.MlflowClient().log_param('{run.info.run_id}', 'rate', 1)"
        mlflow.flush()
        assert script(text).returncode == 0
        before = run.writer.flush()
        mlflow.log_param("rate", 2)
        run.writer.rest()  # as others let it that begin
        mlflow.log_metric("x", 1)
        mlflow.flush()
        run.writer.rest()
        mlflow.log_metric("x", 2)
        receipt = run.writer.flush()
        assert (receipt.committed - before.committed, receipt.rejected) == (2, 1)
        assert [rejection.key for rejection in receipt.rejections] == ["rate"]
    assert mlflow.flush().rejected == of_all.rejected + 1
