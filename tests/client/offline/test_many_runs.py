"""More runs of one process than it may have files open: all of them are logged."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.entities import Run
from stepwell.spool import folders
from tests.client.conftest import Script
from tests.harness.network.ports import free_port
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


IN_A_BURST = """
import threading
client = stepwell.StepwellClient()
experiment_id = client.create_experiment("in a burst")
runs = [client.create_run(experiment_id).info.run_id for _ in range(int(sys.argv[1]))]
together = threading.Barrier(len(runs))

def work(run_id):
    together.wait()
    for step in range(3):
        client.log_metric(run_id, "loss", step / 2, step=step)

threads = [threading.Thread(target=work, args=(run_id,)) for run_id in runs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
receipt = stepwell.flush()
assert receipt == stepwell.Receipt(sent=3 * len(runs), committed=3 * len(runs)), receipt
"""


def test_many_threads_begin_to_log_at_once(script: Script) -> None:
    answer = script(FEW_FILES + IN_A_BURST, "100")
    assert (answer.returncode, answer.stderr) == (0, "")


IN_A_FORK = """
import gc
gc.disable()  # with many objects, as after an import of torch, it comes as seldom
client = stepwell.StepwellClient()
experiment_id = client.create_experiment(sys.argv[1])
runs = [client.create_run(experiment_id).info.run_id for _ in range(int(sys.argv[2]))]
for run_id in runs:
    client.log_metric(run_id, "loss", 0.0, step=0)
    client.set_tag(run_id, "step", "0")
child = os.fork()
for step in (1, 2):
    for run_id in runs:
        client.log_metric(run_id, "loss" if child else "loss of the child", step / 2, step=step)
        client.set_tag(run_id, "step", str(step))
if child:
    assert os.waitpid(child, 0) == (child, 0)
"""


def test_a_forked_child_logs_to_as_many_runs(script: Script) -> None:
    answer = script(FEW_FILES + IN_A_FORK, "in a fork", str(RUNS))
    assert (answer.returncode, answer.stderr) == (0, "")
    experiment = stepwell.get_experiment_by_name("in a fork")
    runs = StepwellClient().search_runs([experiment.experiment_id])
    assert len(runs) == RUNS
    for run in runs:
        for key, steps in (("loss", [0, 1, 2]), ("loss of the child", [1, 2])):
            history = stepwell.get_metric_history(run.info.run_id, key)
            assert [(point.step, point.value) for point in history] == [(step, step / 2) for step in steps]


FORKS_WHILE_DELIVERING = """
import threading, time
from pathlib import Path

def tell():
    names = [thread.name for thread in threading.enumerate()]
    print([name for name in names if name == "stepwell" or "poll" in name], flush=True)

def waiting():
    return len(list(Path(os.environ["STEPWELL_SPOOL_DIR"]).glob("*/writer.json")))

os.register_at_fork(after_in_parent=tell)
client = stepwell.StepwellClient()
runs = [client.create_run("0").info.run_id for _ in range(int(sys.argv[1]))]
with stepwell.start_run():
    for step in range(4):
        child = os.fork()
        if not child:
            for run_id in runs:
                client.log_metric(run_id, "loss", step, step=step)
            os._exit(0)
        os.waitpid(child, 0)
        while waiting() > len(runs) / 2:
            time.sleep(0.01)
"""


def test_a_fork_while_left_logs_are_delivered_leaves_none_of_them(script: Script, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    answer = script(FEW_FILES + FORKS_WHILE_DELIVERING, str(RUNS), STEPWELL_SPOOL_DIR=str(spools))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "[]\n" * 4
    assert list(folders.spools(spools)) == []
    runs = [run for run in StepwellClient().search_runs(["0"]) if "loss" in run.data.metrics]
    assert len(runs) == RUNS
    for run in runs:
        assert [point.step for point in stepwell.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2, 3]


FORKS_IN_TURN = """
client = stepwell.StepwellClient()
for _ in range(6):
    run_id = client.create_run("0").info.run_id
    for number in range(4):
        child = os.fork()
        if not child:
            client.set_tag(run_id, "last", str(number))
            os._exit(0)
        os.waitpid(child, 0)
"""


def test_what_children_logged_is_delivered_in_their_order_by_a_parent_that_logs_nothing(
    script: Script,
) -> None:
    answer = script(FEW_FILES + FORKS_IN_TURN)
    assert (answer.returncode, answer.stderr) == (0, "")
    runs = StepwellClient().search_runs(["0"])
    assert [run.data.tags["last"] for run in runs if "last" in run.data.tags] == ["3"] * 6


FORKS_BESIDE_TWO_SERVERS = """
import time
clients = [stepwell.StepwellClient(uri) for uri in sys.argv[1:]]
experiment_ids = [client.create_experiment("on two servers") for client in clients]
runs = [(client, client.create_run(each).info.run_id) for client, each in zip(clients, experiment_ids)]

def are_delivered():
    return all("loss of the child" in client.get_run(run_id).data.metrics for client, run_id in runs)

for client, run_id in runs:
    client.log_metric(run_id, "loss", 0.0)
stepwell.flush()
child = os.fork()
for client, run_id in runs:
    client.log_metric(run_id, "loss" if child else "loss of the child", 1.0)
if child:
    os.waitpid(child, 0)
    moment = time.monotonic() + 20
    while not are_delivered() and time.monotonic() < moment:
        time.sleep(0.1)
    assert are_delivered()
"""


def test_what_children_logged_to_each_of_two_servers_is_delivered_while_the_parent_logs(
    script: Script, tracking_uri: str, database_url: str, start_server: Callable[..., ServerProcess]
) -> None:
    other = start_server("--store", database_url)
    answer = script(FEW_FILES + FORKS_BESIDE_TWO_SERVERS, tracking_uri, other.tracking_uri)
    assert (answer.returncode, answer.stderr) == (0, "")


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


FORKS_WITH_ALL_LEFT = """
import time
from stepwell.delivery import logs
for number in range(int(sys.argv[1])):
    with stepwell.start_run():
        stepwell.log_metric("loss", number)
print("logged", flush=True)
sys.stdin.readline()
while logs.open_logs():
    time.sleep(0.01)
assert logs._left
child = os.fork()
if not child:
    os._exit(0)
os.waitpid(child, 0)
assert not stepwell.flush(timeout=30).waiting
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


def test_who_forks_when_all_its_logs_were_left_goes_on_to_deliver(
    log_while_away: Callable[[str], list[Run]],
) -> None:
    runs = log_while_away(FORKS_WITH_ALL_LEFT)
    assert sorted(run.data.metrics["loss"] for run in runs) == list(range(RUNS))


def test_logs_of_a_run_are_delivered_one_after_another(log_while_away: Callable[[str], list[Run]]) -> None:
    runs = log_while_away(ROUNDS_WHILE_AWAY)
    assert [run.data.metrics["loss"] for run in runs] == [3.0] * RUNS
    assert sorted(run.data.tags.get("last", "") for run in runs) == ["", *["3"] * (RUNS - 1)]
    assert sorted(run.info.status for run in runs) == ["FINISHED"] * RUNS
