"""Ctrl-C while a command is started: it waits until there is somebody who can stop the command."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

Handler = Callable[[int, FrameType | None], object]


class HeldInterrupts:
    """Holds back SIGINT, SIGTERM and SIGHUP from `hold` to `release`, or to the end of the context.

    Where handlers are not Python's, and in threads other than the main one, which hears no signals, nothing is held.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._came: list[int] = []

    def hold(self) -> None:
        """Note signals from now on instead of acting on them."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, lambda came, _frame: self._came.append(came))

    def release(self) -> None:
        """Act on signals again, and on the first that came meanwhile. Raises what its handler raises."""
        handlers, self._handlers = self._handlers, {}
        for number, handler in handlers.items():
            signal.signal(number, handler)
        came, self._came = self._came, []
        if came:
            handlers[came[0]](came[0], None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
