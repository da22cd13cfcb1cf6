"""Training processes for fault tests: started, killed, and asked what they promised."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.patience import PATIENCE_S, until
from tests.faults.script import Ledger, log_calls
from tests.harness.servers.processes import neutral_environment

RUN_ID_BYTES = 32
CALLS_BYTES = 8
# Calls of a training that goes on until it is told to end: days of them, or a slow machine comes to their end first.
CALLS_WITHOUT_END = 10**9
ROOT = Path(__file__).parents[2]


class Record:
    """What a training process has done so far: its run's id (32 bytes), how many calls returned (8 bytes)."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR)

    @classmethod
    def create(cls, path: Path) -> "Record":
        """Begin anew."""
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(bytes(RUN_ID_BYTES + CALLS_BYTES))
        unfinished.rename(path)
        return cls(path)

    def __del__(self) -> None:
        os.close(self._file)

    def write_run_id(self, run_id: str) -> None:
        """Note that the run was started."""
        os.pwrite(self._file, run_id.encode(), 0)

    def write_calls(self, calls: int) -> None:
        """Note that so many calls returned."""
        os.pwrite(self._file, calls.to_bytes(CALLS_BYTES, "little"), RUN_ID_BYTES)

    @property
    def run_id(self) -> str:
        """The run's id; empty before it was started."""
        return os.pread(self._file, RUN_ID_BYTES, 0).decode().strip("\0")

    @property
    def calls(self) -> int:
        """How many log calls returned."""
        return int.from_bytes(os.pread(self._file, CALLS_BYTES, RUN_ID_BYTES), "little")


class Training:
    """A training process. Use as a context manager; it is killed when left, if it still runs.

    `seed`, `rank`, `first` and `calls` say what it logs; more options are those of `trainer`. `environment` has the
    client's settings.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        *options: str,
        seed: int,
        calls: int,
        rank: int = 0,
        first: int = 0,
    ) -> None:
        self.seed, self.rank, self.first = seed, rank, first
        self.own_times = "--clock-back-at" not in options
        self._path = Path(tempfile.mkdtemp(prefix=f"rank-{rank}-", dir=folder)) / "record"
        self._log = (self._path.parent / "log").open("w+")
        numbers = {"--seed": seed, "--rank": rank, "--first": first, "--calls": calls}
        arguments = [part for name, number in numbers.items() for part in (name, str(number))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.trainer", "--record", str(self._path), *arguments, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env={**neutral_environment(), **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self._log.close()

    @property
    def log(self) -> str:
        """What it wrote to standard error."""
        return Path(self._log.name).read_text()

    @property
    def record(self) -> Record:
        """What it has done so far, once it has begun."""
        return Record(self._path)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def has_begun(self) -> bool:
        """Whether it has started its run."""
        return self._path.exists() and bool(self.run_id)

    def wait_for_calls(self, calls: int) -> None:
        """Wait until it has started its run and so many log calls returned."""
        until(lambda: self._has_made(calls), f"{calls} log calls; {self.log}")

    def _has_made(self, calls: int) -> bool:
        made = self.has_begun and self.record.calls >= calls
        assert made or self.process.poll() is None, f"it ended too early: {self.log}"
        return made

    def kill(self) -> None:
        """Kill it at once, as `kill -9` does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def tell(self) -> None:
        """Tell it that it is enough."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Tell it that it is enough, if it waits for that; wait for its end, and return the receipt."""
        try:
            output, _ = self.process.communicate(b"\n", PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGUSR1)  # it writes where its threads are
            time.sleep(1)
            raise AssertionError(f"it hangs after {self.record.calls} calls: {self.log}") from None
        assert self.process.returncode == 0, self.log
        return json.loads(output)

    def promised(self) -> Ledger:
        """What the calls that returned logged; of a process that has ended."""
        calls = log_calls(self.seed, self.rank, self.first, self.first + self.record.calls)
        return Ledger().add(calls, own_times=self.own_times)

    def perhaps(self) -> Ledger:
        """What the call logs during which it may have been killed."""
        end = self.first + self.record.calls
        return Ledger().add(log_calls(self.seed, self.rank, end, end + 1), own_times=self.own_times)
