"""Steps of a quick training, kept in memory for a moment: written together they cost a tenth, and nothing in its loop.

Between two steps of a training nothing of a log call stays in the caches of the processor: one that takes 2 µs in a row
takes 25 there. So who measures each step by itself, as autologging does, may leave it here. What is kept is not yet
safe from a `kill -9`; whoever asks for what was logged (a flush, the end of a run, a SIGTERM) has it written first.
Steps that are not quick are written at once.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any

from stepwell.spool.log import Spool
from stepwell.wire import background

# Steps that come quicker than so are kept: to write a longer one takes less than 0.3 % of it.
QUICK_STEP_NS = 10_000_000
# How long a step is kept at most, in a process whose background thread runs.
KEPT_S = 0.3
# Steps that are kept, and points of one that is: at most 32,768 points, 2 MiB; the step that comes then waits until
# they are written, and a larger one is not kept.
STEPS_MAX = 512
POINTS_OF_A_STEP_MAX = 64

# What was measured at a step, or what fetches it, where it would have to be waited for, as from a GPU.
Measured = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
# Writes a step, given what was measured (or what fetches it), step and time in nanoseconds; returns how many points it
# has. Never fails: what is wrong with a step is told by whoever measured it.
Write = Callable[[Spool, Measured, int, int], int | None]


class Kept:
    """Steps of one log. Any thread may append."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._steps: deque[tuple[Write, Measured, int, int]] = deque()
        # Writing; also within itself, by a SIGTERM.
        self._lock = threading.RLock()
        # Whether the background thread will write them soon.
        self._is_awaited = False
        self._is_closed = False
        # When the last step came.
        self._came_ns = 0
        # Steps that were written, and their points; and what `came_alone` saw the last time: steps, and positions of
        # the log that are none of their points.
        self._written_steps = 0
        self._written_points = 0
        self._seen = (0, 0)

    def append(self, write: Write, measured: Mapping[str, Any], step: int) -> None:
        """Keep a step that comes quickly behind another one; write any other. Its values are not to change any more."""
        at_ns = time_ns()
        is_quick, self._came_ns = at_ns - self._came_ns < QUICK_STEP_NS, at_ns
        if is_quick and len(measured) <= POINTS_OF_A_STEP_MAX:
            self.keep(write, dict(measured), step, at_ns)
        else:
            self._write(write, measured, step, at_ns)

    def keep(self, write: Write, measured: Measured, step: int, at_ns: int) -> None:
        """Keep a step."""
        self._steps.append((write, measured, step, at_ns))
        if not self._is_awaited or len(self._steps) >= STEPS_MAX:
            self._have_written()

    def write(self) -> None:
        """Write what is kept; afterwards it is as safe as what any log call logs."""
        with self._lock:
            self._is_awaited = False  # first: the next one that comes asks for the thread again
            while self._steps:
                self._write(*self._steps.popleft())

    def came_alone(self) -> bool:
        """Tell whether several steps were written since this was asked last, and nothing else was."""
        steps, others = self._written_steps, self._spool.end_position() - self._written_points
        (steps_before, others_before), self._seen = self._seen, (steps, others)
        return steps > steps_before + 1 and others == others_before

    def close(self) -> None:
        """Write what is kept, and keep nothing from now on: the log is about to end."""
        self._is_closed = True
        self.write()

    def _have_written(self) -> None:
        """Have the thread write what is kept; do it here where there is none (in a fork), or no room."""
        is_left_here = self._is_closed or self._is_awaited
        self._is_awaited = True  # before the thread can have written
        if is_left_here or not background.call_soon(self._write_soon):
            self.write()

    def _write(self, write: Write, measured: Measured, step: int, at_ns: int) -> None:
        self._written_points += write(self._spool, measured, step, at_ns) or 0
        self._written_steps += 1

    def _write_soon(self) -> None:
        asyncio.get_running_loop().call_later(KEPT_S, self._write_aside)

    def _write_aside(self) -> None:
        # Not in the thread that delivers: in a full spool one that writes may wait for it. At the end of the process
        # no thread begins any more; the end has it written.
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().run_in_executor(None, self.write)
