"""Reads a spool's files: those of this process while it appends, or those of another one, alive or dead."""

import contextlib
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.spool import arrays, committed, safe_files
from stepwell.spool.arrays import ARRAY_POINTS_MAX
from stepwell.spool.committed import COMMITTED_FILE
from stepwell.spool.damage import DamageReport
from stepwell.spool.frames import DamagedFrameError, FrameReader, Kind
from stepwell.spool.log import log_file_name
from stepwell.spool.names import NAMES_FILE, KnownNames
from stepwell.spool.records import ARRAY_MARK, ENTRY_MARK, NUMBER_END, VOID_MARK, taken_in_a_row
from stepwell.spool.segment_files import MappedSegment, SegmentFile, map_segment
from stepwell.spool.segments import Segments
from stepwell.spool.slices import Slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A slot that stays unfinished for so long although later ones are finished was abandoned: Ctrl-C hit its thread
# between the two steps of an append. In the spool of a dead process nothing is waited for.
GAP_PATIENCE_S = 5.0
# How often to look behind an unfinished record of a living process: a whole segment has to be read for it.
GAP_LOOK_S = 1.0
# So many unfinished records in a row may be those of threads whose process ended within a log call; a page that
# never came to the disk has 73.
ABANDONED_MAX = 64
# A record that looks damaged while its process lives is looked at again after so long: of what another processor
# writes, the mark may be seen first.
LOOK_TWICE_S = 0.001
# How the names of the files begin that are read.
_READ = ("points", "log-", NAMES_FILE, COMMITTED_FILE)


