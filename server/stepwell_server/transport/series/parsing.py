"""What requests for series ask for, checked."""

from collections.abc import Sequence

from stepwell_api.v1 import series_pb2 as pb
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.group_lines import GroupsWanted
from stepwell_server.model.series import (
    EVERYTHING,
    Position,
    SampleRequest,
    Selection,
    SeriesName,
    ValueRange,
    WatchStart,
    XAxis,
)
from stepwell_server.services.group_lines import GROUPS_MAX
from stepwell_server.services.series import SERIES_MAX, check_count
from stepwell_server.transport.ingest.packed import SAMPLE_COLUMNS
from stepwell_server.transport.mapping import parse_uuid, parse_uuids, parse_view_type

# Writers and ranks that a selection names, and positions that a watch begins at, at most: a hundred runs of a thousand.
WRITERS_MAX = 10_000
WATCHED_POSITIONS_MAX = 100_000
# Half of the pixels of a usual chart: each bucket is drawn as a line from its minimum to its maximum.
BUCKETS_DEFAULT = 500
# Lines of groups are smooth.
PLACES_DEFAULT = 200

_AXES: dict[int, XAxis] = {
    pb.X_AXIS_UNSPECIFIED: XAxis.STEP,
    pb.X_AXIS_STEP: XAxis.STEP,
    pb.X_AXIS_TIME: XAxis.TIME,
    pb.X_AXIS_TIME_SINCE_START: XAxis.TIME_SINCE_START,
    pb.X_AXIS_METRIC: XAxis.METRIC,
}

_STARTS: dict[int, WatchStart] = {
    pb.WATCH_START_UNSPECIFIED: WatchStart.NOW,
    pb.WATCH_START_NOW: WatchStart.NOW,
    pb.WATCH_START_BEGINNING: WatchStart.BEGINNING,
    pb.WATCH_START_POSITIONS: WatchStart.POSITIONS,
}


def parse_series(names: Sequence[pb.SeriesName]) -> list[SeriesName]:
    """Return the series that a request names."""
    check_count("series", len(names), SERIES_MAX)
    return [SeriesName(parse_uuid(name.run_id, "run_id"), name.key) for name in names]


def parse_selection(message: pb.Selection) -> Selection:
    """Return which points a request wants; bounds that are not set leave out nothing."""

    def bound(name: str) -> int:
        value: int = getattr(message, name) if message.HasField(name) else getattr(EVERYTHING, name)  # type: ignore[arg-type]
        return value

    return Selection(
        step_from=bound("step_from"),
        step_to=bound("step_to"),
        time_from_ms=bound("time_from_ms"),
        time_to_ms=bound("time_to_ms"),
        writer_ids=parse_uuids(message.writer_ids, "writer_ids", WRITERS_MAX) or None,
        ranks=parse_ranks(message.ranks),
    )


def parse_ranks(ranks: Sequence[int]) -> list[int] | None:
    """Return which ranks are wanted; None for all."""
    check_count("ranks", len(ranks), WRITERS_MAX)
    return list(ranks) or None


def parse_sample_request(message: pb.SampleSeriesRequest) -> SampleRequest:
    """Return how a sample is to be drawn."""
    return SampleRequest(
        axis=parse_axis(message.axis),
        buckets=message.buckets or BUCKETS_DEFAULT,
        x_from=message.x_from if message.HasField("x_from") else None,
        x_to=message.x_to if message.HasField("x_to") else None,
        writer_ids=parse_uuids(message.writer_ids, "writer_ids", WRITERS_MAX) or None,
        ranks=parse_ranks(message.ranks),
        values=parse_value_range(message),
        with_hidden=message.with_hidden,
    )


def parse_groups_wanted(message: pb.SampleGroupsRequest) -> GroupsWanted:
    """Return which groups of runs a request wants."""
    check_count("groups", len(message.filters), GROUPS_MAX)
    experiment_ids = None if message.all_experiments else list(message.experiment_ids)
    return GroupsWanted(experiment_ids, parse_view_type(message.view_type), list(message.filters))


def parse_group_request(message: pb.SampleGroupsRequest) -> SampleRequest:
    """Return how the lines of groups are to be drawn."""
    return SampleRequest(
        axis=parse_axis(message.axis),
        buckets=message.buckets or PLACES_DEFAULT,
        x_from=message.x_from if message.HasField("x_from") else None,
        x_to=message.x_to if message.HasField("x_to") else None,
        values=parse_value_range(message),
        with_hidden=message.with_hidden,
    )


def parse_axis(number: int) -> XAxis:
    """Return what x is."""
    if number not in _AXES:
        raise InvalidArgumentError(
            f"{number} is not an axis; use one of {', '.join(axis.name for axis in XAxis)}"
        )
    return _AXES[number]


def parse_value_range(message: pb.SampleSeriesRequest | pb.SampleGroupsRequest) -> ValueRange | None:
    """Return the values of a metric that a sample is to be drawn over; None if it is not."""
    low = message.x_value_from if message.HasField("x_value_from") else None
    high = message.x_value_to if message.HasField("x_value_to") else None
    if message.axis == pb.X_AXIS_METRIC:
        return ValueRange(message.x_key, low, high)
    if message.x_key or low is not None or high is not None:
        raise InvalidArgumentError(
            "x_key, x_value_from and x_value_to are for the axis METRIC; leave them out"
        )
    return None


def parse_columns(numbers: Sequence[int]) -> frozenset[str]:
    """Return the names of the columns of a sample that are wanted."""
    unknown = [number for number in numbers if number not in SAMPLE_COLUMNS]
    if unknown:
        raise InvalidArgumentError(
            f"{unknown[0]} is not a column of a sample; use those from 1 to {len(SAMPLE_COLUMNS)}"
        )
    return frozenset(SAMPLE_COLUMNS[number] for number in numbers or SAMPLE_COLUMNS)


def parse_watch_start(number: int) -> WatchStart:
    """Return from where to watch."""
    if number not in _STARTS:
        names = ", ".join(start.name for start in WatchStart)
        raise InvalidArgumentError(f"{number} is not where a watch can start; use one of {names}")
    return _STARTS[number]


def parse_positions(messages: Sequence[pb.WriterPosition]) -> list[Position]:
    """Return positions of writers."""
    check_count("positions", len(messages), WATCHED_POSITIONS_MAX)
    return [
        Position(parse_uuid(it.run_id, "run_id"), parse_uuid(it.writer_id, "writer_id"), it.position)
        for it in messages
    ]
