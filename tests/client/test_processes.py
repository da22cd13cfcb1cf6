"""What only shows in processes of their own: the import, the end, forks, several writers, servers that go away."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import stepwell as mlflow
from stepwell import MlflowClient, extras
from stepwell.spool import folders
from tests.harness.network.ports import free_port
from tests.harness.servers.processes import ServerProcess

LOG_AND_END = """
import sys, stepwell
run = stepwell.start_run()
print(run.info.run_id, flush=True)
for step in range(5_000):
    stepwell.log_metric("x", step, step=step)
{end}
"""

FORK = """
import multiprocessing, os, stepwell

def work(number):
    for step in range(100):
        stepwell.log_metric(f"child{number}", step, step=step)

run = stepwell.start_run()
print(run.info.run_id, flush=True)
stepwell.log_metric("parent", 0, step=0)
stepwell.flush()
children = [multiprocessing.get_context("fork").Process(target=work, args=(number,)) for number in range(3)]
for child in children:
    child.start()
stepwell.log_metric("parent", 1, step=1)
for child in children:
    child.join()
    assert child.exitcode == 0
"""


def steps(run_id: str, key: str) -> list[int]:
    return [point.step for point in mlflow.get_metric_history(run_id, key)]


def test_a_run_that_was_logged_to_by_id_is_left_in_order(script, tracking_uri: str, tmp_path: Path) -> None:
    text = """
    import stepwell
    client = stepwell.MlflowClient()
    run = client.create_run("0")
    client.log_metric(run.info.run_id, "loss", 1.0)
    print(run.info.run_id)
    """
    done = script(textwrap.dedent(text), STEPWELL_SPOOL_DIR=str(tmp_path / "spool"))
    assert done.returncode == 0, done.stderr
    found = mlflow.MlflowClient(tracking_uri).get_run(done.stdout.strip())
    assert (found.info.status, found.data.metrics) == ("RUNNING", {"loss": 1.0})
    assert list(folders.spools(tmp_path / "spool")) == []


def test_hundreds_of_runs_do_with_the_files_that_a_process_may_have_open(script) -> None:
    text = """
    import gc, resource, stepwell

    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    gc.disable()  # with many objects, as after an import of torch, it comes as seldom
    client = stepwell.MlflowClient()
    experiment_id = client.create_experiment("hundreds")
    for number in range(100):
        with stepwell.start_run(experiment_id=experiment_id):
            stepwell.log_metric("loss", number)
        run_id = client.create_run(experiment_id).info.run_id
        client.log_metric(run_id, "loss", number)
        client.set_terminated(run_id)
    print(len(client.search_runs([experiment_id], "metrics.loss >= 0")))
    """
    done = script(textwrap.dedent(text))
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip(), done.stderr) == ("200", "")


def test_the_import_is_light() -> None:
    text = """
import sys, stepwell, stepwell.cli
heavy = {*"grpc numpy google asyncio hashlib stepwell_api stepwell_server asyncpg click torch".split()}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""
    answer = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_logging_does_not_import_the_server(script) -> None:
    text = """
import sys, stepwell
with stepwell.start_run():
    stepwell.log_metric("x", 1)
print(sorted({"stepwell_server", "asyncpg", "click"} & set(sys.modules)))
"""
    assert script(text).stdout == "[]\n"


def test_the_end_of_a_script(script) -> None:
    answer = script(LOG_AND_END.format(end=""))
    assert (answer.returncode, answer.stderr) == (0, "")
    run_id = answer.stdout.strip()
    assert mlflow.get_run(run_id).info.status == "FINISHED"
    assert steps(run_id, "x") == list(range(5_000))


def test_an_uncaught_exception(script) -> None:
    answer = script(LOG_AND_END.format(end="sys.excepthook = lambda *_: None; raise ValueError('boom')"))
    assert (answer.returncode, answer.stderr) == (1, "")
    run_id = answer.stdout.strip()
    assert mlflow.get_run(run_id).info.status == "FAILED"
    assert steps(run_id, "x") == list(range(5_000))


def test_two_processes_log_into_one_run(tracking_uri: str) -> None:
    run_id = MlflowClient().create_run("0").info.run_id
    text = """
import sys, stepwell
for step in range(20_000):
    stepwell.log_metric("x", float(sys.argv[2]), step=step, run_id=sys.argv[1])
    stepwell.log_metric(f"own{sys.argv[2]}", 0.0, step=step, run_id=sys.argv[1])
"""
    processes = [subprocess.Popen([sys.executable, "-c", text, run_id, number]) for number in "12"]
    assert [process.wait(60) for process in processes] == [0, 0]
    points = mlflow.get_metric_history(run_id, "x")
    assert sorted((point.step, point.value) for point in points) == [
        (step, value) for step in range(20_000) for value in (1.0, 2.0)
    ]
    assert mlflow.get_run(run_id).data.metrics["x"] in (1.0, 2.0)
    for number in "12":
        assert steps(run_id, f"own{number}") == list(range(20_000))


def test_forked_children_log_through_writers_of_their_own(script) -> None:
    answer = script(FORK)
    assert (answer.returncode, answer.stderr) == (0, "")
    run_id = answer.stdout.strip()
    assert steps(run_id, "parent") == [0, 1]
    for number in range(3):
        assert steps(run_id, f"child{number}") == list(range(100))
    assert mlflow.get_run(run_id).info.status == "FINISHED"


