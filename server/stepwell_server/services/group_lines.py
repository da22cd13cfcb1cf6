"""One line for each group of runs: which runs are found, how many of them are read, and where they are compared."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.group_lines import GroupLine, GroupsWanted
from stepwell_server.model.runs import Run, ViewType
from stepwell_server.model.series import (
    Extent,
    SampledSeries,
    SampleRequest,
    Sampling,
    Selection,
    SeriesName,
    ValueRange,
    XAxis,
)
from stepwell_server.search.expressions import Expression
from stepwell_server.search.parser import parse_filter_aside, parse_order
from stepwell_server.search.queries import Projection, RowPosition, RunSearch
from stepwell_server.search.subjects import RUNS
from stepwell_server.services.averaging import GroupAverage, Places, ValuePlaces, WholePlaces
from stepwell_server.services.search import check_experiments, pointing_at_patterns
from stepwell_server.services.series import (
    SAMPLE_KEYS_MAX,
    check_count,
    checked_values,
    sample_selection,
    shifted,
)
from stepwell_server.store.ports.series import SeriesStore

# Groups of one call, and places of a line: a chart has no more pixels.
GROUPS_MAX = 20
PLACES_MAX = 2_000
# Runs of a group that are read, those that started last; and series of all groups and metrics of a call together, which
# they share evenly.
GROUP_RUNS_MAX = 1_000
GROUPED_SERIES_MAX = 10_000
# Chunks of a line that are read, those of the runs that started last: over steps their summaries tell most (120 million
# points); over times, arrays have to be opened (20 million points).
CHUNKS_OVER_STEPS_MAX = 30_000
CHUNKS_OVER_TIMES_MAX = 5_000
# Over another metric, two whole histories a run are read.
RUNS_OVER_METRIC_MAX = 100

_NO_ITEMS = Projection(params=(), metrics=(), tags=())


class RunFinder(Protocol):
    """What of `ports.SearchStore` finds the runs of a group."""

    async def search_runs(self, search: RunSearch) -> Sequence[tuple[Run, RowPosition]]:
        """Return a page of runs."""
        ...

    async def count_runs(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: Expression | None,
        hidden: Sequence[int] = (),
    ) -> int:
        """Return how many there are."""
        ...


@dataclass(frozen=True, slots=True)
class _Group:
    """The runs of a group that are read, those that started last first, with when; and how many there are."""

    runs: Sequence[tuple[UUID, int]]
    found: int


class GroupLineService:
    """Sums up series over groups of runs."""

    def __init__(self, series: SeriesStore, runs: RunFinder) -> None:
        self._series = series
        self._runs = runs
        self._newest_first = parse_order(["start_time DESC"], RUNS)

    async def lines(
        self,
        groups: GroupsWanted,
        keys: Sequence[str],
        request: SampleRequest,
        within: Within = EVERYWHERE,
    ) -> AsyncIterator[tuple[int, int, GroupLine]]:
        """Yield the line of each group and metric that has points in the range, with the numbers of both.

        Raises:
            InvalidArgumentError: too many groups, metrics or places, bounds that leave nothing, or a bad filter.
        """
        check_experiments(groups.experiment_ids)
        check_count("groups", len(groups.filters), GROUPS_MAX)
        check_count("keys", len(keys), SAMPLE_KEYS_MAX)
        if not 1 <= request.buckets <= PLACES_MAX:
            raise InvalidArgumentError(f"{request.buckets} buckets are asked for; ask for 1 to {PLACES_MAX}")
        if request.axis is XAxis.METRIC:
            checked_values(request)
        sample_selection(request, 0)
        runs_max = _runs_of_each(len(groups.filters), len(keys), request.axis)
        for number, filter_ in enumerate(groups.filters):
            group = await self._group(groups, filter_, runs_max, within)
            for place, key in enumerate(keys):
                line = await self._line(group, key, request)
                if line is not None and len(line):
                    yield number, place, line

    async def _group(self, groups: GroupsWanted, filter_: str, runs_max: int, visible: Within) -> _Group:
        with pointing_at_patterns(filter_):
            wanted = await parse_filter_aside(filter_, RUNS)
            ids, hidden = visible.chosen(groups.experiment_ids)
            search = RunSearch(
                ids,
                groups.view,
                wanted,
                self._newest_first,
                runs_max + 1,
                projection=_NO_ITEMS,
                hidden=hidden,
            )
            rows = await self._runs.search_runs(search)
            is_all = len(rows) <= runs_max
            found = len(rows) if is_all else await self._runs.count_runs(ids, groups.view, wanted, hidden)
        infos = [run.info for run, _ in rows[:runs_max]]
        return _Group([(info.run_id, info.start_time_ms) for info in infos], found)

    async def _line(self, group: _Group, key: str, request: SampleRequest) -> GroupLine | None:
        if request.axis is XAxis.METRIC:
            return await self._over_metric(group, key, request)
        names = [SeriesName(run_id, key) for run_id, _ in group.runs]
        starts = [start for _, start in group.runs]
        offsets = starts if request.axis is XAxis.TIME_SINCE_START else [0] * len(starts)
        asked = [sample_selection(request, offset) for offset in offsets]
        extents = await self._series.extents(names, asked)
        read, extents = _affordable(len(names), extents, request.axis)
        ends = _ends(extents, offsets, request)
        if ends is None:
            return None
        within = replace(request, x_from=ends[0], x_to=ends[1])
        numbers = [extent.number for extent in extents]
        samples = self._samples([names[it] for it in numbers], [offsets[it] for it in numbers], within)
        return await _averaged(WholePlaces(*ends, request.buckets), samples, group.found, read)

    async def _samples(
        self, names: Sequence[SeriesName], offsets: Sequence[int], request: SampleRequest
    ) -> AsyncIterator[SampledSeries]:
        selections = [sample_selection(request, offset) for offset in offsets]
        sampling = Sampling(request.axis is not XAxis.STEP, request.buckets, between_bounds=True)
        number = 0
        async for samples in self._series.sample(names, selections, sampling):
            for sample in samples:
                yield shifted(sample, offsets[number])
                number += 1

    async def _over_metric(self, group: _Group, key: str, request: SampleRequest) -> GroupLine | None:
        values = checked_values(request)
        run_ids = [run_id for run_id, _ in group.runs]
        low, high = await self._ends_of_values(run_ids, values)
        if low is None or high is None or low > high:
            return None
        within = ValueRange(values.key, low, high)
        names = [SeriesName(run_id, key) for run_id in run_ids]
        samples = self._series.sample_over(names, Selection(), within, request.buckets)
        places = ValuePlaces(low, high, request.buckets)
        return await _averaged(places, samples, group.found, len(run_ids))

    async def _ends_of_values(
        self, run_ids: Sequence[UUID], values: ValueRange
    ) -> tuple[float | None, float | None]:
        """The bounds of x, or where they are open the extremes over all runs; None if there is no value."""
        rows = [row async for part in self._series.latest(run_ids, [values.key]) for row in part]
        least = [row.value_min for row in rows if row.value_min is not None]
        greatest = [row.value_max for row in rows if row.value_max is not None]
        low = min(least, default=None) if values.low is None else values.low
        high = max(greatest, default=None) if values.high is None else values.high
        return (low, high) if least else (None, None)


def _runs_of_each(groups: int, keys: int, axis: XAxis) -> int:
    runs_max = RUNS_OVER_METRIC_MAX if axis is XAxis.METRIC else GROUP_RUNS_MAX
    return min(runs_max, GROUPED_SERIES_MAX // max(1, groups * keys))


def _affordable(runs: int, extents: Sequence[Extent], axis: XAxis) -> tuple[int, Sequence[Extent]]:
    """Return how many of the first runs are read, and what is known of their series."""
    left = CHUNKS_OVER_STEPS_MAX if axis is XAxis.STEP else CHUNKS_OVER_TIMES_MAX
    for place, extent in enumerate(extents):
        left -= extent.chunks
        if left < 0 and place:
            return extent.number, extents[:place]
    return runs, extents


def _ends(
    extents: Sequence[Extent], offsets: Sequence[int], request: SampleRequest
) -> tuple[int, int] | None:
    """Where the least and the greatest place end: the bounds, or where they are open as far as the series reach."""
    by_step = request.axis is XAxis.STEP
    lows = [it.step_min if by_step else it.time_min_ms - offsets[it.number] for it in extents]
    highs = [it.step_max if by_step else it.time_max_ms - offsets[it.number] for it in extents]
    if not extents:
        return None
    low = min(lows) if request.x_from is None else max(request.x_from, min(lows))
    high = max(highs) if request.x_to is None else min(request.x_to, max(highs))
    return (low, high) if low <= high else None


async def _averaged(
    places: Places, samples: AsyncIterator[SampledSeries], found_runs: int, read_runs: int
) -> GroupLine:
    average = GroupAverage(places)
    async with aclosing(samples) as samples_of_runs:  # type: ignore[type-var]  # a generator
        async for sample in samples_of_runs:
            average.add(sample)
    return average.line(found_runs, read_runs)
