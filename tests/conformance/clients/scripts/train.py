"""Logs a run and ends as the first argument says: normally, by an exception, by kill -9, or with the server gone."""

import os
import signal
import sys
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

how = sys.argv[1]
POINTS = 2_000


def log(begin: int) -> None:
    for step in range(begin, begin + POINTS):
        mlflow.log_metric("loss", step / 2, step=step)


run = mlflow.start_run(tags={"how": how})
mlflow.log_param("lr", 0.1)
log(0)
if how == "server goes":
    MlflowClient().get_run(run.info.run_id)
    print(run.info.run_id, flush=True)
    assert sys.stdin.readline() == "gone\n"
    # It does not come back while this runs.
    for timeout in ("REACH", "FLUSH", "EXIT"):
        os.environ[f"STEPWELL_{timeout}_TIMEOUT_S"] = "1"
    log(POINTS)
    mlflow.set_tag("late", "yes")
    mlflow.log_text("late", "late.txt")
    mlflow.end_run()
    # A run that begins and ends without any server.
    with mlflow.start_run(run_name="alone") as alone:
        mlflow.log_metric("loss", 1.0)
        mlflow.log_text("alone", "alone.txt")
    print(alone.info.run_id, flush=True)
    sys.exit()
mlflow.log_text("x" * 10, "x.txt")
print(run.info.run_id, flush=True)
if how == "exception":
    raise ZeroDivisionError
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "client":
    # Logged to by id, and never ended.
    made = MlflowClient().create_run("0")
    MlflowClient().log_metric(made.info.run_id, "loss", 1.0)
    Path("made").write_text(made.info.run_id)
