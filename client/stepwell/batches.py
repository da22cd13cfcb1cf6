"""A slice of the spool becomes a batch on the wire: columns, grouped by metric without a loop over points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell.entities import Param, RunTag
from stepwell.spool import Event, Slice, Spool
from stepwell_api.v1 import ingest_pb2, runs_pb2

# A batch has so few points because the thread that makes it keeps the training loop waiting meanwhile (about 2 ms).
# It stays below 4 MiB encoded:
#   16,384 records * (8 bytes value + 10 step + 10 timestamp + 7 series number and count)   = 560 KiB
#   16,384 entries * 32 bytes around their texts                                            = 512 KiB
#   262,144 characters of entries * 4 bytes                                                 = 1,024 KiB
#   1,024 names * (250 characters * 4 bytes + 3)                                            = 1,003 KiB
BATCH_RECORDS_MAX = 16_384
BATCH_ENTRY_CHARS_MAX = 262_144
BATCH_NEW_NAMES_MAX = 1_024


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
        found: list[int] = np.unique(numbers[self.look_up(numbers) < 0]).tolist()
        return found

    def introduce(self, number: int) -> None:
        """Give a number of the spool the next number of the stream."""
        self._numbers[number] = self._size
        self._size += 1


def read_batch(spool: Spool, position: int, table: KeyTable) -> tuple[ingest_pb2.Batch, int] | None:
    """Cut the next batch from the spool and return it with its number of records; None if nothing waits.

    Names that are new to the stream are introduced by this batch and put into the table: it has to be sent.
    """
    records_max = BATCH_RECORDS_MAX
    while (piece := spool.read(position, records_max, BATCH_ENTRY_CHARS_MAX)) is not None:
        new_numbers = table.unknown(piece.numbers)
        if len(new_numbers) <= BATCH_NEW_NAMES_MAX:
            return _batch(spool, piece, new_numbers, table), len(piece)
        records_max //= 2
    return None


def _batch(spool: Spool, piece: Slice, new_numbers: list[int], table: KeyTable) -> ingest_pb2.Batch:
    for number in new_numbers:
        table.introduce(number)
    return ingest_pb2.Batch(
        first_position=piece.first_position,
        end_position=piece.end_position,
        new_keys=[spool.name_of(number) for number in new_numbers],
        points=_points(piece, table.look_up(piece.numbers)),
        entries=[_entry(position, event) for position, event in piece.entries],
    )


def _points(piece: Slice, keys: NDArray[np.int64]) -> ingest_pb2.Points:
    """Group the points by key; within one key they stay in the order of logging."""
    if not len(keys):
        return ingest_pb2.Points()
    order = _stable_order(keys)
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    # Lists, because protobuf takes them twice as fast as arrays.
    return ingest_pb2.Points(
        key=keys[firsts].tolist(),
        count=np.diff(firsts, append=len(keys)).tolist(),
        step=piece.steps[order].tolist(),
        timestamp_ms=piece.timestamps_ms[order].tolist(),
        value=piece.values[order].tolist(),
    )


def _stable_order(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    # 16-bit numbers are sorted by radix, six times as fast.
    small = keys.astype(np.uint16) if int(keys.max()) < 2**16 else keys
    return np.argsort(small, kind="stable")


def _entry(position: int, event: Event) -> ingest_pb2.Entry:
    if isinstance(event, Param):
        return ingest_pb2.Entry(position=position, param=runs_pb2.Param(key=event.key, value=event.value))
    if isinstance(event, RunTag):
        return ingest_pb2.Entry(position=position, tag=runs_pb2.Tag(key=event.key, value=event.value))
    status = runs_pb2.RunStatus.ValueType(event.status)
    return ingest_pb2.Entry(
        position=position, status=ingest_pb2.StatusChange(status=status, end_time_ms=event.end_time_ms)
    )
