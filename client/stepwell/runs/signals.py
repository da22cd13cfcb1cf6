"""SIGTERM: what calls have left for later is done, the open runs end as KILLED, and what waits is delivered.

Then the signal does what it always does. Pools of processes send it to workers that have nothing left to do.

A fork does not handle it until it begins a run: where a worker is about to wait for its pool's work, Python may hear of
a signal that it handles without waking up, and who sent it waits for ever.
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

_handler: Callable[[int, FrameType | None], None] | None = None


def handle_termination(end_open_runs: Callable[[str], None]) -> None:
    """Handle SIGTERM, unless the program or somebody else handles it, or this is no main thread."""
    global _handler

    def on_term(number: int, frame: FrameType | None) -> None:
        # A second SIGTERM ends the process at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        moment = deadline(TERM_TIMEOUT_S)
        room.give_up_in(TERM_TIMEOUT_S / 2)
        beside.wait(timeout_s=TERM_TIMEOUT_S / 2)
        end_open_runs("KILLED")
        logs.flush_all(remaining_s(moment))
        os.kill(os.getpid(), signal.SIGTERM)

    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        _handler = on_term
        signal.signal(signal.SIGTERM, on_term)


def _leave_to_default_in_child() -> None:
    if _handler is not None and signal.getsignal(signal.SIGTERM) is _handler:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


os.register_at_fork(after_in_child=_leave_to_default_in_child)
