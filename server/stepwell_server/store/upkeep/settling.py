"""Which chunks have been there for a while, and which writers may have enough of them for a merge.

Who watches a run reads what is new from its small chunks. A merge mixes old and new points, so chunks are left alone
until every watcher that is awake has read them. No clock is stored with chunks: who compacts remembers where writers
stood. It also remembers what it saw when it looked at a writer's chunks, so that it does not read those again that
cannot be due. Who compacts the range next gets all of that as notes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

# A watcher that reconnects within this time goes on without a repeat.
SETTLE_S = 30.0
# Notes of a range have so many marks, 0.45 MB; of the writers beyond it the next process knows nothing.
NOTED_MARKS_MAX = 8_192

_NOTE = np.dtype(
    [("run", "V16"), ("writer", "V16"), ("age_s", "f8"), ("position", "i8"), ("fullest", "i4"), ("due", "i4")]
)

Writer = tuple[UUID, UUID]


@dataclass(slots=True)
class _Mark:
    """Where a writer stood, and how many fresh chunks that of its series had that had most."""

    time_s: float
    position: int
    fullest: int


@dataclass(slots=True)
class _Seen:
    marks: list[_Mark] = field(default_factory=list)
    # Before its fullest series has so many settled chunks, nothing is due.
    due_chunks: int = 1


class Settling:
    """Remembers writers that have fresh chunks, for as long as they have."""

    def __init__(self, settle_s: float = SETTLE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._writers: dict[Writer, _Seen] = {}
        self._met: set[Writer] = set()

    def note(self, writer: Writer, position: int, fullest: int) -> None:
        """Note where a writer stands, and how many fresh chunks the fullest of its series has."""
        now = self._clock()
        self._met.add(writer)
        marks = self._writers.setdefault(writer, _Seen()).marks
        if not marks or marks[-1].position != position:
            marks.append(_Mark(now, position, fullest))
        old = sum(mark.time_s <= now - self._settle_s for mark in marks)
        del marks[: max(0, old - 1)]

    def settled_position(self, writer: Writer) -> int:
        """Return where a writer stood `settle_s` ago: 0 if that is not known."""
        mark = self._settled(writer)
        return mark.position if mark else 0

    def may_be_due(self, writer: Writer) -> bool:
        """Tell whether a writer that goes on may have settled chunks that are due."""
        mark = self._settled(writer)
        return mark is not None and mark.fullest >= self._writers[writer].due_chunks

    def expect(self, writer: Writer, due_chunks: int, *, merged: bool) -> None:
        """Remember what a look at a writer's chunks came to: what is left is not due before a series has so many."""
        seen = self._writers[writer]
        seen.due_chunks = due_chunks
        if merged:  # what was counted is gone; what came since has yet to settle
            for mark in seen.marks:
                mark.fullest = 0

    def end_round(self) -> bytes:
        """Forget the writers that this round did not meet; returns notes about the others."""
        self._writers = {writer: seen for writer, seen in self._writers.items() if writer in self._met}
        self._met = set()
        now = self._clock()
        notes = [
            (run.bytes, writer.bytes, now - mark.time_s, mark.position, mark.fullest, seen.due_chunks)
            for (run, writer), seen in self._writers.items()
            for mark in seen.marks
        ]
        return np.array(notes[:NOTED_MARKS_MAX], _NOTE).tobytes()

    def resume(self, notes: bytes, age_s: float) -> None:
        """Remember what another process did at the end of its round, so many seconds ago, and nothing else."""
        self._writers = {}
        ended_s = self._clock() - age_s
        for run, writer, old_s, position, fullest, due in np.frombuffer(notes, _NOTE).tolist():
            seen = self._writers.setdefault((UUID(bytes=run), UUID(bytes=writer)), _Seen(due_chunks=due))
            seen.marks.append(_Mark(ended_s - old_s, position, fullest))

    def _settled(self, writer: Writer) -> _Mark | None:
        marks = self._writers[writer].marks
        return marks[0] if marks and marks[0].time_s <= self._clock() - self._settle_s else None
