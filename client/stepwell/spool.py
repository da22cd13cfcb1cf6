"""The log of what one writer has not delivered yet. This one lives in memory.

    positions   0        1        2        3        4 ...
              +--------+--------+--------+--------+--------+
    segment   | point  | entry  | point  | void   |        |   fixed-size records in one buffer
              +--------+--------+--------+--------+--------+
    entries              {1: Param(...)}                       what an entry says is beside the segments

To append, a thread reserves a slot with one atomic step and writes the record with one call; there is no lock, so that
appending costs well under a microsecond. Readers see the finished records up to the first gap.

The border that another kind of spool has to keep: `number_of`, `append_point`, `append_entry`, `end_position`, `read`,
`forget_below`.
"""

import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from logging import getLogger
from typing import TYPE_CHECKING, Any

from stepwell.entities import Param, RunTag
from stepwell.errors import StepwellException, invalid
from stepwell.segment import ENTRY_MARK, RECORD_BYTES, VOID_MARK, Segment, pack_into

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Names of metrics that one process may use in one run; about 200 bytes each.
METRICS_MAX = 100_000
# Short runs stay small, long ones change the segment seldom: 32 KiB, then 256 KiB each.
FIRST_SEGMENT_RECORDS = 1_024
SEGMENT_RECORDS = 8_192
# What may wait in memory: 128 segments of 256 KiB = 32 MiB, about a million points. At the limit, log calls wait.
SEGMENTS_MAX = 128
# The same for params and tags, in characters.
ENTRY_CHARS_MAX = 8 * 2**20
# A slot that stays unfinished for so long although later ones are finished was abandoned: Ctrl-C hit its thread
# between the two steps of an append.
GAP_PATIENCE_S = 5.0

_log = getLogger("stepwell")


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The run's new status (a number of RunStatus) and, if it ended, when (milliseconds)."""

    status: int
    end_time_ms: int | None


