"""What reading and watching series ask of the store.

All methods raise `UnavailableError` when the database cannot be reached.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.series import (
    Changes,
    Extent,
    History,
    HistoryCursor,
    LatestRow,
    Position,
    SampledSeries,
    Sampling,
    Selection,
    SeriesName,
    SeriesPiece,
    ThinnedSeries,
    ValueRange,
)


class SeriesStore(Protocol):
    """Reading points. Points that a rewind hides are not there for any of these."""

    async def start_times(self, run_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return when runs started, in milliseconds since the epoch; runs that do not exist are left out."""
        ...

    def history(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        after: HistoryCursor | None,
        page_points: int | None = None,
    ) -> AsyncIterator[SeriesPiece]:
        """Yield the points of one series after the other, each in order of (step, timestamp, value), in pieces.

        Every point that was committed before the call comes exactly once, whatever is committed or compacted
        meanwhile; of points that are committed meanwhile those that sort behind what was yielded may come.

        `page_points` is how many may wait in memory for a slow reader, about; None for the usual number.
        """
        ...

    async def last_points(self, name: SeriesName, selection: Selection, count: int) -> History | None:
        """Return the last `count` points of a series, in order; None when there are none."""
        ...

    def latest(
        self, run_ids: Sequence[UUID], keys: Sequence[str] | None
    ) -> AsyncIterator[Sequence[LatestRow]]:
        """Yield the latest points of metrics (of all when `keys` is None), in order of runs and keys."""
        ...

    async def extents(
        self, series: Sequence[SeriesName], selections: Sequence[Selection]
    ) -> Sequence[Extent]:
        """Return how far series reach, in their order; those without points are left out.

        Selections differ only in their bounds and are of all writers. A rewound writer reaches to where it is hidden.
        """
        ...

    def sample(
        self, series: Sequence[SeriesName], selections: Sequence[Selection], sampling: Sampling
    ) -> AsyncIterator[Sequence[SampledSeries]]:
        """Yield a sample of each series, several together, in order; the rules are those of `store/series/sampling.py`.

        Selections differ only in their bounds.

        Raises:
            InvalidArgumentError: the series have too many chunks for one call.
        """
        ...

    def sample_over(
        self, series: Sequence[SeriesName], selection: Selection, values: ValueRange, buckets: int
    ) -> AsyncIterator[SampledSeries]:
        """Yield a sample of each series over the values of a metric, in order; see `store/series/joining.py`.

        x of a point is the last value at the same step; points without a finite x are left out. An end that `values`
        leaves open is the least or the greatest finite value of the metric in the run.
        """
        ...

    async def thinned(
        self,
        series: Sequence[SeriesName],
        selection: Selection,
        wanted: int,
        known: Mapping[SeriesName, bytes],
    ) -> Sequence[ThinnedSeries]:
        """Return the points of each series that `model.thinned_places` says; the selection is one of steps.

        Those of a series are not looked for where the mark that is `known` of it is still the mark of its run. They are
        not found without reading the series where its chunks overlap, or the selection cuts one whose steps are uneven.

        Raises:
            InvalidArgumentError: the series have too many chunks for one call.
        """
        ...


class WatchStore(Protocol):
    """Reading what was committed since."""

    async def positions(self, run_ids: Sequence[UUID]) -> Sequence[Position]:
        """Return where the writers of runs stand."""
        ...

    async def changes(
        self, run_ids: Sequence[UUID], keys: Sequence[str] | None, known: Mapping[tuple[UUID, UUID], int]
    ) -> Changes:
        """Return what was committed behind the known positions (0 where none is known), in one snapshot.

        Points come once over successive calls. When a merge went past a known position, the series of that run
        come whole, marked `restarted`.
        """
        ...
