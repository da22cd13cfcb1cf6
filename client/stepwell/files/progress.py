"""Progress of long transfers: a bar of tqdm on a terminal, if tqdm is installed; otherwise nothing is shown."""

import sys
import threading
from types import TracebackType
from typing import Any, Protocol, Self

from stepwell.files import options

# Transfers below this are over before anybody has read the bar.
SHOWN_BYTES_MIN = 64 * 2**20
SHOWN_FILES_MIN = 200


class Progress(Protocol):
    """Hears of bytes that travelled; may be called from any thread."""

    def add(self, count: int) -> None:
        """Take note of so many bytes; fewer than none when they have to travel again."""
        ...


class Bar:
    """A bar for a transfer of `total` bytes and `files` files. Also counts, whether or not it shows anything."""

    def __init__(self, title: str, total: int, files: int) -> None:
        self.done = 0
        self._lock = threading.Lock()
        self._bar = _tqdm(title, total) if total >= SHOWN_BYTES_MIN or files >= SHOWN_FILES_MIN else None

    def add(self, count: int) -> None:
        """See `Progress`."""
        with self._lock:
            self.done += count
            if self._bar is not None:
                self._bar.update(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _tqdm(title: str, total: int) -> Any:
    if not options.progress() or not (sys.stderr and sys.stderr.isatty()):
        return None
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return None
    return tqdm(desc=title, total=total, unit="B", unit_scale=True, unit_divisor=1024)
