"""SIGTERM: the open runs end as KILLED and what waits is delivered, then the signal does what it always does."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from stepwell.delivery import writer

# A scheduler that sends SIGTERM sends SIGKILL soon after, often within 10 to 30 s; what is left waits in the spool.
TERM_TIMEOUT_S = 5.0


def handle_termination(end_open_runs: Callable[[str], None]) -> None:
    """Handle SIGTERM, unless the program or somebody else handles it, or this is no main thread."""

    def on_term(number: int, frame: FrameType | None) -> None:
        # A second SIGTERM ends the process at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_open_runs("KILLED")
        writer.flush_all(TERM_TIMEOUT_S)
        os.kill(os.getpid(), signal.SIGTERM)

    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, on_term)
