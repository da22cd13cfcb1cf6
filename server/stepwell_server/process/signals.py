"""How a process of the server is told to stop."""

import asyncio
import signal

from stepwell_server.process.logger import get_logger

log = get_logger(__name__)


def stop_on_signals() -> None:
    """Let the first SIGTERM, SIGINT or SIGHUP cancel the current task; later ones do nothing: the stop is bounded.

    SIGHUP says that the terminal is gone; whoever started the server to outlive it (nohup) has it ignored.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(number: signal.Signals) -> None:
        log.info("asked to stop", signal=number.name)
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if not (number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN):
            loop.add_signal_handler(number, stop, number)
