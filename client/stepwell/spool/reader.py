"""Reads a spool's files: those of this process while it appends, or those of another one, alive or dead."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.spool import arrays
from stepwell.spool.arrays import ArrayPoints
from stepwell.spool.frames import DamagedFrameError, FrameReader, Kind, frames
from stepwell.spool.log import COMMITTED_FILE, NAMES_FILE, log_file_name
from stepwell.spool.segment import (
    ARRAY_MARK,
    ENTRY_MARK,
    NUMBER_END,
    RECORD_BYTES,
    VOID_MARK,
    as_records,
    finished_indexes,
    next_records,
    parse_segment_name,
    segment_name,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A slot that stays unfinished for so long although later ones are finished was abandoned: Ctrl-C hit its thread
# between the two steps of an append. In the spool of a dead process nothing is waited for.
GAP_PATIENCE_S = 5.0
# How often to look behind an unfinished record of a living process: a whole segment has to be read for it.
GAP_LOOK_S = 1.0
# How many marks are looked at together for one that is unfinished.
LOOK_RECORDS = 1_024


@dataclass(frozen=True, slots=True)
class Damage:
    """Records that cannot be read, and why."""

    count: int
    reason: str


@dataclass(slots=True)
class Slice:
    """A piece [first_position, end_position) of the log.

    `more` tells that it ends at a limit: more is there already. Points are in columns of shape (n,): `numbers` (of
    metric names), `steps`, `timestamps_ms`, `values`. Beside them the entries (encoded `Entry` messages) with their
    positions, and the arrays.
    """

    first_position: int
    end_position: int
    more: bool
    numbers: "NDArray[Any]"
    steps: "NDArray[Any]"
    timestamps_ms: "NDArray[Any]"
    values: "NDArray[Any]"
    entries: list[tuple[int, bytes]] = field(default_factory=list)
    arrays: list[ArrayPoints] = field(default_factory=list)

    @property
    def points(self) -> int:
        """How many points are in it."""
        return len(self.numbers) + sum(map(len, self.arrays))

    def __len__(self) -> int:
        return self.points + len(self.entries)


@dataclass(frozen=True, slots=True)
class _Mapped:
    """One segment, open for reading."""

    first_position: int
    end_position: int
    records: "NDArray[Any]"


class SpoolReader:
    """Reads one spool in order of position. `alive` tells that somebody may append to it meanwhile.

    `damage` collects what could not be read on the way.
    """

    def __init__(self, folder: Path, *, alive: bool) -> None:
        self.folder = folder
        self.damage: list[Damage] = []
        # By how much the points in the arrays that were read exceed the positions that they take.
        self.extra_points = 0
        self._alive = alive
        self._mapped: _Mapped | None = None
        self._names: list[str] = []
        self._names_read_bytes = 0
        self._gap: tuple[int, float] | None = None
        self._looked: tuple[int, float] = (-1, 0.0)

    def name_of(self, number: int) -> str:
        """Return the metric's name behind a number that `read` returned."""
        return self._names[number - 1]

    def known_position(self) -> int:
        """Return what the writer knew to be committed when it last deleted a file; 0 if it never did."""
        try:
            return int((self.folder / COMMITTED_FILE).read_text(), 16)
        except (OSError, ValueError):
            return 0

    def end_position(self) -> int:
        """Return one past the last finished record."""
        end = 0
        for first, records, name in reversed(self._segments()):
            try:
                finished = finished_indexes(_map_segment(self.folder / name, first, records).records["mark"])
            except FileNotFoundError:
                continue
            if len(finished):
                return first + int(finished[-1]) + 1
            end = first
        return end

    def find_missing(self, position: int) -> None:
        """Add to `damage` what ought to be there from a position on and is not; for the spool of a dead process."""
        for first, records, name in self._segments():
            if first + records <= position:
                continue
            if first > position:
                reason = f"positions {position} to {first - 1}: dropped at the limit, or the file is gone"
                self.damage.append(Damage(first - position, reason))
            cut_off = records - (self.folder / name).stat().st_size // RECORD_BYTES
            if cut_off > 0:
                self.damage.append(Damage(cut_off, f"{name} is cut off; up to so many records are lost"))
            position = first + records

    def read(self, position: int, records_max: int, bytes_max: int) -> Slice | None:
        """Return the finished records from a position on, at most so many and so many bytes of frames; None if none.

        One frame is returned even where it is longer than allowed. Positions that were dropped, abandoned or damaged
        are passed over: the slice's end says how far it reaches.
        """
        start = self._next_finished(position)
        if start is None or self._mapped is None:
            return None
        records = self._mapped.records[start - self._mapped.first_position :][:records_max]
        finished = _finished_in_a_row(records["mark"])
        more = finished == len(records)
        return self._slice(position, start, records[:finished], bytes_max, more=more)

    def _next_finished(self, position: int) -> int | None:
        """The first finished position from here on; maps its segment."""
        while self._map(position):
            assert self._mapped is not None
            mapped = self._mapped
            position = max(position, mapped.first_position)
            marks = mapped.records["mark"][position - mapped.first_position :]
            if len(marks) and marks[0]:
                self._gap = None
                return position
            if self._alive and not self._is_time_to_look(position):
                return None
            later = _first(finished_indexes(marks))
            if later is None and not self._is_followed(mapped):
                return None
            if self._alive and not self._patience_is_over(position):
                return None
            following = mapped.end_position if later is None else position + later
            if not self._alive and position < mapped.first_position + len(mapped.records):
                self.damage.append(
                    Damage(following - position, f"records from position {position} on are unfinished")
                )
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

    def _map(self, position: int) -> bool:
        """Open the segment that holds the position, or the next one after it; tells whether there is one."""
        mapped = self._mapped
        if mapped is not None and mapped.first_position <= position < mapped.end_position:
            return True
        if mapped is not None and position == mapped.end_position and self._map_following(mapped):
            return True
        self._mapped = None
        segments = self._segments()
        if not any(first <= position < first + records for first, records, _ in segments):
            # A listing may miss a file that was made during it and yet show a later one: look again first.
            segments = self._segments()
        for first, records, name in segments:
            if first + records > position:
                try:
                    self._mapped = _map_segment(self.folder / name, first, records)
                except FileNotFoundError:
                    continue  # delivered or dropped meanwhile
                return True
        return False

    def _map_following(self, mapped: _Mapped) -> bool:
        """Open the segment that joins this one, without listing the folder, where thousands may wait."""
        records = mapped.end_position - mapped.first_position
        for following in (records, next_records(records)):
            path = self.folder / segment_name(mapped.end_position, following)
            with contextlib.suppress(FileNotFoundError):
                self._mapped = _map_segment(path, mapped.end_position, following)
                return True
        return False

    def _segments(self) -> list[tuple[int, int, str]]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - names are enough
        except FileNotFoundError:  # somebody else has delivered it, and deleted it
            return []
        found = ((parse_segment_name(name), name) for name in names)
        return sorted((*parsed, name) for parsed, name in found if parsed is not None)

    def _is_followed(self, mapped: _Mapped) -> bool:
        """Tell whether a later segment holds anything: a prepared one is empty."""
        for first, records, name in self._segments():
            if first >= mapped.end_position:
                following = _map_segment(self.folder / name, first, records)
                return bool(following.records["mark"].any())
        return False

    def _slice(
        self, position: int, start: int, records: "NDArray[Any]", bytes_max: int, *, more: bool
    ) -> Slice:
        import numpy as np

        frames_found: list[tuple[int, Kind, bytes | str]] = []
        end = start + len(records)
        for at, kind, frame in self._frames(start, records):
            bytes_max -= len(frame)
            if bytes_max < 0 and frames_found:
                end, more = at, True
                break
            frames_found.append((at, kind, frame))
        points = self._known_points(records[: end - start])
        numbers, steps, times_ms, values = (
            np.ascontiguousarray(points[name]) for name in ("mark", "step", "timestamp_ms", "value")
        )
        piece = Slice(position, end, more, numbers, steps, times_ms, values)
        for at, kind, frame in frames_found:
            self._add_frame(piece, at, kind, frame)
        return piece

    def _frames(self, start: int, records: "NDArray[Any]") -> Iterator[tuple[int, Kind, bytes | str]]:
        """The payloads that records refer to, with their positions; or what is wrong with them."""
        indexes = (records["mark"] > VOID_MARK).nonzero()[0]
        if not len(indexes):
            return
        reader = FrameReader()
        log_file = cache(lambda number: self.folder / log_file_name(number))
        places = (records[name][indexes].tolist() for name in ("mark", "timestamp_ms", "step"))
        for index, mark, log_number, offset in zip(indexes.tolist(), *places, strict=True):
            kind = Kind.ENTRY if mark == ENTRY_MARK else Kind.ARRAY
            yield start + index, kind, self._frame(reader, log_file(log_number), offset, kind)

    def _known_points(self, records: "NDArray[Any]") -> "NDArray[Any]":
        """The records that are points of metrics whose names are known; without a copy where all of them are."""
        highest = int(records["mark"].max(initial=0))
        if highest >= NUMBER_END:
            records = records[records["mark"] < NUMBER_END]
            highest = int(records["mark"].max(initial=0))
        names = self._known_names(highest)
        if highest <= names:
            return records
        is_known = records["mark"] <= names
        self.damage.append(Damage(int((~is_known).sum()), "points whose metric's name is lost"))
        return records[is_known]

    def _add_frame(self, piece: Slice, position: int, kind: Kind, frame: bytes | str) -> None:
        if isinstance(frame, str):
            self.damage.append(Damage(1, frame))
        elif kind is Kind.ENTRY:
            piece.entries.append((position, frame))
        else:
            points = arrays.decode(frame)
            if points.number <= self._known_names(points.number):
                piece.arrays.append(points)
                self.extra_points += len(points) - 1
            else:
                self.damage.append(Damage(len(points), "an array whose metric's name is lost"))

    def _frame(self, reader: FrameReader, path: Path, offset: int, kind: Kind) -> bytes | str:
        """The payload that a record refers to, or what is wrong with it."""
        try:
            return reader.payload_at(path, offset, kind)
        except (OSError, DamagedFrameError) as error:
            return f"{kind.name.lower()} in {path.name}: {error}"

    def _known_names(self, number: int) -> int:
        """How many names are known, after looking for the one of this number."""
        if number > len(self._names):
            try:
                data = (self.folder / NAMES_FILE).read_bytes()[self._names_read_bytes :]
            except FileNotFoundError:
                return len(self._names)
            read_bytes = 0
            for read_bytes, kind, payload in frames(data):  # noqa: B007 - where the last whole frame ends
                if kind == Kind.NAME:
                    self._names.append(payload.decode())
            self._names_read_bytes += read_bytes
        return len(self._names)


def _map_segment(path: Path, first_position: int, records: int) -> _Mapped:
    """Open a segment for reading; one that is shorter than its name says ends where its file ends."""
    import mmap

    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        buffer = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) if size else b""
    return _Mapped(first_position, first_position + records, as_records(buffer))


def _finished_in_a_row(marks: "NDArray[Any]") -> int:
    """How many records are finished before the first that is not; looks no further, to leave the cache to others."""
    for first in range(0, len(marks), LOOK_RECORDS):
        # The comparison makes a copy: marks change while we look.
        unfinished = (marks[first : first + LOOK_RECORDS] == 0).nonzero()[0]
        if len(unfinished):
            return first + int(unfinished[0])
    return len(marks)


def _first(indexes: "NDArray[Any]") -> int | None:
    return int(indexes[0]) if len(indexes) else None


assert ARRAY_MARK > VOID_MARK
