"""What Stepwell claims about speed, as programs that print JSON."""

import multiprocessing
import signal
import threading

# A time-out that asks a program to end does what Ctrl-C does: its servers, and their PostgreSQL, end with it. Processes
# of its own end silently, as pools end them.
if (
    threading.current_thread() is threading.main_thread()
    and multiprocessing.current_process().name == "MainProcess"
):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
