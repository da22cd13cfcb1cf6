"""Capturing what the process writes to sys.stdout and sys.stderr, as lines of a run.

What is written goes where it went before, first and unchanged; a copy waits in memory, at most 1 MiB of it, and a
thread appends it to the run's log a few times a second. What comes too fast, or after the run's share, is counted and
left out. Writes of C libraries and of other processes to the file descriptors are not seen.
"""

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from logging import getLogger
from time import time_ns
from typing import Any

from stepwell import settings
from stepwell.spool import room

OUTPUT, ERROR = 1, 2
# How long lines wait at most before they are appended to the log.
FLUSH_S = 0.2
# What waits in memory, in characters; what comes beyond is left out.
PENDING_CHARS_MAX = 2**20
# What one entry holds, in bytes of UTF-8, as servers allow.
ENTRY_BYTES_MAX = 65_536
# A line that does not end is cut here.
LINE_CHARS_MAX = 8_192

Log = Callable[[int, int, str, int], None]
_log = getLogger("stepwell")
_captures: "weakref.WeakSet[ConsoleCapture]" = weakref.WeakSet()


class Tee:
    """A text stream that passes everything on to another one, and shows what is written to a capture."""

    def __init__(self, stream: Any, capture: "ConsoleCapture", number: int) -> None:
        self._stream = stream
        self._capture = capture
        self._number = number

    def write(self, text: str) -> int:
        """Write, and take note of it."""
        written: int = self._stream.write(text)
        self._capture.take(self._number, text)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines, and take note of them."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)


class ConsoleCapture:
    """Copies what is written from now on until `stop`, in this process alone: its forks write without it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._is_active = True
        self._pending: deque[tuple[int, int, int, str]] = deque()
        self._pending_chars = 0
        self._room_bytes = settings.console_bytes_max()
        self._lines = {OUTPUT: _Lines(), ERROR: _Lines()}
        self._flushing = threading.Lock()
        self._stopped = threading.Event()
        self._before = sys.stdout, sys.stderr
        self._tees = tuple(
            None if stream is None else Tee(stream, self, number)
            for stream, number in zip(self._before, (OUTPUT, ERROR), strict=True)
        )
        sys.stdout, sys.stderr = (tee or stream for tee, stream in zip(self._tees, self._before, strict=True))
        self._thread = threading.Thread(target=self._run, name="stepwell-console", daemon=True)
        self._thread.start()
        _captures.add(self)

    def take(self, number: int, text: str) -> None:
        """Take note of what was written to a stream. Any thread; never waits, never raises."""
        if not self._is_active or text.__class__ is not str:
            return
        if self._pending_chars + len(text) > PENDING_CHARS_MAX:
            self._lines[number].left_out += text.count("\n") or 1
            return
        self._pending_chars += len(text)
        self._pending.append((number, threading.get_ident(), time_ns() // 1_000_000, text))

    def stop(self) -> None:
        """Put back the streams that were there, and log what is left, lines without an end as well."""
        if not self._is_active:
            return
        self._is_active = False
        self._stopped.set()
        # Who has put something over them since keeps it; it writes through to what was there before.
        if sys.stdout is self._tees[0]:
            sys.stdout = self._before[0]
        if sys.stderr is self._tees[1]:
            sys.stderr = self._before[1]
        if threading.current_thread() is not self._thread:
            self._thread.join(FLUSH_S * 10)
        self._flush(is_end=True)

    def leave_to_parent(self) -> None:
        """This process is a fork: what waits is its parent's, and so is what is open."""
        self._is_active = False
        self._pending = deque()

    def _run(self) -> None:
        while not self._stopped.wait(FLUSH_S):
            self._flush(is_end=False)

    def _flush(self, *, is_end: bool) -> None:
        with self._flushing:
            try:
                with room.waited_for():
                    self._log_pending(is_end)
            except Exception as failure:  # noqa: BLE001 - the spool is full, or whatever: printing goes on
                self._is_active = False
                self._pending.clear()
                _log.warning("What this process prints is not logged any more: %s", failure)

    def _log_pending(self, is_end: bool) -> None:
        while self._pending:
            number, thread, time_ms, text = self._pending.popleft()
            self._pending_chars -= len(text)
            self._lines[number].add(thread, time_ms, text)
        if not self._pending:
            self._pending_chars = 0  # threads that add at once may have miscounted
        for number, lines in self._lines.items():
            for time_ms, text, left_out in lines.pieces(is_end=is_end):
                size = len(text.encode("utf-8", "replace"))
                if size > self._room_bytes:
                    lines.left_out += left_out + text.count("\n") + 1
                    continue
                self._room_bytes -= size
                self._log(number, time_ms, text, left_out)
            if is_end and lines.left_out:
                self._log(number, time_ns() // 1_000_000, "", lines.left_out)
                lines.left_out = 0


class _Lines:
    """Whole lines of one stream; of each thread the one that has not ended yet waits for its end.

    So lines stay whole that print() of several threads, which writes line and end apart, mixes on a terminal.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._whole: list[tuple[int, str]] = []
        # By thread: when it began, and what there is of it.
        self._open: dict[int, tuple[int, str]] = {}

    def add(self, thread: int, time_ms: int, text: str) -> None:
        """Add what a thread wrote."""
        first_ms, before = self._open.pop(thread, (time_ms, ""))
        *whole, rest = (before + text).split("\n")
        for line in whole:
            self._whole.append((first_ms, _shown(line)))
            first_ms = time_ms
        if rest:
            # What a progress bar has overwritten is not kept.
            self._open[thread] = first_ms, rest[rest.rfind("\r", 0, -1) + 1 :][-LINE_CHARS_MAX:]

    def pieces(self, *, is_end: bool) -> Iterable[tuple[int, str, int]]:
        """Return the lines that are whole, as many together as an entry holds: time, text, lines left out before."""
        if is_end:
            self._whole += [(time_ms, _shown(line)) for time_ms, line in self._open.values()]
            self._open.clear()
        whole, self._whole = self._whole, []
        piece: list[str] = []
        size, time_ms = 0, 0
        for at_ms, line in whole:
            length = len(line.encode()) + 1
            if piece and size + length > ENTRY_BYTES_MAX:
                yield time_ms, "\n".join(piece), self._take_left_out()
                piece, size = [], 0
            if not piece:
                time_ms = at_ms
            piece.append(line)
            size += length
        if piece:
            yield time_ms, "\n".join(piece), self._take_left_out()

    def _take_left_out(self) -> int:
        left_out, self.left_out = self.left_out, 0
        return left_out


def _shown(line: str) -> str:
    """Return a line as a terminal shows it in the end: what is behind the last return; no NUL, no half characters."""
    last = line.rstrip("\r").rsplit("\r", 1)[-1][:LINE_CHARS_MAX]
    return last.replace("\0", "").encode("utf-8", "replace").decode()


def is_wanted(given: bool | None) -> bool:
    """Tell whether a run captures; None asks the settings.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the settings say nothing sensible.
    """
    wanted = settings.log_console() if given is None else given
    if wanted:
        settings.console_bytes_max()
    return wanted


def _leave_all_to_parent() -> None:
    for capture in list(_captures):
        capture.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all_to_parent)
