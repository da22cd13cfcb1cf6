"""How long log calls wait for room in a full spool: as long as it takes, unless somebody says less."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# How long the ends of runs and of the process, and what it prints, wait for room.
PATIENCE_S = 5.0

# What this thread or task waits for at most, from the moment when the spool was full; and the moment
# (time.monotonic()) from which on nothing in the process waits.
_patience_s: ContextVar[float] = ContextVar("stepwell_room", default=math.inf)
_ends_s = math.inf


@contextmanager
def waited_for(patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Let log calls in the block wait for room until the spool has been full for so many seconds; then they raise."""
    token = _patience_s.set(min(_patience_s.get(), patience_s))
    try:
        yield
    finally:
        _patience_s.reset(token)


def give_up_in(timeout_s: float = PATIENCE_S) -> None:
    """Let all log calls of the process, also those that wait already, raise in so many seconds: it is to end."""
    global _ends_s
    _ends_s = min(_ends_s, time.monotonic() + timeout_s)


def is_waited_for(full_since_s: float) -> bool:
    """Tell whether a log call may go on waiting in a spool that has been full since then (time.monotonic())."""
    now_s = time.monotonic()
    return now_s < _ends_s and now_s - full_since_s < _patience_s.get()


def _start_over_in_child() -> None:
    global _ends_s
    _ends_s = math.inf


os.register_at_fork(after_in_child=_start_over_in_child)
