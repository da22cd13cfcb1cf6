"""A stock client of MLflow's, by name and password, by token, and by neither."""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.harness.servers.access import ADMIN_PASSWORD, GuardedServer

SCRIPT = """
import mlflow
client = mlflow.MlflowClient()
run = client.create_run(client.create_experiment("by " + __import__("sys").argv[1]))
client.log_metric(run.info.run_id, "loss", 0.5, step=1)
client.log_text(run.info.run_id, "hello", "note.txt")
assert [it.value for it in client.get_metric_history(run.info.run_id, "loss")] == [0.5]
assert [it.path for it in client.list_artifacts(run.info.run_id)] == ["note.txt"]
"""


@pytest.mark.parametrize("shown", ["password", "token", "nothing"])
async def test_a_client_of_mlflows_says_who_it_is(guarded: GuardedServer, shown: str) -> None:
    environment = {
        "password": {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": ADMIN_PASSWORD},
        "token": {"MLFLOW_TRACKING_TOKEN": await guarded.add("ann")},
        "nothing": {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
    }[shown]
    assert guarded.running.http_url is not None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SCRIPT, shown),
        env={**os.environ, "MLFLOW_TRACKING_URI": guarded.running.http_url, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if shown == "nothing":
        assert b"UNAUTHENTICATED" in output
        assert b"MLFLOW_TRACKING_TOKEN" in output
    else:
        assert process.returncode == 0, output.decode()
