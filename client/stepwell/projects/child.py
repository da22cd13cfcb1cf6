"""The process that runs a project's command: its output is shown as it comes and kept, its whole group is stopped."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

# Of what a command prints, so much is kept; the rest is only shown.
OUTPUT_BYTES_MAX = 64 << 20
# How long a command may take to end after Ctrl-C, and then after SIGTERM, before it is killed.
INTERRUPTED_S = 10.0
TERMINATED_S = 10.0
# What its children, which outlive it, may still print is not waited for longer.
LAST_WORDS_S = 5.0
_READ_BYTES = 1 << 16


class Child:
    """A command of a shell, in a process group of its own."""

    def __init__(self, command: str, folder: Path, variables: Mapping[str, str], kept: Path | None) -> None:
        """Start it.

        Args:
            command: for bash, or sh where there is no bash.
            folder: where it runs.
            variables: its whole environment.
            kept: the file for what it prints; None lets it have the terminal, and this process's group, to itself.
        """
        shell = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
        pipe = None if kept is None else subprocess.PIPE
        self._group = kept is not None
        self._process = subprocess.Popen(  # noqa: S603
            [shell, "-c", command],
            cwd=folder,
            env=dict(variables),
            stdin=None if kept is None else subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            process_group=0 if self._group else None,
        )
        self._lock = threading.Lock()
        self._kept = None if kept is None else kept.open("wb")
        self._left_bytes = OUTPUT_BYTES_MAX
        pairs = ((self._process.stdout, sys.stdout), (self._process.stderr, sys.stderr))
        self._readers = [
            threading.Thread(target=self._show, args=(source, shown), daemon=True)
            for source, shown in pairs
            if source is not None
        ]
        for reader in self._readers:
            reader.start()

    @property
    def process_id(self) -> int:
        """The number of the shell's process, which is that of the group."""
        return self._process.pid

    def wait(self) -> int:
        """Return how it ended, as subprocess does: below 0 for a signal. What it printed is in the file then."""
        code = self._process.wait()
        for reader in self._readers:
            reader.join(LAST_WORDS_S)
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
        return code

    def is_running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it and all that it started: as by Ctrl-C, then SIGTERM, then SIGKILL."""
        for number, patience_s in ((signal.SIGINT, INTERRUPTED_S), (signal.SIGTERM, TERMINATED_S)):
            self._send(number)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
            break
        self._send(signal.SIGKILL)  # also what the shell has left behind

    def _send(self, number: int) -> None:
        try:
            if self._group:
                os.killpg(self._process.pid, number)
            elif self.is_running():
                self._process.send_signal(number)
        except ProcessLookupError:
            pass

    def _show(self, source: IO[bytes], shown: Any) -> None:
        with source:
            while piece := os.read(source.fileno(), _READ_BYTES):
                with self._lock:
                    _write(shown, piece)
                    self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        if self._kept is None or not self._left_bytes:
            return
        self._kept.write(piece[: self._left_bytes])
        self._left_bytes -= min(self._left_bytes, len(piece))
        if not self._left_bytes:
            self._kept.write(f"\n[what follows is not kept: more than {OUTPUT_BYTES_MAX} bytes]\n".encode())


def _write(shown: Any, piece: bytes) -> None:
    """Write to a stream of this process; in a notebook it takes text alone. Nobody there to read it is no fault."""
    try:
        if hasattr(shown, "buffer"):
            shown.buffer.write(piece)
        else:
            shown.write(piece.decode(errors="replace"))
        shown.flush()
    except (OSError, ValueError):
        pass
