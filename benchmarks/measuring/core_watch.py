"""Whose fault was it? Tells stalls of this process from those that other processes of the machine caused."""

import os
import time

_MOMENT = tuple[int, int]


class CoreWatch:
    """For one thread that never sleeps on purpose, on Linux: how long it was kept from its core, and by whom.

    A thread that could run and doesn't waits for its core: the kernel counts that. While it waits, either another
    thread of its process runs there, or something that is not ours. All threads are pinned to one core together, so
    what the waiting exceeds the processor time of the other threads by is the machine's doing.
    """

    def __init__(self) -> None:
        self._descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self.moment = self._now()

    def mark(self) -> None:
        """Begin anew: costs about 3 us."""
        self.moment = self._now()

    def others_ns(self) -> int:
        """How long others kept this thread from its core since the mark, in nanoseconds."""
        waited, ours = (now - then for now, then in zip(self._now(), self.moment, strict=True))
        return max(waited - ours, 0)

    def _now(self) -> _MOMENT:
        """Nanoseconds that this thread waited for its core, and that other threads of the process ran."""
        waited = int(os.pread(self._descriptor, 100, 0).split()[1])
        return waited, time.process_time_ns() - time.thread_time_ns()