class SpoolReader:
    """Reads one spool in order of position. `alive` tells that somebody may append to it meanwhile.

    `damage` collects what could not be read on the way. Of a file that is no part of a spool, or not safe to open
    (safe_files.py), OSError is raised, and UnreadableSpoolError where the segments do not fit together.
    """

    def __init__(self, folder: Path, *, alive: bool) -> None:
        self.folder = folder
        self.damage = DamageReport(f"The spool {folder}")
        # By how much the points in the arrays that were read exceed the positions that they take.
        self.extra_points = 0
        self._alive = alive
        self._segments = Segments(folder, alive=alive)
        self._mapped: MappedSegment | None = None
        self._names = KnownNames(folder)
        self._gap: tuple[int, float] | None = None
        self._looked: tuple[int, float] = (-1, 0.0)
        # What the piece that is read passes over: positions without a file; damage, by position.
        self._dropped = 0
        self._damaged: list[tuple[int, int]] = []

    def name_of(self, number: int) -> str:
        """Return the metric's name behind a number that `read` returned."""
        return self._names[number]

    def known_position(self) -> int:
        """Return what the writer knew to be committed when it last deleted a file; 0 if it never did."""
        return committed.known_position(
            self.folder, lambda: min((file.first_position for file in self._segments.listed()), default=0)
        )

    def require_safe(self) -> None:
        """Raise OSError if a file that would be read is not safe to open: that is no damage to be passed over."""
        with safe_files.opened_folder(self.folder) as folder:
            for name in os.listdir(folder):  # noqa: PTH208 - of a descriptor
                if name.startswith(_READ):
                    with contextlib.suppress(FileNotFoundError):  # delivered meanwhile
                        os.close(safe_files.open_below(folder, name))

    def end_position(self) -> int:
        """Return one past the last finished record."""
        end = 0
        for file in reversed(self._segments.listed()):
            try:
                mapped = map_segment(self.folder, file)
            except FileNotFoundError:
                continue
            taken = file.form.taken(mapped.records).nonzero()[0]
            if len(taken):
                return file.first_position + int(taken[-1]) + 1
            end = file.first_position
        return end

    def let_go(self) -> None:
        """Close what is open; reading opens it again."""
        self._mapped = None
        self._segments.let_go()

    def find_missing(self, position: int) -> None:
        """Add to `damage` what ought to be there from a position on and is not; for the spool of a dead process."""
        for file in self._segments.listed():
            first, records = file.first_position, file.records
            if file.end_position <= position:
                continue
            if first > position:
                reason = f"positions {position} to {first - 1}: dropped at the limit, or the file is gone"
                self.damage.add(position, first - position, reason)
            cut_off = records - (self.folder / file.name).stat().st_size // file.form.record_bytes
            if cut_off > 0:
                reason = f"{file.name} is cut off; up to so many records are lost"
                self.damage.add(file.end_position - 1, cut_off, reason)
            position = file.end_position

    def read(self, position: int, records_max: int, bytes_max: int) -> Slice | None:
        """Return the finished records from a position on, at most so many and so many bytes of frames; None if none.

        One frame is returned even where it is longer than allowed. Positions that were dropped, abandoned or damaged
        are passed over: the slice's end says how far it reaches.
        """
        piece = self._read_of_segment(position, records_max, bytes_max)
        if piece is None or not self._ends_segment(piece):
            return piece
        # What follows fills the batch up; frames do not, because they were counted.
        room = records_max - (piece.end_position - position)
        if room > 0 and not (piece.entries or piece.arrays):
            following = self._read_of_segment(piece.end_position, room, bytes_max)
            if following is not None:
                piece.join(following)
        return piece

    def _ends_segment(self, piece: Slice) -> bool:
        return self._mapped is not None and piece.end_position == self._mapped.file.end_position

    def _read_of_segment(self, position: int, records_max: int, bytes_max: int) -> Slice | None:
        self._dropped, self._damaged = 0, []
        start = self._next_finished(position)
        if start is None or self._mapped is None:
            return None
        file = self._mapped.file
        records = self._mapped.records[start - file.first_position :][:records_max]
        finished = taken_in_a_row(file.form, records)
        more = finished == len(records)
        piece = self._slice(position, start, self._without_damaged(start, records[:finished]), bytes_max)
        piece.more = piece.more or more
        piece.dropped = self._dropped
        piece.damaged = sum(count for at, count in self._damaged if at < piece.end_position)
        self.damage.seen(piece.end_position)
        return piece

    def _without_damaged(self, start: int, records: "NDArray[Any]") -> "NDArray[Any]":
        """The finished records from position `start` on, void where they are damaged."""
        assert self._mapped is not None
        file = self._mapped.file
        if (sound := file.form.is_sound(records)).all():
            return records
        if self._alive:
            time.sleep(LOOK_TWICE_S)
        written, records = records, records.copy()
        if (sound := file.form.is_sound(records)).all():
            return records
        records["mark"][~sound] = VOID_MARK
        for first, end in _runs((~sound).nonzero()[0].tolist()):
            count = sum(map(file.form.points_of, written[first:end]))
            self._note_damaged(file, start + first, start + end, count)
        return records

    def _note_damaged(self, file: SegmentFile, first: int, end: int, count: int) -> None:
        index, last = first - file.first_position, end - 1 - file.first_position
        which = f"record {index}" if index == last else f"records {index} to {last}"
        positions = f"position {first}" if index == last else f"positions {first} to {end - 1}"
        reason = f"{file.name}, {which} ({positions}): the two writings are not the same"
        self._note(first, count, reason)

    def _note(self, position: int, count: int, reason: str, *, certain: bool = True) -> None:
        """Count damage, for this piece and in all; see `DamageReport.add`."""
        if certain:
            self._damaged.append((position, count))
        self.damage.add(position, count, reason, certain=certain)

    def _next_finished(self, position: int) -> int | None:
        """The first finished position from here on; maps its segment."""
        while (mapped := self._segments.at(position)) is not None:
            self._mapped = mapped
            file, records = mapped.file, mapped.records
            self._dropped += max(file.first_position - position, 0)
            position = max(position, file.first_position)
            rest = records[position - file.first_position :]
            if len(rest) and file.form.taken(rest[:1])[0]:
                self._gap = None
                return position
            if self._alive and not self._is_time_to_look(position):
                return None
            later = _first(file.form.taken(rest).nonzero()[0])
            if later is None and not self._segments.is_followed(file):
                return None
            if self._alive and not self._patience_is_over(position):
                return None
            following = file.end_position if later is None else position + later
            count = following - position
            if not self._alive and not len(rest):  # `find_missing` has said so
                self._damaged.append((position, count))
            elif not self._alive:
                reason = f"{file.name}: records from position {position} on are unfinished"
                self._note(position, count, reason, certain=count > ABANDONED_MAX)
            position = following
        return None

    def _is_time_to_look(self, position: int) -> bool:
        now = time.monotonic()
        if self._looked[0] != position:
            self._looked = (position, now)
        if now - self._looked[1] < GAP_LOOK_S:
            return False
        self._looked = (position, now)
        return True

    def _patience_is_over(self, position: int) -> bool:
        if self._gap is None or self._gap[0] != position:
            self._gap = (position, time.monotonic())
        return time.monotonic() - self._gap[1] >= GAP_PATIENCE_S

    def _slice(self, position: int, start: int, records: "NDArray[Any]", bytes_max: int) -> Slice:
        import numpy as np

        assert self._mapped is not None
        frames_found: list[tuple[int, Kind, bytes | str, int]] = []
        end, more = start + len(records), False
        for at, kind, frame, points in self._frames(start, records):
            bytes_max -= len(frame)
            if bytes_max < 0 and frames_found:
                end, more = at, True
                break
            frames_found.append((at, kind, frame, points))
        found = self._known_points(start, records[: end - start])
        numbers, steps, times, values = (
            np.ascontiguousarray(found[name]) for name in ("mark", "step", "time", "value")
        )
        times_ms = self._mapped.file.form.times_ms(times)
        piece = Slice(position, end, more, numbers, steps, times_ms, values)
        for at, kind, frame, points in frames_found:
            self._add_frame(piece, at, kind, frame, points)
        return piece

    def _frames(self, start: int, records: "NDArray[Any]") -> Iterator[tuple[int, Kind, bytes | str, int]]:
        """The payloads that records refer to, with their positions, or what is wrong with them; how many points."""
        indexes = (records["mark"] > VOID_MARK).nonzero()[0]
        if not len(indexes):
            return
        reader = FrameReader()
        log_file = cache(lambda number: self.folder / log_file_name(number))
        places = (records[name][indexes].tolist() for name in ("mark", "time", "step", "value"))
        for index, mark, log_number, offset, points in zip(indexes.tolist(), *places, strict=True):
            kind = Kind.ENTRY if mark == ENTRY_MARK else Kind.ARRAY
            in_range = 1 <= points <= ARRAY_POINTS_MAX
            frame = self._frame(reader, log_file(log_number), offset, kind)
            yield start + index, kind, frame, int(points) if in_range else 1

    def _known_points(self, start: int, records: "NDArray[Any]") -> "NDArray[Any]":
        """The records that are points of metrics whose names are known; without a copy where all of them are."""
        highest = int(records["mark"].max(initial=0))
        if highest >= NUMBER_END:
            records = records[records["mark"] < NUMBER_END]
            highest = int(records["mark"].max(initial=0))
        self._names.look_for(highest)
        if self._names.are_complete and highest <= self._names.highest:
            return records
        lost = [number for number in set(records["mark"].tolist()) if number not in self._names]
        if not lost:
            return records
        is_lost = _is_among(records["mark"], lost)
        self._note(start, int(is_lost.sum()), f"points of {len(lost)} metrics whose names are lost")
        readable: NDArray[Any] = records[~is_lost]
        return readable

    def _add_frame(self, piece: Slice, position: int, kind: Kind, frame: bytes | str, points: int) -> None:
        if isinstance(frame, str):
            self._note(position, points, frame)
        elif kind is Kind.ENTRY:
            piece.entries.append((position, frame))
        else:
            self._add_array(piece, position, frame)

    def _add_array(self, piece: Slice, position: int, frame: bytes) -> None:
        try:
            points = arrays.decode(frame)
        except ValueError as error:
            self._note(position, 1, f"array at position {position}: {error}")
            return
        self._names.look_for(points.number)
        if points.number in self._names:
            piece.arrays.append(points)
            if self.damage.is_new(position):
                self.extra_points += len(points) - 1
        else:
            self._note(position, len(points), "an array whose metric's name is lost")

    def _frame(self, reader: FrameReader, path: Path, offset: int, kind: Kind) -> bytes | str:
        """The payload that a record refers to, or what is wrong with it."""
        try:
            return reader.payload_at(path, offset, kind)
        except (OSError, OverflowError, DamagedFrameError) as error:
            return f"{kind.name.lower()} in {path.name}: {error}"


def _is_among(numbers: "NDArray[Any]", few: list[int]) -> "NDArray[Any]":
    import numpy as np

    among: NDArray[Any] = np.isin(numbers, np.array(few, numbers.dtype))
    return among


def _runs(indexes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of the indexes that follow each other."""
    first = end = indexes[0]
    for index in indexes:
        if index > end:
            yield first, end
            first = index
        end = index + 1
    yield first, end


def _first(indexes: "NDArray[Any]") -> int | None:
    return int(indexes[0]) if len(indexes) else None


assert ARRAY_MARK > VOID_MARK
