"""Merging chunks: they come in order of their first step, and a sweep over the steps lets go what is final.

Points below the first step of the next chunk are final; the others wait.
"""

import numpy as np

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import History, HistoryCursor

# Points that wait during a sweep, at most: 24 MB.
SWEEP_POINTS_MAX = 1_000_000
# A look at what is final is not worth it for fewer points.
LOOK_POINTS_MIN = 65_536


def sort_history(pieces: list[History]) -> History:
    """Join pieces and order them by (step, timestamp, value), NaN last."""
    if len(pieces) == 1:
        return pieces[0]
    steps: Int64s = np.concatenate([piece.steps for piece in pieces])
    times: Int64s = np.concatenate([piece.timestamps_ms for piece in pieces])
    values: Float64s = np.concatenate([piece.values for piece in pieces])
    if (steps[1:] > steps[:-1]).all():
        return History(steps, times, values)
    order = np.lexsort((values, times, steps))
    return History(steps[order], times[order], values[order])


class Sweep:
    """Merges sorted chunks that come in order of their first step, for who wants about so many points."""

    def __init__(self, points_wanted: int) -> None:
        self._waiting: list[History] = []
        self.waiting_points = 0
        # Sorting what waits is worth it when it has doubled since the last look; so the work stays n log n.
        self._look_points_min = min(LOOK_POINTS_MIN, points_wanted)
        self._look_at_points = self._look_points_min

    @property
    def wants_look(self) -> bool:
        """Tell whether enough waits to ask for what is final."""
        return self.waiting_points >= min(self._look_at_points, SWEEP_POINTS_MAX)

    @property
    def is_full(self) -> bool:
        """Tell whether so many points wait that no more can be taken."""
        return self.waiting_points >= SWEEP_POINTS_MAX

    def add(self, points: History) -> None:
        """Take the next chunk."""
        self._waiting.append(points)
        self.waiting_points += len(points)

    def final_below(self, step: int) -> History | None:
        """Let go, in order, of all points below `step`, the first step of the next chunk."""
        if not self._waiting:
            return None
        merged = sort_history(self._waiting)
        at = int(np.searchsorted(merged.steps, step, side="left"))
        final, rest = merged.part(0, at), merged.part(at)
        self._waiting = [rest] if len(rest) else []
        self.waiting_points = len(rest)
        self._look_at_points = max(self._look_points_min, 2 * len(rest))
        return final if len(final) else None

    def rest(self) -> History | None:
        """Let go of everything: there is no next chunk."""
        waiting, self._waiting, self.waiting_points = self._waiting, [], 0
        return sort_history(waiting) if waiting else None


class Trail:
    """Follows one series in order: leaves out what a cursor says was given, and knows the cursor of what comes."""

    def __init__(self, number: int, after: HistoryCursor | None) -> None:
        self.number = number
        self._given = after if after is not None and after.number == number else None
        self._to_skip = self._given.repeats if self._given is not None else 0
        self.cursor = self._given

    def skip_given(self, points: History) -> History:
        """Leave out of the next points those that were given before."""
        given = self._given
        if given is None or not len(points):
            return points
        less = int(_below(points, given).sum())
        equal = min(self._to_skip, _equal_from(points, less, given))
        self._to_skip -= equal
        if less + equal < len(points):
            self._given = None
        return points.part(less + equal)

    def advance(self, points: History) -> HistoryCursor:
        """Note that points are given, at least one, and return the cursor behind them."""
        last = len(points) - 1
        end = HistoryCursor(
            self.number,
            int(points.steps[last]),
            int(points.timestamps_ms[last]),
            float(points.values[last]),
            0,
        )
        repeats = _equal_until_end(points, end)
        if repeats == len(points) and self.cursor is not None and _same(self.cursor, end):
            repeats += self.cursor.repeats
        self.cursor = HistoryCursor(end.number, end.step, end.timestamp_ms, end.value, repeats)
        return self.cursor


def _below(points: History, cursor: HistoryCursor) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    steps, times, values = points.steps, points.timestamps_ms, points.values
    lesser_value = ~np.isnan(values) if np.isnan(cursor.value) else values < cursor.value
    lesser_time = (times < cursor.timestamp_ms) | ((times == cursor.timestamp_ms) & lesser_value)
    below: np.ndarray[tuple[int], np.dtype[np.bool_]] = (steps < cursor.step) | (
        (steps == cursor.step) & lesser_time
    )
    return below


def _equals(points: History, cursor: HistoryCursor) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    same_value = np.isnan(points.values) if np.isnan(cursor.value) else points.values == cursor.value
    equal: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        (points.steps == cursor.step) & (points.timestamps_ms == cursor.timestamp_ms) & same_value
    )
    return equal


def _equal_from(points: History, start: int, cursor: HistoryCursor) -> int:
    return int(_equals(points.part(start), cursor).sum())


def _equal_until_end(points: History, end: HistoryCursor) -> int:
    """How many points equal the last one; they stand together at the end."""
    start = int(np.searchsorted(points.steps, end.step, side="left"))
    return _equal_from(points, start, end)


def _same(one: HistoryCursor, other: HistoryCursor) -> bool:
    same_value = one.value == other.value or (np.isnan(one.value) and np.isnan(other.value))
    return (one.step, one.timestamp_ms) == (other.step, other.timestamp_ms) and bool(same_value)
