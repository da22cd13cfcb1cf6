"""A real server in a process of its own, which tests may kill."""

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_TIMEOUT_S = 60  # for clients of tests: a machine may be busy with much else
READY_S = 60.0
STOP_S = 30.0

_READY = re.compile(r"grpcs?://(?P<host>[\w.\[\]:]+):(?P<port>\d+)")


class ServerProcess:
    """`python -m stepwell_server --grpc-port 0` with more options; ready when constructed, killed when left.

    `before` are words before the command, of a program that becomes it.

    Raises:
        ServerFailedError: the process ended before it was ready.
    """

    def __init__(
        self, *options: str, environment: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> None:
        self._options = options
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        free = ("--grpc-port",) if "--no-http" in options else ("--grpc-port", "--http-port")
        ports = [it for name in free if name not in options for it in (name, "0")]
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "stepwell_server", *ports, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**neutral_environment(), **(environment or {})},
        )
        try:
            self.output = self._read_until_ready()
        except BaseException:
            self.close()
            raise

    def _read_until_ready(self) -> str:
        deadline = time.monotonic() + READY_S
        output = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while output.count(b"\n") < 2:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ServerFailedError(None, f"not ready after {READY_S} s; {self.log()}")
                part = os.read(self.process.stdout.fileno(), 4096)
                if not part:
                    raise ServerFailedError(self.process.wait(STOP_S), self.log())
                output += part
        return output.decode()

    @property
    def tracking_uri(self) -> str:
        """Where gRPC is."""
        return _READY.search(self.output)[0]

    @property
    def url(self) -> str:
        """The one address that the server told its users."""
        return re.search(r"https?://\S+", self.output)[0]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(_READY.search(self.output)["port"])

    @property
    def store(self) -> str:
        """URL of its database: that of --store, or of the embedded PostgreSQL (needs the log as JSON)."""
        if "--store" in self._options:
            return self._options[self._options.index("--store") + 1]
        return str(self.events("server ready")[0]["store"])

    def log(self) -> str:
        """Return what it wrote to standard error so far."""
        return os.pread(self._log.fileno(), 1_000_000, 0).decode()

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Return what it logged as JSON so far, of these names or all; gRPC writes lines of its own in between."""
        whole = self.log().rpartition("\n")[0].splitlines()
        events = [json.loads(line) for line in whole if line.startswith("{")]
        return [event for event in events if not names or event["event"] in names]

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def terminate(self) -> int:
        """Ask it to stop, wait, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Kill it at once, as `kill -9` does."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(STOP_S)

    def close(self) -> None:
        """End it in whatever state it is; an embedded PostgreSQL is stopped in order if that takes no time."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def neutral_environment() -> dict[str, str]:
    """Return the environment without what would configure the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}


class ServerFailedError(Exception):
    """The server did not come up: its exit code and what it wrote to standard error."""

    def __init__(self, exit_code: int | None, log: str) -> None:
        super().__init__(f"exit code {exit_code}: {log}")
        self.exit_code = exit_code
        self.log = log


def stepwell_command(*arguments: str) -> str:
    """Run `stepwell` with these arguments to its end, which must be a good one; return what it printed."""
    done = subprocess.run(
        command_line(*arguments), capture_output=True, text=True, check=False, env=neutral_environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def command_line(*arguments: str) -> list[str]:
    """Return what runs `stepwell` with these arguments."""
    return [str(Path(sys.executable).with_name("stepwell")), *arguments]
