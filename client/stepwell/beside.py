"""What a log call leaves to a thread of the process: pictures to draw, files to send, ends of runs.

What is needed of objects that training may change is taken at the call; a piece of work holds copies. Pieces are done
one after another, in the order in which they came, each in the context (active run, ...) of the call that left it. Who
reads a run, or ends one, waits for its pieces; the end of the process waits for all. A forked child begins with none:
its parent does them.

While the process trains they are put off, for a while: the thread would take the interpreter from the training, for up
to 5 ms each time.
"""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import cache
from logging import getLogger

from stepwell import settings

# Of copies that wait, together, and of pieces; then a call waits until there is room. A larger one waits to be alone.
# Most pieces hold a run open, with up to eight descriptors of its spool: 512 of the 1,024 that processes may have.
BYTES_MAX = 256 * 2**20
PIECES_MAX = 64
# How long the thread stays when there is nothing left: to begin one takes a while on a machine that is busy.
LINGER_S = 10.0
# How long a piece is put off while something trains, unless somebody waits for it. In a row of short trainings all of
# them are done before what they left is.
PUT_OFF_S = 1.0
# How often the thread looks meanwhile whether something still trains, and for how long nothing is to: between two fits
# of a row it would begin just when the next one does. Nobody wakes it: that takes the interpreter from who trains.
BREATH_S = 0.1

_log = getLogger("stepwell")


@dataclass(frozen=True, eq=False)
class Piece:
    """Some work for a run; `size_bytes` is what it holds."""

    number: int
    run_id: str
    work: Callable[[], object]
    size_bytes: int
    context: Context
    left_s: float = field(default_factory=time.monotonic)


class Beside:
    """Pieces that wait, and the thread that does them, which is there while there are any, and a little longer."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pieces: deque[Piece] = deque()  # the first one is being done
        self._given = 0
        self._done = 0
        self._thread: threading.Thread | None = None
        # Trainings that go on, and calls that wait: for pieces, or for room.
        self._trainings = 0
        self._trained_s = -math.inf  # when the last one ended
        self._waiting = 0
        self.has_ended = False

    def leave(self, run_id: str, work: Callable[[], object], size_bytes: int = 0) -> None:
        """Leave a piece of work; it is done at once within another one, and where the process ends."""
        context = copy_context()
        if self._is_within() or not self._queue(run_id, work, size_bytes, context):
            _do(work, context)

    def wait(self, run_id: str | None = None, timeout_s: float | None = None) -> int:
        """Wait until what was left for a run, or for any, is done; returns how many pieces are not."""
        if self._is_within():
            return 0
        moment = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            numbers = [piece.number for piece in self._pieces if run_id in (None, piece.run_id)]
            while numbers and self._done < numbers[-1]:
                remaining_s = None if moment is None else moment - time.monotonic()
                if remaining_s is not None and remaining_s <= 0:
                    break
                self._await_change(remaining_s)
            return sum(number > self._done for number in numbers)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Put pieces off while the block trains, for PUT_OFF_S at most."""
        with self._changed:
            self._trainings += 1
        try:
            yield
        finally:
            with self._changed:
                self._trainings = max(self._trainings - 1, 0)  # a fork within has begun with none
                self._trained_s = time.monotonic()

    def trains_alone(self) -> bool:
        """Tell whether at most one thread trains."""
        return self._trainings <= 1

    def give_way(self) -> None:
        """Within a piece, between two parts of it: let what trains go first, as before a piece."""
        if self._is_within():
            with self._changed:
                self._await_turn()

    def finish(self, timeout_s: float) -> int:
        """Wait for all of it, and from then on do work at the call; returns how many pieces are not done."""
        left = self.wait(None, timeout_s)
        self.has_ended = True
        return left

    def _is_within(self) -> bool:
        return threading.current_thread() is self._thread

    def _queue(self, run_id: str, work: Callable[[], object], size_bytes: int, context: Context) -> bool:
        with self._changed:
            while not self._has_room(size_bytes):
                self._await_change(None)
            if self.has_ended:
                return False
            self._given += 1
            self._pieces.append(Piece(self._given, run_id, work, size_bytes, context))
            if len(self._pieces) == 1:
                self._changed.notify_all()
            try:
                self._start()
            except RuntimeError:  # the interpreter ends, and takes no more threads
                self._given -= 1
                self._pieces.pop()
                return False
        return True

    def _await_change(self, timeout_s: float | None) -> None:
        """Wait, while nothing is put off any more."""
        self._waiting += 1
        if self._waiting == 1:
            self._changed.notify_all()
        try:
            self._changed.wait(timeout_s)
        finally:
            self._waiting -= 1

    def _await_turn(self) -> None:
        """Wait until the first piece is not put off any more."""
        due_s = self._pieces[0].left_s + PUT_OFF_S
        while self._is_training() and not self._waiting and (remaining_s := due_s - time.monotonic()) > 0:
            self._changed.wait(min(remaining_s, BREATH_S))

    def _is_training(self) -> bool:
        """Tell whether something trains, or did a moment ago."""
        return self._trainings > 0 or time.monotonic() - self._trained_s < BREATH_S

    def _has_room(self, size_bytes: int) -> bool:
        held = sum(piece.size_bytes for piece in self._pieces)
        return not self._pieces or (len(self._pieces) < PIECES_MAX and held + size_bytes <= BYTES_MAX)

    def _start(self) -> None:
        if self._thread is None:
            _finish_before_threads_end()
            thread = threading.Thread(target=self._serve, name="stepwell-beside", daemon=True)
            self._thread = thread
            thread.start()

    def _serve(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._pieces, LINGER_S):
                    self._thread = None
                    return
                self._await_turn()
                piece = self._pieces[0]
            _do(piece.work, piece.context)
            with self._changed:
                self._pieces.popleft()
                self._done = piece.number
                del piece
                self._changed.notify_all()