TELL_AT_FORKS = """
import os, threading, time

def tell():
    names = [thread.name for thread in threading.enumerate()]
    print([name for name in names if name == "stepwell" or "poll" in name], flush=True)

def fork():
    if os.fork() == 0:
        os._exit(0)
    os.wait()

os.register_at_fork(after_in_parent=tell)
import stepwell
"""

FORK_IN_A_RUN = """
with stepwell.start_run():
    for step in range(2):
        stepwell.log_metric("x", 1, step=step)
        stepwell.flush()
        fork()
"""

FORK_WHILE_RUNS_BEGIN = """
def work(number):
    for _ in range(3):
        with stepwell.start_run(experiment_id=experiment_id):
            stepwell.log_metric("x", number)

experiment_id = stepwell.MlflowClient().create_experiment("runs begin")
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    fork()
    time.sleep(0.3)
"""


def test_a_fork_meets_no_thread_of_grpc(script) -> None:
    answer = script(TELL_AT_FORKS + FORK_IN_A_RUN)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "[]\n" * 2


def test_threads_may_begin_runs_while_another_one_forks(script) -> None:
    answer = script(TELL_AT_FORKS + FORK_WHILE_RUNS_BEGIN)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert set(answer.stdout.splitlines()) == {"[]"}
    experiment = mlflow.get_experiment_by_name("runs begin")
    runs = MlflowClient().search_runs([experiment.experiment_id])
    assert [(run.info.status, *run.data.metrics) for run in runs] == [("FINISHED", "x")] * 12


JOIN = """
import multiprocessing, stepwell

def work(rank):
    with stepwell.start_run(run_id=run.info.run_id, rank=rank):
        stepwell.log_metric("loss", rank, step=rank)

run = stepwell.start_run()
children = [multiprocessing.get_context("fork").Process(target=work, args=(rank,)) for rank in range(3)]
for child in children:
    child.start()
for child in children:
    child.join()
print(run.info.run_id, [child.exitcode for child in children])
"""


def test_forked_children_may_join_the_run_that_they_were_forked_in(script) -> None:
    answer = script(JOIN)
    run_id, exit_codes = answer.stdout.strip().split(" ", 1)
    assert exit_codes == "[0, 0, 0]"
    assert sorted(steps(run_id, "loss")) == [0, 1, 2]
    assert [len(series) for series in mlflow.get_metric_series([run_id], ["loss"], ranks=[2])] == [1]


INSIDE_AND_BESIDE = """
import multiprocessing, stepwell

def work(nested):
    with stepwell.start_run(nested=nested) as own:
        print(own.info.run_id, flush=True)

with stepwell.start_run() as run:
    print(run.info.run_id, flush=True)
    for nested in (True, False):
        child = multiprocessing.get_context("fork").Process(target=work, args=(nested,))
        child.start()
        child.join()
"""


def test_forked_children_start_runs_inside_the_one_they_were_forked_in_or_beside_it(script) -> None:
    outer, inside, beside = script(INSIDE_AND_BESIDE).stdout.split()
    parents = [mlflow.get_run(run_id).data.tags.get("mlflow.parentRunId") for run_id in (inside, beside)]
    assert parents == [outer, None]


def test_the_end_does_not_wait_for_grpc_in_vain(script) -> None:
    text = """
import logging
logging.basicConfig(level=logging.DEBUG)
import stepwell
with stepwell.start_run():
    stepwell.log_metric("x", 1)
"""
    answer = script(text)
    assert answer.returncode == 0
    assert "DEBUG" in answer.stderr
    assert "in vain" not in answer.stderr


def test_a_server_that_is_away_for_a_while(
    database_url, start_server, tracking_uri, monkeypatch, caplog
) -> None:
    options = ("--store", database_url, "--grpc-port", str(free_port()))
    server: ServerProcess = start_server(*options)
    monkeypatch.setenv("STEPWELL_TRACKING_URI", server.tracking_uri)
    with mlflow.start_run() as run:
        for step in range(3_000):
            mlflow.log_metric("x", step, step=step)
            if step == 1_000:
                mlflow.flush()
                server.kill()
            if step == 2_000:
                assert mlflow.flush(timeout=0.5).waiting >= 1_000
                start_server(*options)
        assert run.writer.flush().complete
    assert steps(run.info.run_id, "x") == list(range(3_000))
    # Of this server: what tests before have left for others may be told in between.
    assert re.findall(f":{server.port} is (away|back)", caplog.text) == ["away", "back"]


def test_the_exit_does_not_wait_for_ever(script) -> None:
    text = """
import stepwell
stepwell.log_metric("x", 1, run_id="0" * 32)
"""
    answer = script(text, STEPWELL_TRACKING_URI="grpc://127.0.0.1:1", STEPWELL_EXIT_TIMEOUT_S="0.3")
    assert answer.returncode == 0
    assert "1 entries could not be delivered" in answer.stderr


def test_the_command_line_says_what_is_missing() -> None:
    text = "import sys; sys.modules['click'] = None; from stepwell.cli import main; main()"
    answer = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (answer.returncode, extras.install_hint("cli") in answer.stderr) == (1, True)
