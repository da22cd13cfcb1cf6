"""Tells when something keeps the event loop busy so long that every caller feels it, and where.

While one callback runs, nobody else's does: a search that takes a second of work there holds up all commits for a
second. What is counted is the work of the loop's thread (its time on a processor), so that a busy machine is no alarm.
For debugging and tests: it costs a microsecond for each callback.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stepwell_server.process.logger import get_logger

# What a callback may work. At 20 ms, a commit that waits for one is not noticeably later.
LOOP_WORK_MAX_S = 0.02
# How often is looked where a callback is, and how many of the innermost lines are told.
LOOK_S = 0.01
LINES_SHOWN = 12

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A callback that worked too long: for how many seconds, and where it was seen, the innermost line last."""

    seconds: float
    where: tuple[str, ...]


def log_blocked(blocked: Blocked) -> None:
    """Write it to the log."""
    log.warning(
        "the event loop was blocked", seconds=round(blocked.seconds, 3), where=" > ".join(blocked.where)
    )


@contextmanager
def watched_loop(
    report: Callable[[Blocked], None] = log_blocked, work_max_s: float = LOOP_WORK_MAX_S
) -> Iterator[None]:
    """Report every callback of the running loop that works longer than `work_max_s`, while the context lasts."""
    watchdog = _Watchdog(report, work_max_s)
    run = asyncio.Handle._run

    def observed(handle: asyncio.Handle) -> None:
        if threading.get_ident() != watchdog.thread_id:
            run(handle)
        else:
            with watchdog.observed():
                run(handle)

    asyncio.Handle._run = observed  # type: ignore[method-assign,assignment]  # it sees all callbacks
    watchdog.start()
    try:
        yield
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
        watchdog.stop()


class _Watchdog:
    """Looks from a thread of its own where the loop's thread is."""

    def __init__(self, report: Callable[[Blocked], None], work_max_s: float) -> None:
        self._report = report
        self._work_max_s = work_max_s
        self.thread_id = threading.get_ident()
        self._began_s: float | None = None  # when the callback began that runs now
        self._seen: tuple[float, tuple[str, ...]] = (0.0, ())
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Measure one callback, which runs in this context."""
        worked_before_s = time.thread_time()
        self._began_s = began_s = time.monotonic()
        try:
            yield
        finally:
            self._began_s = None
            worked_s = time.thread_time() - worked_before_s
            if worked_s > self._work_max_s:
                seen_s, where = self._seen
                self._report(Blocked(worked_s, where if seen_s == began_s else ()))

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_S):
            began_s = self._began_s
            if (
                began_s is None
                or time.monotonic() - began_s < self._work_max_s / 2
                or self._seen[0] == began_s
            ):
                continue
            frame = sys._current_frames().get(self.thread_id)
            if frame is not None:
                self._seen = began_s, _lines(traceback.extract_stack(frame))


def _lines(stack: traceback.StackSummary) -> tuple[str, ...]:
    """Return where a callback is, without what called it."""
    outer = max(
        (number for number, it in enumerate(stack) if it.name == _Watchdog.observed.__name__), default=-1
    )
    return tuple(f"{it.filename}:{it.lineno} {it.name}" for it in stack[outer + 1 :][-LINES_SHOWN:])
