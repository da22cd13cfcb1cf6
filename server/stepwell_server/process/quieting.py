"""Lines of the log that a caller can cause as often as he likes: some are written, the rest is counted."""

import logging
import time
from collections import OrderedDict

# Lines of one kind in one period; then one more says how many were left out.
LINES_MAX = 10
PERIOD_S = 10.0
# Kinds that are counted at once; the oldest is forgotten.
KINDS_MAX = 1_000


class Quieter:
    """Tells which lines may be written."""

    def __init__(self, lines_max: int = LINES_MAX, period_s: float = PERIOD_S) -> None:
        self._lines_max = lines_max
        self._period_s = period_s
        self._kinds: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def left_out(self, kind: str) -> int | None:
        """Return how many lines of a kind were left out before this one; None when this one is left out, too."""
        now_s = time.monotonic()
        began_s, count = self._kinds.pop(kind, (now_s, 0))
        left_out = 0
        if now_s - began_s >= self._period_s:
            began_s, count, left_out = now_s, 0, max(0, count - self._lines_max)
        self._kinds[kind] = began_s, count + 1
        if len(self._kinds) > KINDS_MAX:
            self._kinds.popitem(last=False)
        return left_out if count < self._lines_max else None


class QuietLibrary(logging.Filter):
    """Writes what a library logs about calls as single lines, and not more of them than a quieter allows."""

    def __init__(self, logger: str) -> None:
        super().__init__()
        self._logger = logger
        self._quieter = Quieter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record through; takes its traceback away."""
        if record.name.partition(".")[0] != self._logger:
            return True
        left_out = self._quieter.left_out(f"{record.name} {record.levelno}")
        if left_out is None:
            return False
        if record.exc_info and record.exc_info[1] is not None:
            record.msg = f"{record.getMessage()}: {record.exc_info[1]!r}"[:500]
            record.args = ()
        record.exc_info = record.exc_text = None
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like this were left out)"
        return True
