"""Rows of `metric_chunk` in PostgreSQL's binary COPY format, built by hand.

Format: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format). An array is: dimensions, has-nulls
flag, element type, length, lower bound, and then each element behind its 4-byte length; since our elements have
one size, a whole array is one big-endian numpy record array.
"""

import struct
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell_server.store.chunks.alike import MATRIX_ROWS_MAX, Bytes, alike, beside
from stepwell_server.store.chunks.blocks import BlockColumn
from stepwell_server.store.chunks.building import Chunks

COLUMNS = (
    "run_id", "metric_id", "writer_id", "first_position", "part", "count",
    "step_min", "step_max", "step_stride",
    "time_first_ms", "time_last_ms", "time_min_ms", "time_max_ms",
    "value_first", "value_last", "value_min", "value_max", "value_sum", "non_finite_count",
    "steps", "time_offsets_ms", "times_ms", "values_float32", "values_float64", "compacted", "blocks",
)  # fmt: skip

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)

# Run id, metric id, writer id, first position, part.
RowKey = tuple[bytes, int, bytes, int, int]

# Rows are handed to the connection in pieces of about this size, so that a large commit is never held twice.
PIECE_BYTES = 512 * 1024

# The numbers at the head of a row, each behind its length; the two parts that may be NULL instead are cut out by name.
_FIELDS = (
    ("run_id", "V16"), ("metric_id", ">i8"), ("writer_id", "V16"), ("first_position", ">i8"), ("part", ">i2"),
    ("count", ">i4"), ("step_min", ">i8"), ("step_max", ">i8"), ("step_stride", ">i8"),
    ("time_first_ms", ">i8"), ("time_last_ms", ">i8"), ("time_min_ms", ">i8"), ("time_max_ms", ">i8"),
    ("value_first", ">f8"), ("value_last", ">f8"), ("value_min", ">f8"), ("value_max", ">f8"), ("value_sum", ">f8"),
    ("non_finite_count", ">i4"),
)  # fmt: skip
_HEAD = np.dtype(
    [
        ("fields", ">i2"),
        *[part for name, form in _FIELDS for part in ((f"{name} length", ">i4"), (name, form))],
    ]
)
_ARRAY_HEAD = np.dtype(
    [(name, ">i4") for name in ("length", "dimensions", "has_nulls", "element", "count", "lower_bound")]
)
_SUMMED_UP = (
    "step_min", "step_max", "time_first_ms", "time_last_ms", "time_min_ms", "time_max_ms",
    "value_first", "value_last", "value_min", "value_max", "value_sum",
)  # fmt: skip
_BOOLEAN = struct.Struct(">i?")

_ELEMENT_OIDS = {"i8": 20, "i4": 23, "f4": 700, "f8": 701}


def _offset(name: str) -> int:
    """Where the field and its length begin in the head of a row."""
    assert _HEAD.fields is not None
    return _HEAD.fields[f"{name} length"][1]


_STRIDE, _AFTER_STRIDE = _offset("step_stride"), _offset("time_first_ms")
_FINITE, _AFTER_FINITE = _offset("value_min"), _offset("non_finite_count")


class ArrayColumn:
    """One column of points as array elements, from which chunks take their slices."""

    def __init__(self, values: NDArray[Any], element: str, counts: NDArray[Any]) -> None:
        records = np.empty(len(values), [("length", ">i4"), ("value", ">" + element)])
        records["length"] = records.dtype["value"].itemsize
        records["value"] = values
        self._elements = records.view(np.uint8).data
        self._stride = records.itemsize
        heads = np.empty(len(counts), _ARRAY_HEAD)
        heads["length"] = _ARRAY_HEAD.itemsize - 4 + counts * self._stride
        heads["dimensions"], heads["has_nulls"], heads["lower_bound"] = 1, 0, 1
        heads["element"], heads["count"] = _ELEMENT_OIDS[element], counts
        self._heads = memoryview(heads.tobytes())

    def field(self, number: int, start: int, count: int) -> tuple[memoryview, memoryview]:
        """The array of chunk `number`, the points [start, start + count), as a field: its head and its elements."""
        head = number * _ARRAY_HEAD.itemsize
        return (
            self._heads[head : head + _ARRAY_HEAD.itemsize],
            self._elements[start * self._stride : (start + count) * self._stride],
        )

    def fields(self, numbers: NDArray[np.intp], starts: NDArray[Any], count: int) -> Bytes:
        """The fields of chunks that begin at `starts` and have `count` points each, a row for each."""
        heads = np.frombuffer(self._heads, np.uint8).reshape(-1, _ARRAY_HEAD.itemsize)[numbers]
        elements = np.frombuffer(self._elements, np.uint8).reshape(-1, self._stride)
        own = elements[starts[:, None] + np.arange(count)].reshape(len(numbers), count * self._stride)
        return np.concatenate((heads, own), axis=1)


# And which chunks use it; None where no chunk does.
Column = tuple[ArrayColumn, list[bool]] | None


