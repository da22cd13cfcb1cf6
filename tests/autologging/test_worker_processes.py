"""Fits in processes of pools: each run is whole, however the pool ends its workers."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.autologging.logged import points_of, runs_of
from tests.harness.servers.processes import ServerProcess

SCRIPT = """
import multiprocessing, sys
from sklearn.linear_model import Ridge
import stepwell

stepwell.sklearn.autolog(log_models=False)

def train(alpha):
    return Ridge(alpha).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0]).alpha

if __name__ == "__main__":
    alphas = [0.5, 1.0, 2.0]
    if sys.argv[1:]:
        Ridge().fit([[0.0], [1.0]], [0.0, 1.0])
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(train, alphas)
    assert found == alphas, found
"""


def run_script(folder: Path, server: ServerProcess, experiment: str, text: str, *arguments: str) -> None:
    script = folder / "train.py"
    script.write_text(text)
    subprocess.run(
        [sys.executable, "-W", "ignore", script, *arguments],
        cwd=folder,
        env={
            "PATH": "",
            "STEPWELL_TRACKING_URI": server.tracking_uri,
            "STEPWELL_EXPERIMENT_ID": experiment,
            "STEPWELL_SPOOL_DIR": str(folder / "spool"),
        },
        check=True,
        timeout=100,
    )


@pytest.mark.parametrize("how", [(), ("after a run",)])
def test_a_pool_logs_all_of_each_fit(
    tmp_path: Path, shared_server: ServerProcess, experiment: str, how: tuple[str, ...]
) -> None:
    run_script(tmp_path, shared_server, experiment, SCRIPT, *how)
    runs = runs_of(experiment)
    assert len(runs) == 3 + len(how)
    for run in runs:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["training_score"] > 0.5
        assert run.data.tags["estimator_name"] == "Ridge"


SEARCH = """
import sys
import joblib
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
import stepwell

stepwell.sklearn.autolog(log_models=False)  # workers that import this script switch it on, too

if __name__ == "__main__":
    rows, targets = [[0.0], [1.0], [2.0], [4.0]], [0.0, 1.0, 2.5, 3.5]
    with joblib.parallel_backend(sys.argv[1], n_jobs=2):
        GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=2, n_jobs=-1).fit(rows, targets)
"""


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_a_search_in_several_processes_logs_once(
    tmp_path: Path, shared_server: ServerProcess, experiment: str, backend: str
) -> None:
    run_script(tmp_path, shared_server, experiment, SEARCH, backend)
    runs = runs_of(experiment)
    kinds = sorted(run.data.tags.get("estimator_name", "") for run in runs)
    assert kinds == ["GridSearchCV", "Ridge", "Ridge", "Ridge"]
    assert {run.data.params["alpha"] for run in runs if "alpha" in run.data.params} == {"0.1", "1.0", "10.0"}
    assert all(run.info.status == "FINISHED" for run in runs)


FORK = """
import os, signal
import stepwell

def is_handled():
    handled = {signal.getsignal(number) is not signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP)}
    assert len(handled) == 1
    return handled.pop()

with stepwell.start_run():
    if os.fork() == 0:
        found = [is_handled()]
        with stepwell.start_run():
            found.append(is_handled())
        os._exit(found != [False, True])
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    assert is_handled()
"""


def test_a_fork_handles_sigterm_from_its_first_run_on(
    tmp_path: Path, shared_server: ServerProcess, experiment: str
) -> None:
    """A worker of a pool that logs nothing ends at once, or its pool might wait for it for ever."""
    run_script(tmp_path, shared_server, experiment, FORK)


IMPORTS = """
import os, sys, threading, importlib
import stepwell
from stepwell import beside

sys.imports_by_half = threading.Event()
with stepwell.start_run() as run:
    beside.leave(run.info.run_id, lambda: importlib.import_module("slow_module_of_a_test"))
    sys.imports_by_half.wait()
    if os.fork() == 0:
        import slow_module_of_a_test
        os._exit(slow_module_of_a_test.value)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
"""


def test_a_fork_has_no_module_by_half(tmp_path: Path, shared_server: ServerProcess, experiment: str) -> None:
    (tmp_path / "slow_module_of_a_test.py").write_text(
        "import sys, time\nsys.imports_by_half.set()\ntime.sleep(0.5)\nvalue = 3\n"
    )
    run_script(tmp_path, shared_server, experiment, IMPORTS)
    assert runs_of(experiment)[0].info.status == "FINISHED"


STEPS = """
import os, signal
import stepwell
from stepwell.autologging import calls
from stepwell.autologging.options import Options
from stepwell.delivery import kept

kept.QUICK_STEP_NS, kept.KEPT_S = 2**62, 3_600.0
with stepwell.start_run():
    call = calls.LoggedCall("keras", Options())
    for step in range(3):
        call.log_step({"loss": 0.5}, step)
    if os.fork() == 0:
        call.log_step({"loss": 0.5}, 10)
        call.log_step({"loss": 0.5}, 11)
        os._exit(0)
    os.wait()
    call.log_step({"loss": 0.5}, 3)
    os.kill(os.getpid(), signal.SIGTERM)
"""


def test_steps_that_are_kept_are_there_once_behind_a_fork_and_a_sigterm(
    tmp_path: Path, shared_server: ServerProcess, experiment: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="SIGTERM"):
        run_script(tmp_path, shared_server, experiment, STEPS)
    command = [
        sys.executable,
        "-m",
        "stepwell",
        "sync",
        tmp_path / "spool",
        "--to",
        shared_server.tracking_uri,
    ]
    subprocess.run(command, check=True, timeout=100)  # what the fork has left, unless the parent had it
    (run,) = runs_of(experiment)
    assert run.info.status == "KILLED"
    assert points_of(run.info.run_id, "loss") == [(step, 0.5) for step in (0, 1, 2, 3, 10, 11)]
