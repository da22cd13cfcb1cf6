"""What tests of the client share: a server to log to, and scripts that run in processes of their own."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import stepwell
from stepwell.runs import active
from tests.harness.servers.processes import ServerProcess

SCRIPT_S = 60.0

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tracking_uri(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The server that `stepwell` and scripts log to, with an experiment of the test's own."""
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    monkeypatch.setenv("STEPWELL_EXPERIMENT_NAME", f"test-{uuid.uuid4().hex}")
    yield shared_server.tracking_uri
    while stepwell.active_run():
        stepwell.end_run()
    assert not active._open


@pytest.fixture
def script(tracking_uri: str, tmp_path: Path) -> Script:
    """Runs a script in a process of its own, with the server of `tracking_uri`, and returns how it went."""

    def run(text: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", text, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=SCRIPT_S)
        finally:
            # With all children that it may have left.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return run
