"""The log of what one writer has not delivered yet, in files: what is appended is safe when the call returns.

    positions   0        1        2        3        4 ...
              +--------+--------+--------+--------+--------+
    segments  | point  | entry  | point  | array  |        |   fixed-size records in memory-mapped files
              +--------+---|----+--------+---|----+--------+
    log files          [Param(...)]       [1000 points]         checksummed frames

To append a point, a thread reserves a slot with one atomic step and writes the record with one call; there is no lock.
`reader.py` reads the files, in this process or another one; README.md draws them.
"""

import contextlib
import errno
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TypeVar

from stepwell.errors import StepwellException, invalid
from stepwell.spool import arrays, committed, room
from stepwell.spool.arrays import ARRAY_POINTS_MAX, ArrayPoints
from stepwell.spool.frames import FRAMES_AT_ONCE_MAX, FrameFile, Kind
from stepwell.spool.full_segments import FullSegments
from stepwell.spool.names import METRICS_MAX, NamesFile
from stepwell.spool.records import (
    ARRAY_MARK,
    ENTRY_MARK,
    NS_PER_MS,
    RECORD_BYTES,
    TWICE,
    VOID_MARK,
    pack_after_head_into,
    pack_head,
    pack_into,
)
from stepwell.spool.segment import FIRST_SEGMENT_RECORDS, Segment, next_records
from stepwell.spool.segment_files import parse_segment_name, segment_name

# What `Spool.groups` may take in memory, 2 MiB; beyond, it starts over.
GROUPS_BYTES_MAX = 2 * 2**20
# Of it: two tuples and an entry of the dictionary for a group, and two references for each name.
GROUP_BYTES = 250
GROUPED_NAME_BYTES = 2 * 8
# A log file that has become so long (4 MiB) is followed by another one, so that delivered ones can go.
LOG_FILE_BYTES = 4 * 2**20
# What is written at once of many entries: 64 KiB, so that even a small spool has room for it.
APPEND_BYTES_MAX = 64 * 1024
# Large segments that are made ahead of time; of the small ones at the beginning it is one. At a million points a second
# a segment lasts 8 ms. Making one takes 0.2 ms, but the thread may wait 5 ms for the interpreter, several times. Where
# that is too slow log calls make their own: 20 ns a point.
PREPARED_SEGMENTS = 8
# How often a log call that waits for room looks for it, besides being woken by deliveries.
ROOM_POLL_S = 0.25

T = TypeVar("T")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_log = getLogger("stepwell")

