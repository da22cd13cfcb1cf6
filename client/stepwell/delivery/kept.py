"""Steps of a quick training, kept in memory for a moment: written together they cost a tenth, and nothing in its loop.

Between two steps of a training nothing of a log call stays in the caches of the processor: one that takes 2 µs in a row
takes 25 there. So who measures each step by itself, as autologging does, may leave it here. What is kept is not yet
safe from a `kill -9`; whoever asks for what was logged (a flush, the end of a run, a SIGTERM) has it written first.
Steps that are not quick are written at once.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from time import sleep, time_ns
from typing import Any

from stepwell.spool.log import Spool
from stepwell.wire import background

# Steps that come quicker than so are kept: to write a longer one takes less than 0.3 % of it.
QUICK_STEP_NS = 10_000_000
# How long a step is kept at most.
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
    """Steps of one log. Any thread may append.

    While they come a thread of their own writes them, each KEPT_S. That of the delivery may not: in a full spool one
    that writes may wait for it. And whoever is woken takes the processor, and the interpreter, from the training: so
    nobody asks this one to write, and it tells nobody when it has.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._steps: deque[tuple[Write, Measured, int, int]] = deque()
        # Writing; also within itself, by a SIGTERM.
        self._lock = threading.RLock()
        # Whether the thread will write what is kept.
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
            while self._steps:
                self._write(*self._steps.popleft())

    def came_alone(self) -> bool:
        """Tell whether several steps were written since this was asked last, and nothing else was."""
        steps, others = self._written_steps, self._spool.end_position() - self._written_points
        (steps_before, others_before), self._seen = self._seen, (steps, others)
        return steps > steps_before + 1 and others == others_before

    def close(self) -> None:
        """Write what is kept, and keep nothing from now on: the log is about to end."""
        self._is_closed, self._is_awaited = True, False
        self.write()

    def _have_written(self) -> None:
        """Have the thread write what is kept; do it here where there is no room, or no thread."""
        if self._is_closed or self._is_awaited or not self._begin():
            self.write()

    def _begin(self) -> bool:
        """Let the thread begin; tells whether it did: at the end of a process none does."""
        if background.is_fork():  # such a process ends without waiting for anything
            return False
        self._is_awaited = True  # before it can have ended
        try:
            threading.Thread(target=self._serve, name="stepwell-steps", daemon=True).start()
        except RuntimeError:
            self._is_awaited = False
        return self._is_awaited

    def _serve(self) -> None:
        while True:
            sleep(KEPT_S)
            if not self._steps:
                break
            self.write()
        self._is_awaited = False  # a step that comes now has another thread begin
        self.write()  # one that came before

    def _write(self, write: Write, measured: Measured, step: int, at_ns: int) -> None:
        self._written_points += write(self._spool, measured, step, at_ns) or 0
        self._written_steps += 1
