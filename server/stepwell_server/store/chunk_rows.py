"""Rows of `metric_chunk` in PostgreSQL's binary COPY format, built by hand.

Format: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format). An array is: dimensions, has-nulls
flag, element type, length, lower bound, and then each element behind its 4-byte length; since our elements have
one size, a whole array is one big-endian numpy record array.
"""

import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell_server.store.chunks import Chunks

COLUMNS = (
    "run_id", "metric_id", "writer_id", "first_position", "part", "count",
    "step_min", "step_max", "step_stride",
    "time_first_ms", "time_last_ms", "time_min_ms", "time_max_ms",
    "value_first", "value_last", "value_min", "value_max", "value_sum", "non_finite_count",
    "steps", "time_offsets_ms", "times_ms", "values_float32", "values_float64", "compacted",
)  # fmt: skip

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)

# Run id, metric id, writer id, first position, part.
RowKey = tuple[bytes, int, bytes, int, int]

# Rows are handed to the connection in pieces of about this size, so that a large commit is never held twice.
PIECE_BYTES = 512 * 1024

_UUID_BYTES, _LONG, _INT, _SHORT = 16, 8, 4, 2
_OWNER = struct.Struct(">h" + "i16s" + "ii" + "i16s" + "iq" + "ih" + "ii" + "iq" * 2)
_STRIDE = struct.Struct(">iq")
_TIMES_AND_ENDS = struct.Struct(">" + "iq" * 4 + "id" * 2)
_FINITE = struct.Struct(">" + "id" * 3)
_COUNT = struct.Struct(">ii")
_BOOLEAN = struct.Struct(">i?")
_ARRAY_HEAD = struct.Struct(">iiiiii")

_ELEMENT_OIDS = {"i8": 20, "i4": 23, "f4": 700, "f8": 701}


class ArrayColumn:
    """One column of points as array elements, from which chunks take their slices."""

    def __init__(self, values: NDArray[Any], element: str) -> None:
        records = np.empty(len(values), [("length", ">i4"), ("value", ">" + element)])
        records["length"] = records.dtype["value"].itemsize
        records["value"] = values
        self._bytes = memoryview(records.tobytes())
        self._stride = records.itemsize
        self._element_oid = _ELEMENT_OIDS[element]

    def field(self, start: int, count: int) -> tuple[bytes, memoryview]:
        """The array of the points [start, start + count) as a field: its head and its elements."""
        elements = self._bytes[start * self._stride : (start + count) * self._stride]
        return _ARRAY_HEAD.pack(20 + len(elements), 1, 0, self._element_oid, count, 1), elements


class ChunkRows:
    """All chunks of a commit or a merge as COPY data; `keys` has the key of each chunk."""

    def __init__(self, chunks: Chunks, keys: Sequence[RowKey], *, compacted: bool = False) -> None:
        self._chunks = chunks
        self._keys = keys
        self._compacted = _BOOLEAN.pack(1, compacted)
        self._steps = self._column(chunks.points.steps, "i8", chunks.strides >= 0)
        self._offsets = self._column(chunks.time_offsets_ms, "i4", ~chunks.offsets_fit)
        self._times = self._column(chunks.points.timestamps_ms, "i8", chunks.offsets_fit)
        self._float32 = self._column(chunks.values_float32, "f4", ~chunks.float32_exact)
        self._float64 = self._column(chunks.points.values, "f8", chunks.float32_exact)

    def __len__(self) -> int:
        return len(self._chunks.starts)

    @staticmethod
    def _column(values: NDArray[Any], element: str, unused: NDArray[np.bool_]) -> ArrayColumn | None:
        """Most commits use one form of each column only; the others are not built."""
        return None if unused.all() else ArrayColumn(values, element)

    def pieces(self) -> Iterator[bytes]:
        """Yield the COPY data in pieces of about PIECE_BYTES."""
        waiting: list[bytes | memoryview] = [SIGNATURE]
        size = len(SIGNATURE)
        for fields in self._rows():
            waiting.extend(fields)
            size += sum(map(len, fields))
            if size >= PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
        waiting.append(TRAILER)
        yield b"".join(waiting)

    def _rows(self) -> Iterator[list[bytes | memoryview]]:
        """Yield the fields of each row; lists of numbers are made once, because numpy scalars are slow."""
        chunks, summaries = self._chunks, self._chunks.summaries
        columns = zip(
            self._keys, chunks.starts.tolist(), chunks.strides.tolist(),
            chunks.offsets_fit.tolist(), chunks.float32_exact.tolist(),
            summaries.counts.tolist(), summaries.step_min.tolist(), summaries.step_max.tolist(),
            summaries.time_first_ms.tolist(), summaries.time_last_ms.tolist(),
            summaries.time_min_ms.tolist(), summaries.time_max_ms.tolist(),
            summaries.value_first.tolist(), summaries.value_last.tolist(),
            summaries.value_min.tolist(), summaries.value_max.tolist(), summaries.value_sum.tolist(),
            summaries.non_finite_counts.tolist(),
            strict=True,
        )  # fmt: skip
        for (
            (run_id, metric_id, writer_id, first_position, part), start, stride,
            offsets_fit, float32_exact, count, step_min, step_max,
            time_first, time_last, time_min, time_max, value_first, value_last, value_min, value_max, value_sum,
            non_finite,
        ) in columns:  # fmt: skip
            yield [
                _OWNER.pack(
                    len(COLUMNS), _UUID_BYTES, run_id, _INT, metric_id, _UUID_BYTES, writer_id, _LONG, first_position,
                    _SHORT, part, _INT, count, _LONG, step_min, _LONG, step_max,
                ),
                NULL if stride < 0 else _STRIDE.pack(_LONG, stride),
                _TIMES_AND_ENDS.pack(
                    _LONG, time_first, _LONG, time_last, _LONG, time_min, _LONG, time_max,
                    _LONG, value_first, _LONG, value_last,
                ),
                NULL * 3 if non_finite == count else _FINITE.pack(_LONG, value_min, _LONG, value_max, _LONG, value_sum),
                _COUNT.pack(_INT, non_finite),
                *self._array(self._steps, stride < 0, start, count),
                *self._array(self._offsets, offsets_fit, start, count),
                *self._array(self._times, not offsets_fit, start, count),
                *self._array(self._float32, float32_exact, start, count),
                *self._array(self._float64, not float32_exact, start, count),
                self._compacted,
            ]  # fmt: skip

    @staticmethod
    def _array(
        column: ArrayColumn | None, used: bool, start: int, count: int
    ) -> tuple[bytes | memoryview, ...]:
        return column.field(start, count) if column is not None and used else (NULL,)


async def as_source(rows: ChunkRows) -> AsyncIterator[bytes]:
    """The COPY data as asyncpg wants it."""
    for piece in rows.pieces():
        yield piece
