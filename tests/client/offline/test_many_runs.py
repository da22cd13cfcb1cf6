"""More runs of one process than it may have files open: all of them are logged."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.entities import Run
from tests.client.conftest import Script
from tests.harness.content.s3 import free_port
from tests.harness.servers.processes import ServerProcess

RUNS = 40
FEW_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))
import stepwell
"""

AT_ONCE = """
client = stepwell.StepwellClient()
experiment_id = client.create_experiment(sys.argv[1])
runs = [client.create_run(experiment_id).info.run_id for _ in range(int(sys.argv[2]))]
for step in range(3):
    for run_id in runs:
        client.log_metric(run_id, "loss", step / 2, step=step)
        client.log_param(run_id, "rate", 0.5)
assert stepwell.flush().complete
found = [run.data for run in client.search_runs([experiment_id])]
assert [data.metrics["loss"] for data in found] == [1.0] * len(runs)
assert len(os.listdir("/proc/self/fd")) < 155
"""


def test_many_runs_are_open_at_once(script: Script) -> None:
    answer = script(FEW_FILES + AT_ONCE, "open at once", str(RUNS))
    assert answer.returncode == 0, answer.stderr
    experiment = stepwell.get_experiment_by_name("open at once")
    runs = StepwellClient().search_runs([experiment.experiment_id])
    assert [run.data.params for run in runs] == [{"rate": "0.5"}] * RUNS
    for run in runs:
        history = stepwell.get_metric_history(run.info.run_id, "loss")
        assert [(point.step, point.value) for point in history] == [(0, 0.0), (1, 0.5), (2, 1.0)]


WHILE_AWAY = """
for number in range(int(sys.argv[1])):
    with stepwell.start_run():
        stepwell.log_metric("loss", number)
assert stepwell.flush(timeout=0).waiting >= int(sys.argv[1])
print("logged", flush=True)
sys.stdin.readline()
while stepwell.flush().waiting:
    pass
"""


ROUNDS_WHILE_AWAY = """
client = stepwell.StepwellClient()
runs = [client.create_run("0").info.run_id for _ in range(int(sys.argv[1]))]
for step in range(4):
    for run_id in runs:
        client.log_metric(run_id, "loss", step, step=step)
        client.set_tag(run_id, "last", str(step))
for run_id in runs:
    client.set_terminated(run_id)
print("logged", flush=True)
sys.stdin.readline()
while stepwell.flush().waiting:
    pass
client.delete_tag(runs[1], "last")
"""


@pytest.fixture
def log_while_away(
    tmp_path: Path, database_url: str, start_server: Callable[..., ServerProcess]
) -> Callable[[str], list[Run]]:
    """Runs a script that begins without a server, says when it has logged, and goes on with one; returns its runs."""

    def log(text: str) -> list[Run]:
        port = free_port()
        uri = f"grpc://127.0.0.1:{port}"
        script = FEW_FILES + f"stepwell.set_tracking_uri({uri!r})\n" + text
        command = [sys.executable, "-c", script, str(RUNS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as training:
            try:
                assert training.stdout.readline() == "logged\n"
                start_server(
                    "--store", database_url, "--data", str(tmp_path / "data"), "--grpc-port", str(port)
                )
                training.communicate("\n", timeout=90)
            finally:
                training.kill()
        assert training.returncode == 0
        return list(StepwellClient(uri).search_runs(["0"]))

    return log


def test_many_runs_end_while_the_server_is_away(log_while_away: Callable[[str], list[Run]]) -> None:
    runs = log_while_away(WHILE_AWAY)
    assert sorted(run.data.metrics["loss"] for run in runs) == list(range(RUNS))
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_logs_of_a_run_are_delivered_one_after_another(log_while_away: Callable[[str], list[Run]]) -> None:
    runs = log_while_away(ROUNDS_WHILE_AWAY)
    assert [run.data.metrics["loss"] for run in runs] == [3.0] * RUNS
    assert sorted(run.data.tags.get("last", "") for run in runs) == ["", *["3"] * (RUNS - 1)]
    assert sorted(run.info.status for run in runs) == ["FINISHED"] * RUNS
