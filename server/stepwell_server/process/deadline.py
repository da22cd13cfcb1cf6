"""One point in time that all steps of a shutdown share."""

import time


class Deadline:
    """Tells each step of a shutdown how long it may still take.

    The clock starts with the first `start()`; before that, the whole time remains.
    """

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._end: float | None = None

    def start(self) -> float:
        """Start the clock, unless it runs already, and return the seconds that remain."""
        if self._end is None:
            self._end = time.monotonic() + self._total_s
        return self.remaining_s()

    def remaining_s(self, share: float = 1.0) -> float:
        """Return the seconds that remain, never negative; `share` of them when a step must leave some over."""
        if self._end is None:
            return self._total_s * share
        return max(0.0, self._end - time.monotonic()) * share
