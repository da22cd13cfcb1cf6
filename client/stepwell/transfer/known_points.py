"""What a run has here already: an import leaves it out, in whatever order and from whichever source it comes."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from stepwell.errors import StepwellException
from stepwell.reading.columns import Float64s, Int64s, MetricSeries
from stepwell.reading.reads import Reads
from stepwell.transfer.sources import PointColumns
from stepwell_api.v1 import series_pb2

# Points of a run that are held at once: 2.5 GB.
KNOWN_POINTS_MAX = 100_000_000
# Series of one request for histories.
SERIES_AT_ONCE = 1_000

Bools = NDArray[np.bool_]


class KnownPoints:
    """Points by metric, 25 bytes each. A point that is here twice is left out twice, and not more often."""

    def __init__(self, series: Iterable[MetricSeries]) -> None:
        self._series = {one.key: (one, np.ones(len(one), np.bool_)) for one in series}

    def without(self, points: PointColumns) -> PointColumns:
        """Return the points that are not known, in their order; what is left out is not known any more."""
        if not self._series or not len(points):
            return points
        fresh = np.ones(len(points), np.bool_)
        for key, places in _places_by_key(points):
            if key in self._series:
                fresh[places] = self._fresh(
                    key, points.steps[places], points.timestamps[places], points.values[places]
                )
        owners = np.repeat(np.arange(len(points.keys)), points.counts)[fresh]
        counts = np.bincount(owners, minlength=len(points.keys)).tolist()
        return PointColumns(
            points.keys, counts, points.steps[fresh], points.timestamps[fresh], points.values[fresh]
        )

    def _fresh(self, key: str, steps: Int64s, timestamps: Int64s, values: Float64s) -> Bools:
        """Tell which points of a metric, at least one, are not known, and forget those that are."""
        known, left = self._series[key]
        start = int(np.searchsorted(known.steps, steps.min(), side="left"))
        end = int(np.searchsorted(known.steps, steps.max(), side="right"))
        candidates = start + np.flatnonzero(left[start:end])
        matched_candidates, matched = _pairs(
            (known.steps[candidates], known.timestamps[candidates], _bits(known.values[candidates])),
            (steps, timestamps, _bits(values)),
        )
        left[candidates[matched_candidates]] = False
        fresh: Bools = ~matched
        return fresh


def known_points(reads: Reads, run_id: str) -> KnownPoints:
    """Read what a run has here.

    Raises:
        StepwellException: as `Connection.stream`; INVALID_STATE when it has more than KNOWN_POINTS_MAX.
    """
    latest = reads.latest([run_id], [])
    count = int(latest.counts.sum())
    if count > KNOWN_POINTS_MAX:
        raise StepwellException(
            f"Run {run_id} has {count:,} points here, and an import compares what it brings with at most "
            f"{KNOWN_POINTS_MAX:,}. Import into a server that does not have this run.",
            "INVALID_STATE",
        )
    names = [(run_id, key) for key in latest.keys]
    parts = [names[start : start + SERIES_AT_ONCE] for start in range(0, len(names), SERIES_AT_ONCE)]
    return KnownPoints(one for part in parts for one in reads.history(part, series_pb2.Selection()))


def _places_by_key(points: PointColumns) -> Iterator[tuple[str, Int64s]]:
    """Yield each metric of a batch, once, with the places of its points."""
    numbers: dict[str, int] = {}
    series = [numbers.setdefault(key, len(numbers)) for key in points.keys]
    owners = np.repeat(np.array(series, np.int64), points.counts)
    order = np.argsort(owners, kind="stable")
    ends = np.cumsum(np.bincount(owners, minlength=len(numbers)))
    yield from zip(numbers, np.split(order, ends[:-1]), strict=True)


def _bits(values: Float64s) -> Int64s:
    """Values as integers that are equal where the values are, NaN and -0.0 included."""
    bits: Int64s = np.where(np.isnan(values), np.nan, values + 0.0).view(np.int64)
    return bits


def _pairs(some: tuple[Int64s, ...], others: tuple[Int64s, ...]) -> tuple[Bools, Bools]:
    """Pair equal rows, each with at most one; returns which rows of both have a partner."""
    columns = [np.concatenate(both) for both in zip(some, others, strict=True)]
    is_other = np.arange(len(columns[0])) >= len(some[0])
    order = np.lexsort((is_other, *columns))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    group = np.cumsum(begins) - 1
    others_in = np.bincount(group, is_other[order]).astype(np.int64)
    starts = np.flatnonzero(begins)
    some_in = np.diff(np.append(starts, len(order))) - others_in
    # Within a group all of `some` come first.
    nth = np.arange(len(order)) - starts[group]
    nth_other = nth - some_in[group]
    paired = np.where(is_other[order], nth_other < some_in[group], nth < others_in[group])
    by_row = np.empty_like(paired)
    by_row[order] = paired
    return by_row[: len(some[0])], by_row[len(some[0]) :]
