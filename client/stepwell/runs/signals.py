"""SIGTERM: what calls have left for later is done, the open runs end as KILLED, and what waits is delivered.

Then the signal does what it always does. Pools of processes send it to workers that have nothing left to do.
"""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from stepwell import beside
from stepwell.delivery import writer
from stepwell.delivery.progress import deadline, remaining_s

# A scheduler that sends SIGTERM sends SIGKILL soon after, often within 10 to 30 s; what is left waits in the spool.
TERM_TIMEOUT_S = 5.0


def handle_termination(end_open_runs: Callable[[str], None]) -> None:
    """Handle SIGTERM, unless the program or somebody else handles it, or this is no main thread."""

    def on_term(number: int, frame: FrameType | None) -> None:
        # A second SIGTERM ends the process at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        moment = deadline(TERM_TIMEOUT_S)
        beside.wait(timeout_s=TERM_TIMEOUT_S / 2)
        end_open_runs("KILLED")
        writer.flush_all(remaining_s(moment))
        os.kill(os.getpid(), signal.SIGTERM)

    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, on_term)
