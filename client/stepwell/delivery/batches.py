"""A slice of the spool becomes a batch on the wire: columns, grouped by metric without a loop over points."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepwell.spool.reader import SpoolReader
from stepwell.spool.slices import Slice
from stepwell_api.v1 import ingest_pb2

# A batch has so few records because the thread that makes it keeps the training loop waiting meanwhile (about 1 ms).
# It stays below 4 MiB encoded, beside one frame of at most 1.5 MiB (65,536 points of an array):
#   16,384 records * (24 bytes of columns + 7 series number and count)     = 496 KiB
#   16,384 entries * 32 bytes around their texts                           = 512 KiB
#   1 MiB of frames, each array at most four times as long decoded         (24 bytes a point instead of 8)
#   1,024 names * (250 characters * 4 bytes + 3)                           = 1,003 KiB
BATCH_RECORDS_MAX = 16_384
BATCH_FRAME_BYTES_MAX = 2**20
BATCH_NEW_NAMES_MAX = 1_024
# Positions that one batch may pass over, as servers allow: 2^30. Longer gaps (of a full spool that drops) take several.
BATCH_SKIPPED_MAX = 2**30


class Cut(NamedTuple):
    """A batch, how many points and entries it holds, and whether more waits than fitted into it."""

    batch: ingest_pb2.Batch
    records: int
    more: bool


class KeyTable:
    """The metric names that one stream has introduced, and their numbers in it."""

    def __init__(self) -> None:
        self._size = 0
        # Index: number in the spool; value: number in the stream, or -1.
        self._numbers: NDArray[np.int64] = np.full(64, -1, np.int64)

    def look_up(self, numbers: NDArray[Any]) -> NDArray[np.int64]:
        """Return the stream's numbers for the spool's; -1 for those that are not introduced."""
        highest = int(numbers.max(initial=0))
        if highest >= len(self._numbers):
            self._numbers = np.concatenate([self._numbers, np.full(highest + 1, -1, np.int64)])
        found: NDArray[np.int64] = self._numbers[numbers]
        return found

    def unknown(self, numbers: NDArray[Any]) -> list[int]:
        """Return the spool's numbers that are not introduced, each once."""
        # A set, because numpy's `unique` imports its masked arrays: a megabyte more in every training loop.
        return sorted(set(numbers[self.look_up(numbers) < 0].tolist()))

    def introduce(self, number: int) -> None:
        """Give a number of the spool the next number of the stream."""
        self._numbers[number] = self._size
        self._size += 1


def read_batch(reader: SpoolReader, position: int, table: KeyTable) -> Cut | None:
    """Cut the next batch from the spool; None if nothing waits.

    Names that are new to the stream are introduced by this batch and put into the table: it has to be sent.
    """
    records_max = BATCH_RECORDS_MAX
    while (piece := reader.read(position, records_max, BATCH_FRAME_BYTES_MAX)) is not None:
        skipped = piece.end_position - position - len(piece.numbers) - len(piece.entries) - len(piece.arrays)
        if skipped > BATCH_SKIPPED_MAX:
            return Cut(skipping_batch(position, piece.end_position, piece.dropped), 0, more=True)
        new_numbers = table.unknown(_numbers(piece))
        if len(new_numbers) <= BATCH_NEW_NAMES_MAX:
            return Cut(_batch(reader, piece, new_numbers, table), len(piece), piece.more)
        records_max //= 2
    return None


def skipping_batch(position: int, end_position: int, dropped: int = 0) -> ingest_pb2.Batch:
    """Return a batch of nothing that moves the writer towards a position, as far as one batch may.

    So many positions from `position` on are `dropped`.
    """
    return ingest_pb2.Batch(
        first_position=position,
        end_position=min(end_position, position + BATCH_SKIPPED_MAX),
        dropped=min(dropped, BATCH_SKIPPED_MAX),
    )


def _numbers(piece: Slice) -> NDArray[Any]:
    if not piece.arrays:
        return piece.numbers
    return np.concatenate([piece.numbers, np.array([points.number for points in piece.arrays], np.uint32)])


def _batch(reader: SpoolReader, piece: Slice, new_numbers: list[int], table: KeyTable) -> ingest_pb2.Batch:
    for number in new_numbers:
        table.introduce(number)
    batch = ingest_pb2.Batch(
        first_position=piece.first_position,
        end_position=piece.end_position,
        new_keys=[reader.name_of(number) for number in new_numbers],
        entries=[_entry(position, payload) for position, payload in piece.entries],
        dropped=piece.dropped,
        damaged=piece.damaged,
    )
    if piece.points:
        # Columns go in as memory; see PointColumns in ingest.proto.
        batch.points.MergeFromString(_columns(piece, table).SerializeToString())
    return batch


def _columns(piece: Slice, table: KeyTable) -> ingest_pb2.PointColumns:
    """Group the points by key; within one key they stay in the order of logging."""
    keys = table.look_up(piece.numbers)
    order = _stable_order(keys)
    counts = np.bincount(keys)
    present = counts.nonzero()[0]
    array_keys = table.look_up(np.array([points.number for points in piece.arrays], np.uint32))
    return ingest_pb2.PointColumns(
        key=present.tolist() + array_keys.tolist(),
        count=counts[present].tolist() + [len(points) for points in piece.arrays],
        step=_memory(piece.steps[order], "<i8", [points.steps for points in piece.arrays]),
        timestamp_ms=_memory(
            piece.timestamps_ms[order], "<i8", [points.timestamps_ms for points in piece.arrays]
        ),
        value=_memory(piece.values[order], "<f8", [points.values for points in piece.arrays]),
    )


def _memory(column: NDArray[Any], kind: str, more: list[NDArray[Any]]) -> bytes:
    return b"".join([np.ascontiguousarray(part, kind).data for part in (column, *more)])


def _stable_order(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    # 16-bit numbers are sorted by radix, six times as fast.
    small = keys.astype(np.uint16) if int(keys.max(initial=0)) < 2**16 else keys
    return np.argsort(small, kind="stable")


def _entry(position: int, payload: bytes) -> ingest_pb2.Entry:
    entry = ingest_pb2.Entry.FromString(payload)
    entry.position = position
    return entry
