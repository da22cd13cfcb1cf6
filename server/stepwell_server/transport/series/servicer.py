"""SeriesService over gRPC."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from stepwell_api.v1 import series_pb2 as pb
from stepwell_api.v1 import series_pb2_grpc
from stepwell_server.errors import ExhaustedError, InvalidArgumentError
from stepwell_server.model.series import Changes, LatestRow, SeriesPiece
from stepwell_server.process.holding import Holding, peer_of
from stepwell_server.services.group_lines import GroupLineService
from stepwell_server.services.paging.histories import make_cursor
from stepwell_server.services.series import LATEST_RUNS_MAX, SAMPLE_RUNS_MAX, SeriesService, check_count
from stepwell_server.services.watching import WATCHED_RUNS_MAX, WatchService
from stepwell_server.transport.ingest.packed import (
    SAMPLE_COLUMNS,
    grouped_line,
    sampled_series,
    series_points,
)
from stepwell_server.transport.mapping import parse_uuids
from stepwell_server.transport.on_the_way import message_held
from stepwell_server.transport.series.parsing import (
    parse_columns,
    parse_group_request,
    parse_groups_wanted,
    parse_positions,
    parse_sample_request,
    parse_selection,
    parse_series,
    parse_watch_start,
)

# Points and series of one answer, at most: 1.5 MB, and some hundred bytes for each series.
ANSWER_POINTS_MAX = 65_536
ANSWER_SERIES_MAX = 1_000
# What a usual page of a history takes on its way, and a small one, for when there is no room: 28 bytes a point.
PAGE_HELD_BYTES = 28 * 2**20
SMALL_PAGE_POINTS = 65_536
SMALL_PAGE_HELD_BYTES = 28 * SMALL_PAGE_POINTS
# What a bucket of a sample takes; of a large sample, what is under way at once.
BUCKET_BYTES = 96
SAMPLE_HELD_BYTES_MAX = 48 * 2**20
# What a watch takes as long as it is open, beside what it sends; and each position that it begins at.
WATCH_HELD_BYTES = 2**15
WATCHED_POSITION_BYTES = 256


class SeriesServicer(series_pb2_grpc.SeriesServiceServicer):
    """Check, call, map, answer."""

    def __init__(
        self, series: SeriesService, groups: GroupLineService, watching: WatchService, holding: Holding
    ) -> None:
        self._holding = holding
        self._series = series
        self._groups = groups
        self._watching = watching

    async def GetHistory(  # noqa: N802
        self, request: pb.GetHistoryRequest, context: Any
    ) -> AsyncIterator[pb.GetHistoryResponse]:
        """Stream histories, or their ends."""
        peer = peer_of(context.peer())
        series, selection = parse_series(request.series), parse_selection(request.selection)
        if request.last:
            if request.cursor:
                raise InvalidArgumentError("`last` and `cursor` exclude each other; leave one out")
            async for number, points in self._series.last_points(series, selection, request.last):
                ends = pb.GetHistoryResponse(series=[series_points(number, points)])
                async with message_held(self._holding, peer, ends):
                    yield ends
            return
        async with self._page(peer) as page_points:
            history = self._series.history(series, selection, request.cursor, page_points)
            async for pieces in gathered(history):
                yield pb.GetHistoryResponse(
                    series=[series_points(piece.number, piece.points) for piece in pieces],
                    cursor=make_cursor(pieces[-1].end),
                )

    @asynccontextmanager
    async def _page(self, peer: str) -> AsyncIterator[int | None]:
        """Hold the memory of a page of a history; yields its points where there is room for a small one alone."""
        try:
            held = self._holding.hold_now(peer, PAGE_HELD_BYTES)
        except ExhaustedError:
            async with self._holding.hold(peer, SMALL_PAGE_HELD_BYTES):
                yield SMALL_PAGE_POINTS
            return
        try:
            yield None
        finally:
            held.give_back()

    async def GetLatestMetrics(  # noqa: N802
        self, request: pb.GetLatestMetricsRequest, context: Any
    ) -> AsyncIterator[pb.GetLatestMetricsResponse]:
        """Stream latest points."""
        run_ids = parse_uuids(request.run_ids, "run_ids", LATEST_RUNS_MAX)
        async for rows in self._series.latest(run_ids, list(request.keys)):
            latest = latest_to_proto(rows)
            async with message_held(self._holding, peer_of(context.peer()), latest):
                yield latest

    async def SampleSeries(  # noqa: N802
        self, request: pb.SampleSeriesRequest, context: Any
    ) -> AsyncIterator[pb.SampleSeriesResponse]:
        """Stream samples."""
        run_ids = parse_uuids(request.run_ids, "run_ids", SAMPLE_RUNS_MAX)
        check_count("columns", len(request.columns), len(SAMPLE_COLUMNS))
        keys, columns = list(request.keys), parse_columns(request.columns)
        wanted = parse_sample_request(request)
        size = min(SAMPLE_HELD_BYTES_MAX, 2**16 + len(run_ids) * len(keys) * wanted.buckets * BUCKET_BYTES)
        async with self._holding.hold(peer_of(context.peer()), size):
            async for number, sample in self._series.sample(run_ids, keys, wanted):
                yield sampled_series(*divmod(number, len(keys)), sample, columns)

    async def SampleGroups(  # noqa: N802
        self, request: pb.SampleGroupsRequest, context: Any
    ) -> AsyncIterator[pb.SampleGroupsResponse]:
        """Stream lines of groups."""
        groups, wanted = parse_groups_wanted(request), parse_group_request(request)
        size = min(SAMPLE_HELD_BYTES_MAX, 2**16 + SAMPLE_RUNS_MAX * wanted.buckets * BUCKET_BYTES)
        async with self._holding.hold(peer_of(context.peer()), size):
            async for group, key, line in self._groups.lines(groups, list(request.keys), wanted):
                yield grouped_line(group, key, line)

    async def Watch(  # noqa: N802
        self, request: pb.WatchRequest, context: Any
    ) -> AsyncIterator[pb.WatchResponse]:
        """Stream what is committed."""
        run_ids = parse_uuids(request.run_ids, "run_ids", WATCHED_RUNS_MAX)
        start, positions = parse_watch_start(request.start), parse_positions(request.positions)
        from_now = parse_uuids(request.from_now_run_ids, "from_now_run_ids", WATCHED_RUNS_MAX)
        peer = peer_of(context.peer())
        size = WATCH_HELD_BYTES + len(positions) * WATCHED_POSITION_BYTES
        watch = self._watching.watch(run_ids, list(request.keys), start, positions, from_now)
        async with self._holding.hold(peer, size), aclosing(watch) as news:  # type: ignore[type-var]  # a generator
            async for changes in news:
                message = changes_to_proto(changes)
                async with message_held(self._holding, peer, message):
                    yield message


async def gathered(pieces: AsyncIterator[SeriesPiece]) -> AsyncIterator[Sequence[SeriesPiece]]:
    """Yield pieces together, as many as fit into an answer."""
    waiting: list[SeriesPiece] = []
    points = 0
    async for piece in pieces:
        if waiting and (points + len(piece.points) > ANSWER_POINTS_MAX or len(waiting) == ANSWER_SERIES_MAX):
            yield waiting
            waiting, points = [], 0
        waiting.append(piece)
        points += len(piece.points)
    if waiting:
        yield waiting


def changes_to_proto(changes: Changes) -> pb.WatchResponse:
    """Return what was committed as a message."""
    return pb.WatchResponse(
        series=[
            pb.SeriesNews(
                run_id=news.run_id.hex,
                key=news.key,
                restarted=news.restarted,
                points=None if news.points is None else series_points(0, news.points),
                parts=None if news.parts is None else sampled_series(0, 0, news.parts),
            )
            for news in changes.series
        ],
        positions=[
            pb.WriterPosition(run_id=at.run_id.hex, writer_id=at.writer_id.hex, position=at.position)
            for at in changes.positions
        ],
    )


def latest_to_proto(rows: Sequence[LatestRow]) -> pb.GetLatestMetricsResponse:
    """Return latest points as a message."""
    keys = {key: place for place, key in enumerate(dict.fromkeys(row.key for row in rows))}
    return pb.GetLatestMetricsResponse(
        keys=list(keys),
        run=[row.number for row in rows],
        key=[keys[row.key] for row in rows],
        step=[row.step for row in rows],
        timestamp_ms=[row.timestamp_ms for row in rows],
        value=[row.value for row in rows],
        count=[row.count for row in rows],
        non_finite_count=[row.non_finite_count for row in rows],
        value_min=[_number(row.value_min) for row in rows],
        value_max=[_number(row.value_max) for row in rows],
        value_mean=[_mean(row) for row in rows],
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(row: LatestRow) -> float:
    finite = row.count - row.non_finite_count
    return math.nan if row.value_sum is None or not finite else row.value_sum / finite
