"""Finds the segment of a spool that holds a position, while its writer adds some and others are deleted."""

import contextlib
import os
from bisect import bisect_right
from pathlib import Path

from stepwell.spool.records import TWICE
from stepwell.spool.segment import next_records
from stepwell.spool.segment_files import MappedSegment, SegmentFile, in_order, map_segment, segment_name


class Segments:
    """The segments of one spool; one of them is open. `alive` tells that its writer may add some meanwhile."""

    def __init__(self, folder: Path, *, alive: bool) -> None:
        self._folder = folder
        self._alive = alive
        # Of a dead process: nothing changes but that files go.
        self._known: list[SegmentFile] | None = None
        self._mapped: MappedSegment | None = None

    def listed(self) -> list[SegmentFile]:
        """Those that there are, by position; UnreadableSpoolError when they do not fit together."""
        if self._known is not None:
            return self._known
        try:
            files = in_order(os.listdir(self._folder))  # noqa: PTH208 - names are enough
        except FileNotFoundError:  # somebody else has delivered it, and deleted it
            return []
        if not self._alive:
            self._known = files
        return files

    def at(self, position: int) -> MappedSegment | None:
        """Open the segment that holds a position, or the next one after it; None if there is none."""
        file = self._mapped.file if self._mapped is not None else None
        if file is None or not file.first_position <= position < file.end_position:
            joins = file is not None and position == file.end_position
            self._mapped = (self._following(file) if file is not None and joins else None) or self._find(
                position
            )
        return self._mapped

    def let_go(self) -> None:
        """Close the one that is open."""
        self._mapped = None

    def is_followed(self, file: SegmentFile) -> bool:
        """Tell whether a later segment holds anything: a prepared one is empty."""
        files = self.listed()
        first = bisect_right(files, file.first_position, key=lambda file: file.first_position)
        if first == len(files):
            return False
        records = map_segment(self._folder, files[first]).records
        return bool(files[first].form.taken(records).any())

    def _find(self, position: int) -> MappedSegment | None:
        files = self.listed()
        if self._alive and not any(file.first_position <= position < file.end_position for file in files):
            # A listing may miss a file that was made during it and yet show a later one: look again first.
            files = self.listed()
        first = bisect_right(files, position, key=lambda file: file.end_position)
        for file in files[first:]:
            with contextlib.suppress(FileNotFoundError):  # delivered or dropped meanwhile
                return map_segment(self._folder, file)
        return None

    def _following(self, file: SegmentFile) -> MappedSegment | None:
        """Open the segment that joins this one, without listing the folder, where thousands may wait."""
        first = file.end_position
        for records in (file.records, next_records(file.records)):
            following = SegmentFile(first, records, TWICE, segment_name(first, records))
            with contextlib.suppress(FileNotFoundError):
                return map_segment(self._folder, following)
        return None
