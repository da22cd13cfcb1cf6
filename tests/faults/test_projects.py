"""`stepwell run` is killed: no run stays RUNNING, whatever its command does."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stepwell_server.model.runs import RunStatus
from tests.faults.accounting import rows
from tests.faults.patience import until
from tests.harness.servers.processes import ServerProcess, neutral_environment


def test_the_run_of_a_project_ends_when_nobody_follows_it(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start_server("--store", database_url, "--lost-after", "1")
    (tmp_path / "wait.sh").write_text("echo $$ > number; sleep 1000")
    process = subprocess.Popen(
        [Path(sys.executable).with_name("stepwell"), "run", ".", "-e", "wait.sh"],
        cwd=tmp_path,
        env={**neutral_environment(), "STEPWELL_TRACKING_URI": server.tracking_uri},
    )
    number = tmp_path / "number"
    until(lambda: number.exists() and number.read_text().strip(), "the command")
    until(lambda: rows(database_url, "SELECT 1 FROM writer_lease"), "the stream of the run")
    try:
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: status_of_the_run(database_url) is RunStatus.FAILED, "the end of the run")
    finally:
        os.killpg(int(number.read_text()), signal.SIGKILL)


def status_of_the_run(store: str) -> RunStatus:
    """How the only run stands."""
    ((status,),) = rows(store, "SELECT status FROM run")
    return RunStatus(status)
