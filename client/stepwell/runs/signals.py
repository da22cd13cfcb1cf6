"""SIGTERM and SIGHUP: what calls have left for later is done, the open runs end as KILLED, and what waits is delivered.

Then the signal does what it always does. Pools of processes send SIGTERM to workers that have nothing left to do.
SIGHUP says that the terminal is gone; a program that is to outlive it (nohup) ignores it, and goes on.

A fork does not handle them until it begins a run: where a worker is about to wait for its pool's work, Python may hear
of a signal that it handles without waking up, and who sent it waits for ever.
"""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from stepwell import beside
from stepwell.delivery import logs
from stepwell.delivery.progress import deadline, remaining_s
from stepwell.spool import room

# A scheduler that sends SIGTERM sends SIGKILL soon after, often within 10 to 30 s; what is left waits in the spool.
TERM_TIMEOUT_S = 5.0

_NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

_handler: Callable[[int, FrameType | None], None] | None = None


def handle_termination(end_open_runs: Callable[[str], None]) -> None:
    """Handle the signals that nobody else handles or ignores, if this is the main thread."""
    global _handler

    def on_end(number: int, frame: FrameType | None) -> None:
        # A second SIGTERM ends the process at once. SIGHUP comes twice as a rule, of the terminal and of its shell, and
        # from systemd right behind SIGTERM: the further ones say nothing new.
        for each in _handled():
            signal.signal(each, signal.SIG_DFL if each == signal.SIGTERM else signal.SIG_IGN)
        moment = deadline(TERM_TIMEOUT_S)
        room.give_up_in(TERM_TIMEOUT_S / 2)
        beside.wait(timeout_s=TERM_TIMEOUT_S / 2)
        end_open_runs("KILLED")
        logs.flush_all(remaining_s(moment))
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if threading.current_thread() is threading.main_thread():
        free = [number for number in _NUMBERS if signal.getsignal(number) is signal.SIG_DFL]
        if free:
            handled = _handled()
            _handler = on_end
            for number in {*free, *handled}:
                signal.signal(number, on_end)


def _handled() -> list[int]:
    return [number for number in _NUMBERS if _handler is not None and signal.getsignal(number) is _handler]


def _leave_to_default_in_child() -> None:
    for number in _handled():
        signal.signal(number, signal.SIG_DFL)


os.register_at_fork(after_in_child=_leave_to_default_in_child)
