"""Reading series."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.series import (
    INT64_MAX,
    INT64_MIN,
    History,
    LatestRow,
    SampledSeries,
    SampleRequest,
    Sampling,
    Selection,
    SeriesName,
    SeriesPiece,
    ThinnedSeries,
    ValueRange,
    XAxis,
)
from stepwell_server.services.paging.histories import read_cursor
from stepwell_server.store.ports.series import SeriesStore

# Series of one call for histories, at most.
SERIES_MAX = 10_000
# Points that can be asked for from the end of a series: 1.5 MB, which fit into one answer.
LAST_POINTS_MAX = 65_536
# And of all series of one call together: 240 MB.
LAST_POINTS_TOGETHER_MAX = 10_000_000
# Runs and names of one call for latest points, at most.
LATEST_RUNS_MAX = 10_000
LATEST_KEYS_MAX = 10_000
# Runs times names that are looked up in one call.
LATEST_POINTS_MAX = 10_000_000
# Runs, metrics and buckets of one sample, at most: a chart of 100 lines has no more than 10,000 pixels to draw on.
SAMPLE_RUNS_MAX = 100
SAMPLE_KEYS_MAX = 20
BUCKETS_MAX = 10_000
# Runs times metrics times buckets: the page draws 100 runs, 20 metrics and 500 buckets.
SAMPLE_BUCKETS_MAX = 2_000_000


class SeriesService:
    """Reads the histories of metrics. All methods raise NotFoundError when there is no such run."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store

    async def history(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        cursor: str,
        page_points: int | None = None,
    ) -> AsyncGenerator[SeriesPiece, None]:
        """Yield the points of series in pieces, after `cursor` (the empty one begins); see `SeriesStore.history`.

        Raises:
            InvalidArgumentError: too many series, bounds that leave nothing, or a cursor of another request.
        """
        after = read_cursor(cursor, len(series))
        await self._check(series, selection)
        async for piece in self._store.history(series, selection, after, page_points):
            yield piece

    async def last_points(
        self, series: Sequence[SeriesName], selection: Selection, count: int
    ) -> AsyncIterator[tuple[int, History]]:
        """Yield the last `count` points of each series that has any, with the number of the series.

        Raises:
            InvalidArgumentError: as `history`, and when `count` is not from 1 to LAST_POINTS_MAX.
        """
        if not 1 <= count <= LAST_POINTS_MAX:
            raise InvalidArgumentError(f"{count} last points are asked for; ask for 1 to {LAST_POINTS_MAX}")
        check_count("last points", count * len(series), LAST_POINTS_TOGETHER_MAX)
        await self._check(series, selection)
        for number, name in enumerate(series):
            points = await self._store.last_points(name, selection, count)
            if points is not None and len(points):
                yield number, points

    async def latest(
        self, run_ids: Sequence[UUID], keys: Sequence[str]
    ) -> AsyncIterator[Sequence[LatestRow]]:
        """Yield the latest points of metrics, of all of them when `keys` is empty.

        Raises:
            InvalidArgumentError: too many runs or keys.
        """
        check_count("runs", len(run_ids), LATEST_RUNS_MAX)
        check_count("keys", len(keys), LATEST_KEYS_MAX)
        check_count("latest points", len(run_ids) * len(keys), LATEST_POINTS_MAX)
        await self._check_runs(run_ids)
        async for rows in self._store.latest(run_ids, keys or None):
            yield rows

    async def sample(
        self, run_ids: Sequence[UUID], keys: Sequence[str], request: SampleRequest
    ) -> AsyncIterator[tuple[int, SampledSeries]]:
        """Yield samples of series, in order of runs and then of keys, with run number * keys + key number.

        Series without points in the range are left out. See `store/series/sampling.py` for what a sample is.

        Raises:
            InvalidArgumentError: too many runs, keys or buckets, or bounds that leave nothing.
        """
        check_count("runs", len(run_ids), SAMPLE_RUNS_MAX)
        check_count("keys", len(keys), SAMPLE_KEYS_MAX)
        if not 1 <= request.buckets <= BUCKETS_MAX:
            raise InvalidArgumentError(f"{request.buckets} buckets are asked for; ask for 1 to {BUCKETS_MAX}")
        check_count("buckets", len(run_ids) * len(keys) * request.buckets, SAMPLE_BUCKETS_MAX)
        start_times = await self._check_runs(run_ids)
        series = [SeriesName(run_id, key) for run_id in run_ids for key in keys]
        if request.axis is XAxis.METRIC:
            async for number, sample in self._sample_over(series, request):
                yield number, sample
            return
        offsets = [
            start_times[name.run_id] if request.axis is XAxis.TIME_SINCE_START else 0 for name in series
        ]
        selections = [sample_selection(request, offset) for offset in offsets]
        sampling = Sampling(request.axis is not XAxis.STEP, request.buckets)
        number = 0
        async for samples in self._store.sample(series, selections, sampling):
            for sample in samples:
                if len(sample):
                    yield number, shifted(sample, offsets[number])
                number += 1

    async def _sample_over(
        self, series: Sequence[SeriesName], request: SampleRequest
    ) -> AsyncIterator[tuple[int, SampledSeries]]:
        values = checked_values(request)
        selection = Selection(writer_ids=request.writer_ids, ranks=request.ranks)
        number = 0
        async for sample in self._store.sample_over(series, selection, values, request.buckets):
            if len(sample):
                yield number, sample
            number += 1

    async def thinned(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        wanted: int,
        known: Mapping[SeriesName, bytes],
    ) -> Mapping[SeriesName, ThinnedSeries]:
        """Return some points of each series; see `SeriesStore.thinned`. Series of runs that do not exist have none.

        Raises:
            InvalidArgumentError: too many series, or bounds that leave nothing.
        """
        check_count("series", len(series), SERIES_MAX)
        check_selection(selection)
        found = await self._store.thinned(series, selection, wanted, known)
        return dict(zip(series, found, strict=True))

    async def _check(self, series: Sequence[SeriesName], selection: Selection) -> None:
        check_count("series", len(series), SERIES_MAX)
        check_selection(selection)
        await self._check_runs([name.run_id for name in series])

    async def _check_runs(self, run_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return when the runs started; all have to exist."""
        start_times = await self._store.start_times(run_ids)
        for run_id in run_ids:
            if run_id not in start_times:
                raise NotFoundError(f"run {run_id.hex} does not exist")
        return start_times


def sample_selection(request: SampleRequest, offset: int) -> Selection:
    """Return the points that a sample is drawn from, where x = 0 is `offset` milliseconds since the epoch."""
    low = INT64_MIN if request.x_from is None else min(max(request.x_from + offset, INT64_MIN), INT64_MAX)
    high = INT64_MAX if request.x_to is None else min(max(request.x_to + offset, INT64_MIN), INT64_MAX)
    if low > high:
        raise InvalidArgumentError(
            f"x_from {request.x_from} is above x_to {request.x_to}; give the lesser one first"
        )
    bounds = {"step_from": low, "step_to": high}
    if request.axis is not XAxis.STEP:
        bounds = {"time_from_ms": low, "time_to_ms": high}
    return Selection(
        **bounds, writer_ids=request.writer_ids, ranks=request.ranks, with_hidden=request.with_hidden
    )


def checked_values(request: SampleRequest) -> ValueRange:
    """Return the values that a sample is drawn over. Raises InvalidArgumentError."""
    values = request.values
    if values is None or not values.key:
        raise InvalidArgumentError("the axis is a metric; name it in x_key")
    if request.x_from is not None or request.x_to is not None:
        raise InvalidArgumentError(
            "over a metric, give x_value_from and x_value_to instead of x_from and x_to"
        )
    if any(bound is not None and not math.isfinite(bound) for bound in (values.low, values.high)):
        raise InvalidArgumentError("x_value_from and x_value_to have to be finite")
    if request.with_hidden:
        raise InvalidArgumentError("hidden points are not shown over a metric; leave with_hidden out")
    if values.low is not None and values.high is not None and values.low > values.high:
        raise InvalidArgumentError(
            f"x_value_from {values.low} is above x_value_to {values.high}; give the lesser one first"
        )
    return values


def shifted(sample: SampledSeries, offset: int) -> SampledSeries:
    """Return a sample with x counted from `offset`."""
    return (
        replace(sample, first_x=sample.first_x - offset, last_x=sample.last_x - offset) if offset else sample
    )


def check_selection(selection: Selection) -> None:
    """Refuse bounds that leave nothing, because that is a mistake. Raises InvalidArgumentError."""
    if selection.step_from > selection.step_to:
        raise InvalidArgumentError(
            f"step_from {selection.step_from} is above step_to {selection.step_to}; give the lesser one first"
        )
    if selection.time_from_ms > selection.time_to_ms:
        raise InvalidArgumentError(
            f"time_from_ms {selection.time_from_ms} is above time_to_ms {selection.time_to_ms};"
            " give the lesser one first"
        )


def check_count(what: str, count: int, limit: int) -> None:
    """Check how much one call asks for. Raises InvalidArgumentError."""
    if count > limit:
        raise InvalidArgumentError(f"{count:,} {what} are asked for at once; ask for at most {limit:,}")