Event = Param | RunTag | StatusChange


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece [first_position, end_position) of the log: points in columns, entries with their positions.

    `numbers` (of metric names), `steps`, `timestamps_ms` and `values` have the shape (points,).
    """

    first_position: int
    end_position: int
    numbers: "NDArray[Any]"
    steps: "NDArray[Any]"
    timestamps_ms: "NDArray[Any]"
    values: "NDArray[Any]"
    entries: list[tuple[int, Event]]

    def __len__(self) -> int:
        return len(self.numbers) + len(self.entries)


class Spool:
    """A writer's log in memory: bounded, appended to by any thread, read by one."""

    def __init__(self) -> None:
        self._room = threading.Condition()
        self._segment = Segment(0, FIRST_SEGMENT_RECORDS)
        self._segments = deque([self._segment])
        self._entries: dict[int, Event] = {}
        self._entry_chars = 0
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._gap: tuple[int, float] | None = None
        self._told_full = False

    def number_of(self, name: str) -> int:
        """Return the number under which a metric's points are appended, the same each time.

        Raises:
            StepwellException: RESOURCE_EXHAUSTED beyond METRICS_MAX names.
        """
        with self._room:
            if name not in self._numbers:
                if len(self._names) == METRICS_MAX:
                    raise StepwellException(f"A run has at most {METRICS_MAX} metrics.", "RESOURCE_EXHAUSTED")
                self._names.append(name)
                self._numbers[name] = len(self._names)
            return self._numbers[name]

    def name_of(self, number: int) -> str:
        """Return the metric's name behind a number."""
        return self._names[number - 1]

    def append_point(self, number: int, step: int, timestamp_ms: int, value: float) -> None:
        """Append one point; waits where the limit is reached.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when step or timestamp is no 64-bit integer.
        """
        segment = self._segment
        offset = next(segment.offsets)
        try:
            pack_into(segment.buffer, offset, step, timestamp_ms, value, number)
        except struct.error:
            self._append_elsewhere(segment, offset, (step, timestamp_ms, value, number))

    def append_entry(self, event: Event) -> None:
        """Append a param, a tag or a change of status; waits where the limit is reached."""
        chars = _chars(event)
        with self._room:
            self._wait_for_room(lambda: self._entry_chars + chars <= ENTRY_CHARS_MAX or not self._entries)
            self._entry_chars += chars
            while not self._put_entry(self._segment, event):
                self._extend(self._segment)

    def end_position(self) -> int:
        """Return one past the last finished record: what this thread appended lies below."""
        segment = self._segment
        finished = segment.records(segment.first_position)["mark"].nonzero()[0]
        return segment.first_position + (int(finished[-1]) + 1 if len(finished) else 0)

    def read(self, position: int, records_max: int, entry_chars_max: int) -> Slice | None:
        """Return the finished records from a position on, bounded in records and characters; None if there are none.

        One entry is returned even where it is longer than allowed.
        """
        if not self._has_finished(position):
            return None
        import numpy as np

        records = self._finished_records(position, records_max)
        end, entries = self._entries_of(records["mark"], position, entry_chars_max)
        records = records[: end - position]
        points = records[records["mark"] < VOID_MARK]
        numbers, steps, timestamps, values = (
            np.ascontiguousarray(points[name]) for name in ("mark", "step", "timestamp_ms", "value")
        )
        return Slice(position, end, numbers, steps, timestamps, values, entries)

    def forget_below(self, position: int) -> None:
        """Free what lies below a position; it will not be read again."""
        with self._room:
            while len(self._segments) > 1 and self._segments[0].end_position <= position:
                self._segments.popleft()
            for settled in list(takewhile(lambda each: each < position, self._entries)):
                self._entry_chars -= _chars(self._entries.pop(settled))
            self._room.notify_all()

    def _append_elsewhere(self, segment: Segment, offset: int, record: tuple[int, int, float, int]) -> None:
        if offset < len(segment.buffer):
            # The slot is taken, but its record cannot be: leave no gap behind.
            segment.void(offset)
            raise invalid(f"Step {record[0]} or timestamp {record[1]} is no 64-bit integer.")
        with self._room:
            if self._segment is segment:
                self._wait_for_room(lambda: len(self._segments) < SEGMENTS_MAX)
            self._extend(segment)
        step, timestamp_ms, value, number = record
        self.append_point(number, step, timestamp_ms, value)

    def _extend(self, full: Segment) -> None:
        if self._segment is full:
            segment = Segment(full.end_position, SEGMENT_RECORDS)
            self._segments.append(segment)
            self._segment = segment

    def _put_entry(self, segment: Segment, event: Event) -> bool:
        offset = next(segment.offsets)
        if offset >= len(segment.buffer):
            return False
        # First what it says, then its mark: a reader that sees the mark finds the rest.
        self._entries[segment.first_position + offset // RECORD_BYTES] = event
        pack_into(segment.buffer, offset, 0, 0, 0.0, ENTRY_MARK)
        return True

    def _wait_for_room(self, has_room: Callable[[], bool]) -> None:
        if not has_room() and not self._told_full:
            self._told_full = True
            _log.warning("Nothing more fits into memory until the server answers: log calls wait.")
        self._room.wait_for(has_room)

    def _segment_at(self, position: int) -> Segment | None:
        for segment in list(self._segments):
            if segment.first_position <= position < segment.end_position:
                return segment
        return None

    def _has_finished(self, position: int) -> bool:
        segment = self._segment_at(position)
        if segment is None:
            return False
        if segment.mark_at(position):
            self._gap = None
            return True
        return self._skips_gap(segment, position)

    def _skips_gap(self, segment: Segment, position: int) -> bool:
        """Give up an unfinished slot after a while, when later ones are finished; tells whether it did."""
        if not segment.records(position)["mark"].any() and segment is self._segment:
            return False
        if self._gap is None or self._gap[0] != position:
            self._gap = (position, time.monotonic())
        if time.monotonic() - self._gap[1] < GAP_PATIENCE_S:
            return False
        segment.void((position - segment.first_position) * RECORD_BYTES)
        return True

    def _finished_records(self, position: int, records_max: int) -> "NDArray[Any]":
        import numpy as np

        pieces = []
        missing = records_max
        while missing and (segment := self._segment_at(position)) is not None:
            piece = segment.records(position)[:missing]
            unfinished = np.flatnonzero(piece["mark"] == 0)
            pieces.append(piece[: unfinished[0]] if len(unfinished) else piece)
            if len(unfinished):
                break
            position += len(piece)
            missing -= len(piece)
        return np.concatenate(pieces)

    def _entries_of(
        self, marks: "NDArray[Any]", position: int, chars_max: int
    ) -> tuple[int, list[tuple[int, Event]]]:
        """Return where the slice ends and its entries: it ends before the entry that would make it too long."""
        entries: list[tuple[int, Event]] = []
        for index in (marks == ENTRY_MARK).nonzero()[0].tolist():
            event = self._entries[position + index]
            chars_max -= _chars(event)
            if chars_max < 0 and entries:
                return position + index, entries
            entries.append((position + index, event))
        return position + len(marks), entries


def _chars(event: Event) -> int:
    return 0 if isinstance(event, StatusChange) else len(event.key) + len(event.value)