# Called with (name, step, timestamp_ms, value) when a point comes after the spool was sealed.
AfterSeal = Callable[[str, int, int, float], None]


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How much a spool may take on disk, in bytes, and what happens there: `block`, `drop_oldest` or `raise`."""

    bytes_max: int
    when_full: str


class SealedError(Exception):
    """The spool takes nothing more; a new one has to be begun."""


def log_file_name(number: int) -> str:
    """File name of a log file."""
    return f"log-{number:08x}"


class Spool:
    """A writer's log on disk: appended to by any thread of one process.

    `append_point(number, step, time_ns, value)` and `append_points(numbers, step, time_ns, values)` are attributes that
    are replaced with each segment, so they must be looked up anew for each call. They raise StepwellException
    INVALID_PARAMETER_VALUE when the step, or the time in milliseconds, is no 64-bit integer; RESOURCE_EXHAUSTED at the
    limit, if the limit says `raise`.
    """

    def __init__(
        self,
        folder: Path,
        limits: SpoolLimits,
        after_seal: AfterSeal,
        on_extend: Callable[[], object] = lambda: None,
    ) -> None:
        """Begin an empty log. `on_extend` is called by log calls that come to a new segment: `prepare` is due."""
        self.folder = folder
        self.dropped = 0
        # Whether somebody has removed the files: then it takes nothing more.
        self.is_gone = False
        self._limits = limits
        self._after_seal = after_seal
        self._on_extend = on_extend
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._names = NamesFile(folder)
        # Metric name -> number, for the fast path of the log functions: what is in it is valid.
        self.numbers: dict[str, int] = {}
        self._last_number = 0
        # The same for names that are logged together, and what that takes in memory.
        self.groups: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._groups_bytes = 0
        self._log_number = 0
        self._log_file = FrameFile(folder / log_file_name(0))
        # Log files that are complete: number, one past the last position that refers to them, bytes.
        self._full_logs: deque[tuple[int, int, int]] = deque()
        self._array_points = 0
        self._bytes = 0
        # Since when nothing could be written (time.monotonic()), if that is so.
        self._full_since_s: float | None = None
        self._told_full = False
        self._sealed = False
        # Made ahead of time, in order; and whether the background thread is making the next one.
        self._prepared: deque[Segment] = deque()
        self._making = False
        # Whether a log call is making a segment, with the lock held.
        self._is_making_here = False
        self._noted_committed = 0
        # Full segments below are written through to the disk; and which one was in use then.
        self._written_through = 0
        self._last_in_use = -1
        # Only the segment in use is mapped, and for a moment the one before it, by log calls that have taken a slot in
        # it. Of others just the files are known: memory stays small.
        self._full_segments = FullSegments()
        self._use(self._new_segment(0, FIRST_SEGMENT_RECORDS))

    @property
    def bytes_on_disk(self) -> int:
        """What its files take, in bytes."""
        return self._bytes

    @property
    def extra_points(self) -> int:
        """By how much the points in arrays exceed the positions that the arrays, and slots without a record, take."""
        return self._array_points

    def number_of(self, name: str) -> int:
        """Return the number under which a metric's points are appended, the same each time.

        Raises:
            StepwellException: RESOURCE_EXHAUSTED beyond METRICS_MAX names.
            SealedError: the name is new, and the spool is sealed.
        """
        with self._lock:
            number = self.numbers.get(name)
            if number is None:
                if self._sealed:
                    raise SealedError
                if self._last_number == METRICS_MAX:
                    raise StepwellException(f"A run has at most {METRICS_MAX} metrics.", "RESOURCE_EXHAUSTED")
                # Not given again where this call is interrupted (Ctrl-C): the file may have a name for it.
                next_number = self._last_number = self._last_number + 1
                self._with_room(lambda: self._names.append(next_number, name))
                number = self.numbers[name] = next_number
            return number

    def remember_group(self, names: tuple[str, ...]) -> None:
        """Put names that are logged together into `groups`; errors as for `number_of`."""
        if names in self.groups:
            return
        numbers = tuple(map(self.number_of, names))
        size = GROUP_BYTES + len(names) * GROUPED_NAME_BYTES
        with self._lock:
            if self._groups_bytes + size > GROUPS_BYTES_MAX:
                self.groups.clear()
                self._groups_bytes = 0
            self.groups[names] = numbers
            self._groups_bytes += size

    def name_of(self, number: int) -> str:
        """Return the metric's name behind a number."""
        return next(name for name, known in self.numbers.items() if known == number)

    def append_entry(self, payload: bytes) -> None:
        """Append an entry, an encoded `Entry` message; errors as for points, and SealedError."""
        self.append_entries(deque([payload]))

    def append_entries(self, payloads: deque[bytes]) -> None:
        """Append entries, many with one write. Each leaves the queue when it is safe; errors as for one."""
        self._append_frames(Kind.ENTRY, payloads, ENTRY_MARK)

    def append_array(self, points: ArrayPoints) -> None:
        """Append points of one metric, at least one; errors as for points."""
        for start in range(0, len(points), ARRAY_POINTS_MAX):
            span = slice(start, start + ARRAY_POINTS_MAX)
            columns = points.steps[span], points.timestamps_ms[span], points.values[span]
            piece = ArrayPoints(points.number, *columns)
            self._append_frames(Kind.ARRAY, deque([arrays.encode(piece)]), ARRAY_MARK, len(piece))
            self._array_points += len(piece) - 1

    def end_position(self) -> int:
        """Return one past the last finished record: what this thread appended lies below."""
        with self._lock:
            return self._segment.finished_position()

    def remove_below(self, position: int) -> None:
        """Delete the files of which everything lies below a position; it is delivered."""
        while (delivered := self._take_below(position)) is not None:
            path, size = delivered
            self._note_committed(position)
            path.unlink(missing_ok=True)  # outside of the lock: it takes its time
            with self._lock:
                self._bytes -= size
                self._room.notify_all()

    def _note_committed(self, position: int) -> None:
        """Write down, before anything goes, that the server had it: see `known_position` in ingest.proto."""
        if position > self._noted_committed:
            self._noted_committed = position
            with contextlib.suppress(OSError):  # a full disk; then it is not known
                committed.note(self.folder, position)

    def _take_below(self, position: int) -> tuple[Path, int] | None:
        """Take a file of which everything lies below a position from the list; returns it and its size."""
        with self._lock:
            if self._full_segments and sum(self._full_segments.oldest) <= position:
                return self._take_oldest()
            if self._full_logs and self._full_logs[0][1] <= position:
                number, _, size = self._full_logs.popleft()
                return self.folder / log_file_name(number), size
            return None

    def prepare(self) -> None:
        """Make the next segments ahead of time: for one background thread."""
        while (span := self._plan_segment()) is not None:
            segment = None
            with contextlib.suppress(OSError):  # the log call that needs it meets the same and decides
                segment = Segment(self.folder, *span)
            self._add_prepared(segment, span[1] * RECORD_BYTES)
            if segment is None:
                return

    def _plan_segment(self) -> tuple[int, int] | None:
        """Say where the next segment to be made begins and how many records it has; None if enough are made."""
        with self._lock:
            last = self._prepared[-1] if self._prepared else self._segment
            records = self._next_records(last)
            enough = PREPARED_SEGMENTS if len(last.buffer) == records * RECORD_BYTES else 1
            if self._sealed or self._making or len(self._prepared) >= enough:
                return None
            if not self._fits(records * RECORD_BYTES):
                return None
            self._making = True
            self._bytes += records * RECORD_BYTES
            return last.end_position, records

    def _add_prepared(self, segment: Segment | None, size: int) -> None:
        """Hand over a segment that was made outside of the lock, or say that it could not be."""
        with self._lock:
            self._making = False
            if segment is None:
                self._bytes -= size
            else:
                self._prepared.append(segment)
            self._room.notify_all()

    def write_through(self) -> None:
        """Write the files through to the disk: what was there at the last call is safe even from a power cut.

        For a background thread: it takes as long as the disk takes. A segment that came into use since the last call
        is left alone: a log call that writes to what is just being written through may have to wait for the disk.
        """
        in_use = self._segment.first_position
        end = in_use + (in_use == self._last_in_use)
        with contextlib.suppress(FileNotFoundError):  # delivered meanwhile
            for name in os.listdir(self.folder):  # noqa: PTH208 - names are enough
                segment = parse_segment_name(name)
                if segment is None or (
                    segment.first_position < end and segment.end_position > self._written_through
                ):
                    _write_through(self.folder / name)
        self._written_through = self._last_in_use = in_use

    def seal(self) -> int:
        """Take nothing more. Points that come later go to `after_seal`; entries raise SealedError.

        Returns one past the last slot that was taken; other threads may be about to finish the last ones.
        """
        with self._lock:
            self._sealed = True
            taken = self._segment.close_to_appends()
            self._close_files()
            self._room.notify_all()
            return self._segment.first_position + taken

    def give_up(self) -> None:
        """Take nothing more, because somebody has removed the files."""
        self.is_gone = True
        self.seal()

    def close(self) -> None:
        """Let go of the files: now, and not when somebody collects garbage. What was finished stays known."""
        with self._lock:
            self._segment.finished_position()
            self.leave_to_parent()

    def leave_to_parent(self) -> None:
        """Let go of the files in a forked child, where a thread that is not there may have the lock."""
        self._sealed = True
        self._close_files()
        self._segment.let_go()
        self._use(self._segment)

    def _close_files(self) -> None:
        """Close what only who appends has open."""
        self._names.close()
        self._log_file.close()
        self._prepared.clear()

    def _use(self, segment: Segment) -> None:
        self._segment = segment
        buffer, reserve = segment.buffer, segment.offsets.__next__

        def append_point(number: int, step: int, time_ns: int, value: float) -> None:
            offset = reserve()
            try:
                pack_into(buffer, offset, step, time_ns, step, time_ns, value, value, number, number)
            except struct.error:
                self._append_elsewhere(segment, offset, number, step, time_ns, value)

        def append_points(numbers: Iterable[int], step: int, time_ns: int, values: Iterable[float]) -> None:
            try:
                head = pack_head(step, time_ns, step, time_ns)
            except struct.error:
                raise invalid(f"Step {step} is no 64-bit integer.") from None
            for number, value in zip(numbers, values, strict=True):
                offset = reserve()
                try:
                    pack_after_head_into(buffer, offset, head, value, value, number, number)
                except struct.error:
                    self._append_elsewhere(segment, offset, number, step, time_ns, value)

        self.append_point = append_point
        self.append_points = append_points

    def _append_elsewhere(
        self, segment: Segment, offset: int, number: int, step: int, time_ns: int, value: float
    ) -> None:
        time_ms = time_ns // NS_PER_MS
        if offset < len(segment.buffer):
            # The slot is taken, but its record cannot be: leave no gap behind.
            segment.void(offset)
            self._array_points -= 1  # a position without a point
            self._append_far_time(number, step, time_ms, value)
            return
        try:
            self._extend(segment)
        except SealedError:
            self._after_seal(self.name_of(number), step, time_ms, value)
            return
        self.append_point(number, step, time_ns, value)

    def _append_far_time(self, number: int, step: int, time_ms: int, value: float) -> None:
        """Append a point whose time in nanoseconds is no 64-bit integer (before 1677, after 2262) as an array."""
        import numpy as np

        try:
            steps, times = np.array([step], np.int64), np.array([time_ms], np.int64)
        except OverflowError:
            raise invalid(f"Step {step} or timestamp {time_ms} is no 64-bit integer.") from None
        try:
            self.append_array(ArrayPoints(number, steps, times, np.array([value], np.float64)))
        except SealedError:
            self._after_seal(self.name_of(number), step, time_ms, value)

    def _append_frames(self, kind: Kind, payloads: deque[bytes], mark: int, points: int = 0) -> None:
        while payloads:
            with self._lock:
                if self._sealed:
                    raise SealedError
                self._rotate_log()
                # First what they say, then their marks: a reader that sees a mark finds the rest.
                offsets = self._write_frames(kind, _first_group(payloads))
                number = self._log_number
                for offset in offsets:
                    while not self._put_mark(self._segment, offset, number, mark, points):
                        self._extend(self._segment)
                    payloads.popleft()

    def _write_frames(self, kind: Kind, payloads: list[bytes]) -> list[int]:
        size = sum(map(len, payloads))
        offsets = self._with_room(lambda: self._log_file.append(kind, payloads), size)
        self._bytes += self._log_file.size - offsets[0]
        return offsets

    def _put_mark(self, segment: Segment, place: int, log_number: int, mark: int, points: int) -> bool:
        offset = next(segment.offsets)
        if offset >= len(segment.buffer):
            return False
        pack_into(segment.buffer, offset, place, log_number, place, log_number, points, points, mark, mark)
        return True

    def _rotate_log(self) -> None:
        if self._log_file.size < LOG_FILE_BYTES:
            return
        self._full_logs.append((self._log_number, self.end_position(), self._log_file.size))
        self._log_file.close()
        self._log_number += 1
        self._log_file = FrameFile(self.folder / log_file_name(self._log_number))

    def _extend(self, full: Segment) -> None:
        """Go on to the next segment, unless another thread has done so meanwhile."""
        with self._lock:
            segment = None
            while segment is None:
                if self._segment is not full:
                    return
                if self._sealed:
                    raise SealedError
                if self._prepared:
                    segment = self._prepared.popleft()
                elif self._making:
                    self._room.wait(ROOM_POLL_S)
                else:
                    segment = self._make_segment(full)
            self._full_segments.append(full.end_position - full.first_position)
            self._use(segment)
        self._on_extend()

    def _make_segment(self, full: Segment) -> Segment | None:
        """Make the segment after this one in a log call; None when there was no room, and now there may be."""
        records = self._next_records(full)
        return self._if_room(lambda: self._new_segment(full.end_position, records), records * RECORD_BYTES)

    def _next_records(self, segment: Segment) -> int:
        """How many records the next segment has: a quarter of the limit at most, so that some fit into it."""
        within_limit = max(self._limits.bytes_max // 4 // RECORD_BYTES, FIRST_SEGMENT_RECORDS)
        return min(next_records(segment.end_position - segment.first_position), within_limit)

    def _new_segment(self, first_position: int, records: int) -> Segment:
        if self._is_making_here:
            raise StepwellException(
                "This log call comes from within another one of its thread (a signal handler?) that is just making "
                "room for both. Log from the handler a little later.",
                "INVALID_STATE",
            )
        self._is_making_here = True  # whoever sees it has the lock, and so is of this thread
        try:
            segment = Segment(self.folder, first_position, records)
        finally:
            self._is_making_here = False
        self._bytes += len(segment.buffer)
        return segment

    def _take_oldest(self) -> tuple[Path, int]:
        """Take the oldest full segment from the list; returns its file and the bytes of it."""
        first_position, records = self._full_segments.pop_oldest()
        return self.folder / segment_name(first_position, records), records * RECORD_BYTES

    def _fits(self, size: int) -> bool:
        return self._bytes + size <= self._limits.bytes_max

    def _with_room(self, write: Callable[[], T], size: int = 0) -> T:
        """Write when there is room for it, in the limit and on the disk."""
        while (written := self._if_room(write, size)) is None:
            pass
        return written

    def _if_room(self, write: Callable[[], T], size: int) -> T | None:
        """Write if there is room for it; if not, do what the limit says, and return None when there may be."""
        if not self._fits(size):
            self._make_room(
                f"the spool {self.folder} has reached its limit of {self._limits.bytes_max} bytes",
                "raise STEPWELL_SPOOL_BYTES_MAX",
            )
            return None
        try:
            written = write()
            self._full_since_s = None
            return written
        except OSError as error:
            if not self.folder.exists():
                self.give_up()
                raise SealedError from error
            if error.errno not in _NO_ROOM:
                raise StepwellException(
                    f"The spool {self.folder} cannot be written: {error}. What was logged before is in it.",
                    "INTERNAL_ERROR",
                ) from error
        self._make_room(f"the disk of {self.folder} is full", "free some of it")
        return None

    def _make_room(self, reason: str, advice: str) -> None:
        """At the limit: wait a moment, drop the oldest segment, or raise."""
        if self._full_since_s is None:
            self._full_since_s = time.monotonic()
        dropping = self._limits.when_full == "drop_oldest" and bool(self._full_segments)
        may_wait = self._limits.when_full != "raise" and room.is_waited_for(self._full_since_s)
        if self._sealed or not (dropping or may_wait):
            raise StepwellException(
                f"Nothing more can be logged: {reason}. Deliver what waits with 'stepwell sync', or {advice}.",
                "RESOURCE_EXHAUSTED",
            )
        if not self._told_full:
            self._told_full = True
            _log.warning(
                "At its limit: %s. %s", reason, "The oldest goes." if dropping else "Log calls wait."
            )
        if dropping:
            self._drop_oldest()
        else:
            self._room.wait(ROOM_POLL_S)

    def _drop_oldest(self) -> None:
        path, size = self._take_oldest()
        marks = TWICE.records(path.read_bytes())["mark"]
        self.dropped += int(((marks != 0) & (marks != VOID_MARK)).sum())
        path.unlink(missing_ok=True)
        self._bytes -= size
        self._room.notify_all()


def _first_group(payloads: Iterable[bytes]) -> list[bytes]:
    """Take from the beginning what is written at once, at least one."""
    group: list[bytes] = []
    size = 0
    for payload in payloads:
        size += len(payload)
        if group and (size > APPEND_BYTES_MAX or len(group) == FRAMES_AT_ONCE_MAX):
            break
        group.append(payload)
    return group


def _write_through(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # delivered meanwhile
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
