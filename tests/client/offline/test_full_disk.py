"""The disk under the spool is full and nobody delivers: log calls wait; what is to end, ends, and says what is lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stepwell
from stepwell import StepwellException
from tests.faults.patience import until
from tests.harness.content.disks import BALLAST, fill, small_disk

Start = Callable[[str], subprocess.Popen[bytes]]

RUNS = "import stepwell\nwith stepwell.start_run(), stepwell.start_run(nested=True):\n"
LOGS = "stepwell.log_metrics({str(number): number for number in range(20)}, step=step)"
TRAINING = f"{RUNS}    for step in range(10**9):\n        {LOGS}"
BESIDE = f"""
import threading
{RUNS}    def train():
        for step in range(10**9):
            {LOGS}
    threading.Thread(target=train, daemon=True).start()
    WAIT
"""
PRINTING = f"""
{RUNS}    try:
        for step in range(10**9):
            print(step)
            {LOGS}
    except KeyboardInterrupt:
        print('saved')
"""
AUTOLOGGED = """
import stepwell, numpy
from sklearn.linear_model import LinearRegression
from tests.harness.content.disks import fill
from pathlib import Path
stepwell.autolog(log_models={})
rows = numpy.arange(20.0).reshape(10, 2)
LinearRegression().fit(rows, rows)
fill(Path({!r}))
model = LinearRegression().fit(rows, rows)
print(model.coef_.shape)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.chmod(0o700)
        yield disk


@pytest.fixture
def start(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a program whose spool is on the disk; what it prints is in the file `said`."""
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(disk))
    monkeypatch.setenv("STEPWELL_MODE", "offline")
    started = []

    def start(text: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "said").open("wb") as said:
            program = subprocess.Popen(
                [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=said, stderr=said
            )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], str]:
    return (tmp_path / "said").read_text


@pytest.mark.parametrize(
    "program", [TRAINING, BESIDE.replace("WAIT", "threading.Event().wait()")], ids=["training", "beside"]
)
def test_sigterm_ends_the_process(program: str, start: Start, said: Callable[[], str]) -> None:
    training = start(program)
    until(lambda: "Log calls wait" in said(), "a full disk")
    training.terminate()
    assert training.wait(timeout=60) == -signal.SIGTERM
    assert "could not be logged: Nothing more can be logged: the disk of" in said()
    assert "free some of it" in said()


def test_ctrl_c_ends_the_process(start: Start, said: Callable[[], str]) -> None:
    training = start(TRAINING)
    until(lambda: "Log calls wait" in said(), "a full disk")
    training.send_signal(signal.SIGINT)
    assert training.wait(timeout=60) == -signal.SIGINT
    assert "KeyboardInterrupt" in said()
    assert "could not be logged: Nothing more can be logged: the disk of" in said()


def test_the_end_of_the_program_ends_the_process(start: Start, said: Callable[[], str]) -> None:
    training = start(BESIDE.replace("WAIT", "input()"))
    until(lambda: "Log calls wait" in said(), "a full disk")
    training.communicate(b"\n", timeout=60)
    assert training.returncode == 0
    assert "could not be logged: Nothing more can be logged: the disk of" in said()


def test_what_is_printed_does_not_keep_the_process(
    start: Start, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_LOG_CONSOLE", "1")
    training = start(PRINTING)
    until(lambda: "Log calls wait" in said(), "a full disk")
    time.sleep(0.5)  # the thread that logs what was printed waits, too
    training.send_signal(signal.SIGINT)
    assert training.wait(timeout=60) == 0
    assert "saved" in said()
    assert "What this process prints is not logged any more: Nothing more can be logged" in said()


@pytest.mark.parametrize("log_models", [False, True])
def test_autologging_does_not_wait(
    log_models: bool, start: Start, said: Callable[[], str], disk: Path
) -> None:
    training = start(AUTOLOGGED.format(log_models, str(disk)))
    assert training.wait(timeout=120) == 0
    assert "(2, 2)" in said()
    assert "Log calls wait" not in said()
    assert "The training is not affected" in said()


def test_a_run_that_cannot_begin_does_not_run_on_the_server(
    disk: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(disk))
    experiment = stepwell.create_experiment("full")
    fill(disk)
    with pytest.raises(StepwellException, match="its spool cannot be made"):
        stepwell.start_run(experiment_id=experiment)
    assert stepwell.active_run() is None
    (run,) = stepwell.search_runs([experiment], output_format="list")
    assert run.info.status == "FAILED"


def test_files_that_may_not_be_so_large_are_told(start: Start, said: Callable[[], str]) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
    assert start(limit + TRAINING).wait(timeout=60) == 1
    assert "cannot be written: [Errno 27] File too large" in said()


def test_a_run_that_cannot_begin_says_what_to_do(disk: Path, start: Start, said: Callable[[], str]) -> None:
    fill(disk)
    assert start("import stepwell\nstepwell.start_run()").wait(timeout=60) == 1
    assert "its spool cannot be made" in said()
    assert "another folder with STEPWELL_SPOOL_DIR" in said()
    assert [path.name for path in disk.iterdir()] == [BALLAST]
