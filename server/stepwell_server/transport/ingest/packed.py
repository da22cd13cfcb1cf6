"""Columns into messages without work for a number.

A packed field of fixed width is, on the wire, its little-endian numbers one after the other
(https://protobuf.dev/programming-guides/encoding/#packed). So a column's own bytes are the field, and a message that
is put together from such bytes and parsed costs a copy (0.3 ns a number), where `extend` costs 20 to 40 ns.
"""

from collections.abc import Collection, Mapping

import numpy as np

from stepwell_api.v1 import series_pb2 as pb
from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.group_lines import GroupLine
from stepwell_server.model.series import History, SampledSeries

LENGTH_DELIMITED = 2

# The columns of a sample by their numbers in requests.
SAMPLE_COLUMNS: Mapping[int, str] = {
    number: name.removeprefix("SAMPLE_COLUMN_").lower() for name, number in pb.SampleColumn.items() if number
}

GROUP_COLUMNS = (
    "first_x", "last_x", "mean", "deviation", "minimum", "maximum", "runs", "count", "non_finite_count",
)  # fmt: skip


def packed(field_number: int, column: Int64s | Float64s) -> bytes:
    """Return the encoded field of a column of 8-byte numbers; nothing for an empty one."""
    if not len(column):
        return b""
    data = column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes()
    return varint(field_number << 3 | LENGTH_DELIMITED) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """Return a number as protobuf writes lengths and tags: 7 bits a byte, the lowest first."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def series_points(number: int, points: History) -> pb.SeriesPoints:
    """Return the points of series `number` as a message."""
    message = pb.SeriesPoints.FromString(
        packed(pb.SeriesPoints.STEP_FIELD_NUMBER, points.steps)
        + packed(pb.SeriesPoints.TIMESTAMP_MS_FIELD_NUMBER, points.timestamps_ms)
        + packed(pb.SeriesPoints.VALUE_FIELD_NUMBER, np.asarray(points.values))
    )
    message.series = number
    return message


def sampled_series(
    run: int, key: int, sample: SampledSeries, columns: Collection[str] = tuple(SAMPLE_COLUMNS.values())
) -> pb.SampleSeriesResponse:
    """Return these columns of the sample of one series as a message."""
    message = pb.SampleSeriesResponse.FromString(_columns(pb.SampleSeriesResponse, sample, columns))
    message.run, message.key = run, key
    return message


def grouped_line(group: int, key: int, line: GroupLine) -> pb.SampleGroupsResponse:
    """Return the line of one group and metric as a message."""
    message = pb.SampleGroupsResponse.FromString(_columns(pb.SampleGroupsResponse, line, GROUP_COLUMNS))
    message.group, message.key = group, key
    message.found_runs, message.read_runs = line.found_runs, line.read_runs
    message.runs_with_points = line.runs_with_points
    return message


def _columns(
    message: type[pb.SampleSeriesResponse | pb.SampleGroupsResponse],
    of: SampledSeries | GroupLine,
    names: Collection[str],
) -> bytes:
    """Return the encoded fields of columns, x as doubles in fields of their own."""
    fields = message.DESCRIPTOR.fields_by_name
    parts = []
    for name in names:
        column = getattr(of, name)
        is_value = name.endswith("_x") and column.dtype.kind == "f"
        parts.append(packed(fields[f"{name}_value" if is_value else name].number, column))
    return b"".join(parts)
