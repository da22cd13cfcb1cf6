"""Whole series of which charts show one selection after the other: who looks closer asks for other points each time.

A series is read as a whole when points of it are asked for the second time and its run has not changed, and kept with
the mark of what it was made of (`model.ThinnedSeries`), each column as narrow as it can be. Whoever takes points of it
finds out first whether the mark is still the same, so nothing of it is ever out of date, whoever has written what.
"""

import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import INT64_MAX, History, Selection, SeriesName, thinned_places

# 20 series of 50,000 points with even steps, whose values lose nothing as float32: 8 bytes a point.
KEPT_BYTES_MAX = 8 * 2**20
# A longer series is not kept; and what one takes at most.
SERIES_POINTS_MAX = 131_072
SERIES_BYTES_MAX = 24 * SERIES_POINTS_MAX
# What a series costs beside its columns, also one of which only the mark is noted.
ENTRY_BYTES = 1_000
# One that was not asked for so long makes room. Where all were, no more are kept: where more is looked at than there is
# room for, reading it as a whole again and again would be worse than keeping none of it.
IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class NarrowHistory:
    """Points of one series, at least one, in order of steps. Times count from the least one."""

    steps: range | Int64s
    first_ms: np.uint64  # modulo 2**64, as the offsets
    offsets_ms: NDArray[np.unsignedinteger[Any]]
    values: NDArray[np.float32] | Float64s

    @classmethod
    def of(cls, points: History) -> Self:
        """Return points with narrow columns, which share no memory with theirs."""
        first_ms = points.timestamps_ms.min().view(np.uint64)
        offsets_ms = points.timestamps_ms.view(np.uint64) - first_ms
        with np.errstate(over="ignore", under="ignore"):
            values = points.values.astype(np.float32)
        is_exact = np.array_equal(values, points.values, equal_nan=True)
        return cls(
            _narrow_steps(points.steps),
            first_ms,
            offsets_ms.astype(np.min_scalar_type(offsets_ms.max())),
            values if is_exact else points.values.copy(),
        )

    @property
    def nbytes(self) -> int:
        """What the columns take."""
        steps = 0 if isinstance(self.steps, range) else self.steps.nbytes
        return steps + self.offsets_ms.nbytes + self.values.nbytes

    def thinned(self, selection: Selection, wanted: int) -> History:
        """Return some of the points between the steps of a selection, see `model.thinned_places`."""
        start = bisect_left(self.steps, selection.step_from)
        places = start + thinned_places(bisect_right(self.steps, selection.step_to) - start, wanted)
        steps = self.steps
        return History(
            steps.start + steps.step * places if isinstance(steps, range) else steps[places],
            (self.first_ms + self.offsets_ms[places].astype(np.uint64)).view(np.int64),
            self.values[places].astype(np.float64),
        )


def _narrow_steps(steps: Int64s) -> range | Int64s:
    first, last = int(steps[0]), int(steps[-1])
    stride = max(1, (last - first) // max(1, len(steps) - 1))
    even = range(first, last + 1, stride)
    is_even = stride <= INT64_MAX and len(even) == len(steps) and bool((np.diff(steps) == stride).all())
    return even if is_even else steps.copy()


@dataclass(frozen=True, slots=True)
class WholeSeries:
    """All points of a series, and the mark that its run had before they were read."""

    mark: bytes
    points: NarrowHistory


@dataclass(slots=True)
class _Entry:
    mark: bytes
    series: WholeSeries | None = None
    was_worth_it: bool = False
    asked_s: float = 0.0

    @property
    def nbytes(self) -> int:
        return ENTRY_BYTES + (0 if self.series is None else self.series.points.nbytes)


class Kept:
    """Whole series, in a bounded number of bytes. `clock` gives seconds."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        assert bytes_max >= SERIES_BYTES_MAX
        self._bytes_max = bytes_max
        self._clock = clock
        self._bytes = 0
        self._entries: OrderedDict[SeriesName, _Entry] = OrderedDict()  # asked for longest ago first

    def get(self, name: SeriesName) -> WholeSeries | None:
        """Return a series that is kept; the caller has to look whether its mark is still good."""
        entry = self._entries.get(name)
        if entry is None or entry.series is None:
            return None
        self._touch(name, entry)
        return entry.series

    def is_worth_it(self, name: SeriesName, mark: bytes) -> bool:
        """Note that the database had to find points of a series; tell whether to read it as a whole.

        Only once for each mark, whatever comes of it.
        """
        entry = self._entries.get(name)
        if entry is None or entry.mark != mark:
            self._put(name, _Entry(mark))
            return False
        self._touch(name, entry)
        if entry.was_worth_it or not self._has_room():
            return False
        entry.was_worth_it = True
        return True

    def keep(self, name: SeriesName, series: WholeSeries) -> None:
        """Keep a series, if there is room."""
        if self._bytes + series.points.nbytes <= self._bytes_max:
            self._put(name, _Entry(series.mark, series, was_worth_it=True))

    def _has_room(self) -> bool:
        """Tell whether there is room for a series of any size; what is idle is forgotten for it."""
        while self._bytes + SERIES_BYTES_MAX > self._bytes_max:
            name, entry = next(iter(self._entries.items()))
            if self._clock() - entry.asked_s < IDLE_S:
                return False
            self._forget(name)
        return True

    def _put(self, name: SeriesName, entry: _Entry) -> None:
        self._forget(name)
        self._entries[name] = entry
        self._bytes += entry.nbytes
        self._touch(name, entry)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._entries)))

    def _touch(self, name: SeriesName, entry: _Entry) -> None:
        entry.asked_s = self._clock()
        self._entries.move_to_end(name)

    def _forget(self, name: SeriesName) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._bytes -= entry.nbytes