class ChunkRows:
    """All chunks of a commit or a merge as COPY data; `keys` has the key of each chunk."""

    def __init__(self, chunks: Chunks, keys: Sequence[RowKey], *, compacted: bool = False) -> None:
        self._chunks = chunks
        self._heads = memoryview(_heads(chunks, keys).tobytes())
        self._compacted = _BOOLEAN.pack(1, compacted)
        self._steps = self._column(chunks.points.steps, "i8", chunks.strides < 0)
        self._offsets = self._column(chunks.time_offsets_ms, "i4", chunks.offsets_fit)
        self._times = self._column(chunks.points.timestamps_ms, "i8", ~chunks.offsets_fit)
        self._float32 = self._column(chunks.values_float32, "f4", chunks.float32_exact)
        self._float64 = self._column(chunks.points.values, "f8", ~chunks.float32_exact)
        self._blocks = BlockColumn(chunks)

    def __len__(self) -> int:
        return len(self._chunks.starts)

    def _column(self, values: NDArray[Any], element: str, used: NDArray[np.bool_]) -> Column:
        """A column and which chunks use it; most commits use one form of each only, and the others are not built."""
        if not used.any():
            return None
        return ArrayColumn(values, element, self._chunks.summaries.counts), used.tolist()

    def pieces(self) -> Iterator[bytes]:
        """Yield the COPY data in pieces of about PIECE_BYTES, the rows in any order."""
        waiting: list[bytes | memoryview] = [SIGNATURE]
        size = len(SIGNATURE)
        groups, others = alike(self._chunks)
        for fields in chain(map(self._alike_rows, _cut(groups)), self._rows(others)):
            waiting.extend(fields)
            size += sum(map(len, fields))
            if size >= PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
        waiting.append(TRAILER)
        yield b"".join(waiting)

    @property
    def _columns(self) -> tuple[Column, ...]:
        return self._steps, self._offsets, self._times, self._float32, self._float64

    def _alike_rows(self, numbers: NDArray[np.intp]) -> list[bytes | memoryview]:
        """Return the rows of chunks that are alike; they are too small for blocks."""
        chunks, first = self._chunks, numbers[0]
        count = int(chunks.summaries.counts[first])
        heads = np.frombuffer(self._heads, np.uint8).reshape(-1, _HEAD.itemsize)[numbers]
        parts: list[Bytes | bytes] = [
            heads[:, :_STRIDE],
            heads[:, _STRIDE:_AFTER_STRIDE] if chunks.strides[first] >= 0 else NULL,
            heads[:, _AFTER_STRIDE:_FINITE],
            heads[:, _FINITE:_AFTER_FINITE]
            if chunks.summaries.non_finite_counts[first] < count
            else NULL * 3,
            heads[:, _AFTER_FINITE:],
        ]
        for column in self._columns:
            is_used = column is not None and column[1][first]
            parts.append(
                column[0].fields(numbers, chunks.starts[numbers], count) if column and is_used else NULL
            )
        return [beside(len(numbers), [*parts, self._compacted, NULL])]

    def _rows(self, numbers: Iterable[int]) -> Iterator[list[bytes | memoryview]]:
        """Yield the fields of each of these rows."""
        chunks, summaries = self._chunks, self._chunks.summaries
        even = (chunks.strides >= 0).tolist()
        any_finite = (summaries.non_finite_counts < summaries.counts).tolist()
        starts, counts = chunks.starts.tolist(), summaries.counts.tolist()
        for number in numbers:
            row = self._head(number, even[number], any_finite[number])
            for column in self._columns:
                if column is not None and column[1][number]:
                    row += column[0].field(number, starts[number], counts[number])
                else:
                    row.append(NULL)
            row.append(self._compacted)
            row += self._blocks.field(number) or (NULL,)
            yield row

    def _head(self, number: int, even: bool, any_finite: bool) -> list[bytes | memoryview]:
        head = self._heads[number * _HEAD.itemsize : (number + 1) * _HEAD.itemsize]
        if even and any_finite:
            return [head]
        return [
            head[:_STRIDE],
            head[_STRIDE:_AFTER_STRIDE] if even else NULL,
            head[_AFTER_STRIDE:_FINITE],
            head[_FINITE:_AFTER_FINITE] if any_finite else NULL * 3,
            head[_AFTER_FINITE:],
        ]


def _cut(groups: Sequence[NDArray[np.intp]]) -> Iterator[NDArray[np.intp]]:
    """Yield groups of MATRIX_ROWS_MAX rows at most."""
    for group in groups:
        for start in range(0, len(group), MATRIX_ROWS_MAX):
            yield group[start : start + MATRIX_ROWS_MAX]


def _heads(chunks: Chunks, keys: Sequence[RowKey]) -> NDArray[Any]:
    """The numbers of all rows at once."""
    heads = np.empty(len(keys), _HEAD)
    heads["fields"] = len(COLUMNS)
    for name, _ in _FIELDS:
        heads[f"{name} length"] = heads.dtype[name].itemsize
    run_ids, metric_ids, writer_ids, first_positions, parts = zip(*keys, strict=True)
    heads["run_id"] = np.frombuffer(b"".join(run_ids), "V16")
    heads["writer_id"] = np.frombuffer(b"".join(writer_ids), "V16")
    heads["metric_id"], heads["first_position"], heads["part"] = metric_ids, first_positions, parts
    summaries = chunks.summaries
    heads["count"], heads["step_stride"] = summaries.counts, chunks.strides
    heads["non_finite_count"] = summaries.non_finite_counts
    for name in _SUMMED_UP:
        heads[name] = getattr(summaries, name)
    return heads


async def as_source(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """COPY data as asyncpg wants it."""
    for piece in pieces:
        yield piece
