"""The records of TensorBoard's event files: those that are sound, and where the others are.

A record is its length (8 bytes, little-endian), the checksum of the length (4), the data, the checksum of the data (4).
A length that is wrong leads astray: the next record is then looked for where a length and its checksum agree.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stepwell.transfer.tensorboard_files.crc32c import masked_crc32c, masked_crc32c_of_rows

HEADER_BYTES = 12
FOOTER_BYTES = 4
# What is read and checked at once; a larger record is read whole, up to this size.
PIECE_BYTES = 4 << 20
RECORD_BYTES_MAX = 512 << 20
# Places of one file that are told; more are counted, up to so many: then the rest of the file is given up.
PLACES_MAX = 5
DAMAGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Record:
    """The data of a record, and at which byte of its file it begins."""

    place: int
    data: memoryview


class EventFile:
    """An open file. `damaged` are the places of what was passed over, when all records were read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.damaged_count = 0
        self.damaged: list[str] = []
        self._astray_until = -1  # when no record began any more in what was searched up to here

    def records(self) -> Iterator[Record]:
        """Yield the records that are sound. The last one may be under way: then nothing is said of it."""
        at = 0
        size = PIECE_BYTES
        while len(piece := os.pread(self._descriptor, size, at)) >= HEADER_BYTES:
            records, used, needed = self._split(piece, at)
            yield from records
            if self.damaged_count >= DAMAGES_MAX:
                self.damaged.append(f"and all behind byte {at + used:,}")
                return
            if used:
                at, size = at + used, PIECE_BYTES
            elif needed <= RECORD_BYTES_MAX and len(piece) == size < needed:
                size = needed
            elif needed > RECORD_BYTES_MAX and self._holds(at + needed):
                self.damage(at, f"{needed:,} bytes, which is too large")
                at, size = at + needed, PIECE_BYTES
            else:
                return

    def _split(self, piece: bytes, start: int) -> tuple[list[Record], int, int]:
        """Return the sound records of a piece, how many of its bytes are done with, and what the next record needs."""
        view = memoryview(piece)
        places, lengths = [], []
        at = 0
        while at + HEADER_BYTES <= len(piece):
            (length,) = struct.unpack_from("<Q", piece, at)
            places.append(at)
            lengths.append(length)
            at += HEADER_BYTES + length + FOOTER_BYTES
        lengths_read = b"".join([view[place : place + 8] for place in places])
        headers = masked_crc32c_of_rows(np.frombuffer(lengths_read, np.uint8).reshape(-1, 8))
        said = np.array([struct.unpack_from("<I", piece, place + 8)[0] for place in places], np.uint32)
        astray = np.flatnonzero(headers != said)
        good = int(astray[0]) if len(astray) else len(places)
        whole = [number for number in range(good) if _end(places[number], lengths[number]) <= len(piece)]
        records = self._checked(
            view, start, [places[number] for number in whole], [lengths[number] for number in whole]
        )
        if len(astray):
            return records, self._next(piece, start, places[good]), 0
        if len(whole) < len(places):
            return records, places[-1], HEADER_BYTES + lengths[-1] + FOOTER_BYTES
        return records, _end(places[-1], lengths[-1]), HEADER_BYTES

    def _checked(self, view: memoryview, start: int, places: list[int], lengths: list[int]) -> list[Record]:
        data = [
            view[place + HEADER_BYTES : place + HEADER_BYTES + length]
            for place, length in zip(places, lengths, strict=True)
        ]
        sums = masked_crc32c(data).tolist() if data else []
        records = []
        for place, one, found in zip(places, data, sums, strict=True):
            if struct.unpack_from("<I", view, place + HEADER_BYTES + len(one))[0] == found:
                records.append(Record(start + place, one))
            else:
                self.damage(start + place, "data that do not agree with their checksum")
        return records

    def _next(self, piece: bytes, start: int, astray: int) -> int:
        """Return where in a piece a record begins again, or how much of it can be passed over."""
        if start + astray != self._astray_until:
            self.damage(start + astray, "a length that does not agree with its checksum")
        tail = np.frombuffer(piece, np.uint8)[astray + 1 :]
        passed = len(piece) - HEADER_BYTES + 1 if len(piece) >= PIECE_BYTES else len(piece)
        if len(tail) < HEADER_BYTES:
            return len(piece)
        windows = np.lib.stride_tricks.sliding_window_view(tail, HEADER_BYTES)
        for first in range(0, len(windows), PIECE_BYTES // 64):
            some = np.ascontiguousarray(windows[first : first + PIECE_BYTES // 64])
            said = some[:, 8:].copy().view("<u4")[:, 0]
            found = masked_crc32c_of_rows(some[:, :8])
            agree = np.flatnonzero(found == said)
            if len(agree):
                return astray + 1 + first + int(agree[0])
        self._astray_until = start + passed
        return passed

    def _holds(self, end: int) -> bool:
        return os.fstat(self._descriptor).st_size >= end

    def damage(self, place: int, what: str) -> None:
        """Note what was passed over."""
        self.damaged_count += 1
        if len(self.damaged) < PLACES_MAX:
            self.damaged.append(f"byte {place:,}: {what}")


def _end(place: int, length: int) -> int:
    return place + HEADER_BYTES + length + FOOTER_BYTES
