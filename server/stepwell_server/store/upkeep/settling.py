"""Which chunks have been there for a while.

Who watches a run reads what is new from its small chunks. A merge mixes old and new points, so chunks are left alone
until every watcher that is awake has read them. No clock is stored: the leader remembers where writers stood.
"""

import time
from collections.abc import Callable
from uuid import UUID

# A watcher that reconnects within this time goes on without a repeat.
SETTLE_S = 30.0

Writer = tuple[UUID, UUID]


class Settling:
    """Remembers the positions of writers that have fresh chunks, for as long as they have."""

    def __init__(self, settle_s: float = SETTLE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._marks: dict[Writer, list[tuple[float, int]]] = {}
        self._seen: set[Writer] = set()

    def settled_position(self, writer: Writer, position: int) -> int:
        """Note where a writer stands, and return where it stood `settle_s` ago: 0 if that is not known."""
        now = self._clock()
        self._seen.add(writer)
        marks = self._marks.setdefault(writer, [])
        if not marks or marks[-1][1] != position:
            marks.append((now, position))
        old = [mark for mark in marks if mark[0] <= now - self._settle_s]
        if not old:
            return 0
        del marks[: len(old) - 1]
        return old[-1][1]

    def end_round(self) -> None:
        """Forget the writers that this round did not meet."""
        self._marks = {writer: marks for writer, marks in self._marks.items() if writer in self._seen}
        self._seen = set()
