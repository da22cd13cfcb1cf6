"""Chunks without their arrays: what is known of them as numpy columns, and opening those that are needed."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.columns import Int64s
from stepwell_server.model.series import Extent, Selection, SeriesName
from stepwell_server.process.joined import one_ahead
from stepwell_server.store.chunks.points import array_records, record_type
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("sampling")

# Chunks that one group of series may have, 200 bytes each; that is some thousand million points once compacted.
SUMMARIES_MAX = 1_000_000
# Chunks that are opened together: 131,072 points, 2 MB on the way, as much of the next batch. For more, malloc takes
# memory from the system and gives it back in each call, with some ten thousand page faults.
OPENED_CHUNKS = 32

_RECORD = record_type(
    {
        "series": ">i4",
        "metric_id": ">i8",
        "writer_id": "V16",
        "first_position": ">i8",
        "part": ">i2",
        "count": ">i4",
        "step_min": ">i8",
        "step_max": ">i8",
        "step_stride": ">i8",
        "time_first_ms": ">i8",
        "time_last_ms": ">i8",
        "time_min_ms": ">i8",
        "time_max_ms": ">i8",
        "value_first": ">f8",
        "value_last": ">f8",
        "value_min": ">f8",
        "value_max": ">f8",
        "value_sum": ">f8",
        "non_finite_count": ">i4",
        "visible_to_step": ">i8",
        "block_bytes": ">i4",
    }
)
_INTEGERS = (
    "series", "count", "step_min", "step_max", "step_stride", "time_first_ms", "time_last_ms", "time_min_ms",
    "time_max_ms", "non_finite_count", "visible_to_step", "block_bytes",
)  # fmt: skip
_FLOATS = ("value_first", "value_last", "value_min", "value_max", "value_sum")


class ChunkSummaries:
    """Chunks of several series, in order of (series, step_min); see `chunks.Summaries` for the columns.

    `step_stride` is -1 where it is not set; a rewind hides the points with steps above `visible_to_step`; `block_bytes`
    are those of the column `blocks`, 0 where it is not set.
    """

    series: Int64s
    count: Int64s
    step_min: Int64s
    step_max: Int64s
    step_stride: Int64s
    time_first_ms: Int64s
    time_last_ms: Int64s
    time_min_ms: Int64s
    time_max_ms: Int64s
    non_finite_count: Int64s
    visible_to_step: Int64s
    block_bytes: Int64s
    value_first: NDArray[np.float64]
    value_last: NDArray[np.float64]
    value_min: NDArray[np.float64]
    value_max: NDArray[np.float64]
    value_sum: NDArray[np.float64]

    def __init__(self, rows: NDArray[Any]) -> None:
        order = np.lexsort((rows["step_min"], rows["series"]))
        self._rows = rows[order]
        for name in _INTEGERS:
            setattr(self, name, self._rows[name].astype(np.int64))
        for name in _FLOATS:
            setattr(self, name, self._rows[name].astype(np.float64))

    def __len__(self) -> int:
        return len(self._rows)

    def keys(self, places: Int64s, names: Sequence[SeriesName]) -> list[list[Any]]:
        """The primary keys of the chunks at these places, as columns."""
        rows = self._rows[places]
        return [
            [names[number].run_id for number in self.series[places].tolist()],
            rows["metric_id"].tolist(),
            [UUID(bytes=writer_id.tobytes()) for writer_id in rows["writer_id"]],
            rows["first_position"].tolist(),
            rows["part"].tolist(),
        ]


async def read_summaries(
    connection: Connection, names: Sequence[SeriesName], selections: Sequence[Selection]
) -> ChunkSummaries:
    """Return the chunks of series that may have points in their selections (which differ only in their bounds).

    Raises:
        InvalidArgumentError: they are more than SUMMARIES_MAX.
    """
    wire = await connection.fetchval(
        _SQL["summaries"],
        *_asked(names, selections),
        selections[0].writer_ids,
        selections[0].ranks,
        SUMMARIES_MAX + 1,
        selections[0].with_hidden,
    )
    rows = array_records(wire, _RECORD)
    if len(rows) > SUMMARIES_MAX:
        raise too_many_chunks()
    return ChunkSummaries(rows)


async def read_extents(
    connection: Connection, names: Sequence[SeriesName], selections: Sequence[Selection]
) -> list[Extent]:
    """Return how far series reach that have points; selections are of all writers."""
    rows = await connection.fetch(
        _SQL["extents"], *_asked(names, selections), any(it.with_hidden for it in selections)
    )
    return [Extent(*row.values()) for row in rows]


def _asked(names: Sequence[SeriesName], selections: Sequence[Selection]) -> list[list[Any]]:
    """Series with their bounds, as columns."""
    return [
        [name.run_id for name in names],
        [name.key for name in names],
        [selection.step_from for selection in selections],
        [selection.step_to for selection in selections],
        [selection.time_from_ms for selection in selections],
        [selection.time_to_ms for selection in selections],
    ]


def too_many_chunks() -> InvalidArgumentError:
    """Return the error of a request that would look at more than SUMMARIES_MAX chunks."""
    return InvalidArgumentError(
        f"the series have more than {SUMMARIES_MAX} chunks; ask for fewer series or a smaller range,"
        " or wait until they are compacted"
    )


def open_chunks(
    connection: Connection,
    summaries: ChunkSummaries,
    places: Int64s,
    names: Sequence[SeriesName],
    with_times: NDArray[np.bool_],
) -> AsyncIterator[list[tuple[int, Any]]]:
    """Yield, in batches, the place and the row (arrays as their wire form) of chunks.

    Where `with_times` (one element for each chunk) is not set, the arrays of times stay closed.
    """

    async def opened(part: Int64s) -> list[tuple[int, Any]]:
        keys = summaries.keys(part, names)
        rows = await connection.fetch(_SQL["open_chunks"], *keys, with_times[part].tolist())
        return [(int(part[row["number"] - 1]), row) for row in rows]

    starts = range(0, len(places), OPENED_CHUNKS)
    return one_ahead(opened(places[start : start + OPENED_CHUNKS]) for start in starts)
