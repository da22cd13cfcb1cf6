"""What Stepwell claims about speed, as programs that print JSON."""

import signal
import threading

# A time-out that asks a program to end does what Ctrl-C does: its servers, and their PostgreSQL, end with it.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