def _do(work: Callable[[], object], context: Context) -> None:
    try:
        context.run(work)
    except Exception as failure:  # noqa: BLE001 - nobody is there to hear it
        _log.warning("Something could not be logged: %s: %s", type(failure).__name__, failure)


_beside = Beside()


def leave(run_id: str, work: Callable[[], object], size_bytes: int = 0) -> None:
    """Leave a piece of work for a run to the thread; `size_bytes` of copies are held until it is done."""
    _beside.leave(run_id, work, size_bytes)


@contextmanager
def training() -> Iterator[None]:
    """Put what was left off while the block trains: for PUT_OFF_S at most, and not while somebody waits for it."""
    with _beside.training():
        yield


def trains_alone() -> bool:
    """Tell whether at most one thread is in a block that trains."""
    return _beside.trains_alone()


def give_way() -> None:
    """Within a piece, between two parts of it: let what trains go first."""
    _beside.give_way()


def wait(run_id: str | None = None, timeout_s: float | None = None) -> int:
    """Wait until what was left for a run, or for any, is done; returns how many pieces are not. None: for ever."""
    return _beside.wait(run_id, timeout_s)


def finish() -> None:
    """Wait for all of it, at the end of the process, for STEPWELL_EXIT_TIMEOUT_S; tell what is not done."""
    if _beside.has_ended:
        return
    left = _beside.finish(settings.exit_timeout_s())
    if left:
        _log.warning(
            "Of what autologging left for later (pictures, models, ends of runs) %d pieces are not logged: the process "
            "ends, and has waited %g s for them (STEPWELL_EXIT_TIMEOUT_S).",
            left,
            settings.exit_timeout_s(),
        )


@cache
def _finish_before_threads_end() -> None:
    """Finish before the interpreter lets no more threads begin, which uploads need: functions of atexit come later."""
    import concurrent.futures.thread  # noqa: F401 - registers its own end, which is to come after ours

    threading._register_atexit(finish)  # type: ignore[attr-defined]


def _start_over_in_child() -> None:
    _beside.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_start_over_in_child)
