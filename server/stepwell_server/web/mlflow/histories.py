"""Histories in MLflow's order, which is that of (timestamp, step, value).

They are stored in the order of (step, timestamp, value), which is the same where times rise with the steps, so nearly
always. Where it is not, a history of up to SORTED_POINTS_MAX points is sorted; a longer one comes in order of steps.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import replace

import numpy as np

from stepwell_server.errors import ExhaustedError, InvalidArgumentError, NotFoundError
from stepwell_server.model.columns import Int64s
from stepwell_server.model.series import (
    EVERYTHING,
    NO_HISTORY,
    History,
    HistoryCursor,
    Selection,
    SeriesName,
    ThinnedSeries,
    thinned_places,
)
from stepwell_server.process.limits import return_free_memory
from stepwell_server.services.paging.histories import make_cursor, read_cursor
from stepwell_server.services.series import SeriesService
from stepwell_server.web.mlflow.kept import SERIES_POINTS_MAX, Kept, NarrowHistory, WholeSeries

# 24 MB when they are sorted: enough for histories of nearly all runs that log by hand.
SORTED_POINTS_MAX = 262_144
# Points of one series that are kept while it is thinned out: 24 MB. A longer one is read twice.
KEPT_POINTS_MAX = 1_000_000

_BY_STEP, _BY_TIME = "s.", "t."


class Histories:
    """Reads histories for REST clients; of runs that do not exist, nothing."""

    def __init__(self, series: SeriesService) -> None:
        self._series = series
        self._whole = Kept()

    async def whole(self, name: SeriesName) -> AsyncGenerator[History, None]:
        """Yield a history in pieces."""
        kept: list[History] = []
        size = 0
        async with aclosing(self._pieces([name], EVERYTHING, "")) as pieces:
            async for _, points in pieces:
                size += len(points)
                kept.append(points)
                if size > SORTED_POINTS_MAX:
                    for piece in kept:
                        yield piece
                    kept = []
        if kept:
            joined = join(kept)
            yield joined if size > SORTED_POINTS_MAX else in_order_of_time(joined)

    async def page(self, name: SeriesName, token: str, wanted: int) -> tuple[History, str]:
        """Return so many points after those that the token stands for, and the token that goes on.

        `wanted` is SORTED_POINTS_MAX at most.

        Raises:
            InvalidArgumentError: the token is not one that this gave.
        """
        order, cursor = token[:2], token[2:]
        if token and (order not in (_BY_STEP, _BY_TIME) or not cursor):
            raise InvalidArgumentError("Invalid page token; pass that of the answer before, unchanged")
        after = read_cursor(cursor, 1)
        if order == _BY_TIME:
            assert after is not None
            return await self._page_by_time(name, after, wanted)
        read_max = wanted if token else SORTED_POINTS_MAX
        points, is_all = await self._first(name, EVERYTHING, cursor, read_max)
        if not token and is_all and not _rises(points.timestamps_ms):
            return _page_of(in_order_of_time(points), wanted, _BY_TIME, after)
        return _page_of(points, wanted, _BY_STEP, after, is_all=is_all)

    async def _page_by_time(self, name: SeriesName, after: HistoryCursor, wanted: int) -> tuple[History, str]:
        selection = Selection(time_from_ms=after.timestamp_ms)
        points, is_all = await self._first(name, selection, "", SORTED_POINTS_MAX)
        if not is_all:
            raise InvalidArgumentError("the history grew too long for this page token; begin without one")
        points = in_order_of_time(points)
        return _page_of(points.part(_places_until(points, after)), wanted, _BY_TIME, after)

    async def thinned(
        self,
        names: Sequence[SeriesName],
        selection: Selection,
        wanted: int,
        known: Mapping[SeriesName, bytes],
        room: Callable[[], AbstractAsyncContextManager[None]],
    ) -> Mapping[SeriesName, ThinnedSeries]:
        """Return some points of each series between steps, see `model.thinned_places`; none where the mark is known.

        Those that have to be read for it, or are read to be kept, are so within `room()`.
        """
        unknown = [name for name in names if name not in known]
        whole = {name: it for name in unknown if (it := self._whole.get(name)) is not None}
        marks = {**known, **{name: it.mark for name, it in whole.items()}}
        found = dict(await self._series.thinned(names, selection, wanted, marks))
        changed = {name: it.mark for name, it in found.items() if it.mark and it.mark != marks.get(name)}
        worth = {name: mark for name, mark in changed.items() if self._whole.is_worth_it(name, mark)}
        if worth:
            whole |= await self._read_whole(worth, room)
        points = {
            name: it.points.thinned(selection, wanted)
            for name, it in whole.items()
            if name in found and found[name].mark == it.mark
        }
        unread = [name for name in changed if found[name].points is None and name not in points]
        if unread:
            async with room():
                points |= await self._read_and_thinned(unread, selection, wanted)
        found.update((name, replace(found[name], points=it)) for name, it in points.items())
        return found

    async def _read_whole(
        self, marks: Mapping[SeriesName, bytes], room: Callable[[], AbstractAsyncContextManager[None]]
    ) -> Mapping[SeriesName, WholeSeries]:
        """Read series to keep them, one after the other; not those that are too long, and none where memory is short.

        A commit meanwhile changes the mark for good, so what was read is never taken for what the mark stood for.
        """
        read: dict[SeriesName, WholeSeries] = {}
        with suppress(ExhaustedError):
            async with room():
                for name, mark in marks.items():
                    points, is_all = await self._first(name, EVERYTHING, "", SERIES_POINTS_MAX)
                    if is_all and len(points):
                        read[name] = WholeSeries(mark, NarrowHistory.of(points))
                        self._whole.keep(name, read[name])
                await asyncio.to_thread(return_free_memory)  # what was read had wider columns
        return read

    async def _read_and_thinned(
        self, names: Sequence[SeriesName], selection: Selection, wanted: int
    ) -> Mapping[SeriesName, History]:
        """Return the same of series that have to be read for it."""
        found = dict.fromkeys(names, NO_HISTORY)
        long: dict[SeriesName, int] = {}
        async with aclosing(self._kept(names, selection)) as series:
            async for name, size, points in series:
                if points is None:
                    long[name] = size
                else:
                    found[name] = _at(points, thinned_places(size, wanted))
        for name, size in long.items():
            found[name] = await self._picked(name, selection, thinned_places(size, wanted))
        return found

    async def _kept(
        self, names: Sequence[SeriesName], selection: Selection
    ) -> AsyncGenerator[tuple[SeriesName, int, History | None], None]:
        """Yield name, size and, where they are few enough, all points of each series that has any."""
        if not names:
            return
        current, size = -1, 0
        kept: list[History] | None = None
        async with aclosing(self._pieces(names, selection, "")) as pieces:
            async for number, points in pieces:
                if number != current:
                    if current >= 0:
                        yield names[current], size, None if kept is None else join(kept)
                    current, size, kept = number, 0, []
                size += len(points)
                kept = None if kept is None or size > KEPT_POINTS_MAX else [*kept, points]
        if current >= 0:
            yield names[current], size, None if kept is None else join(kept)

    async def _picked(self, name: SeriesName, selection: Selection, places: Int64s) -> History:
        """Return the points at these places of a series, in order."""
        picked: list[History] = []
        passed = 0
        async with aclosing(self._pieces([name], selection, "")) as pieces:
            async for _, points in pieces:
                here = places[(places >= passed) & (places < passed + len(points))] - passed
                picked.append(_at(points, here))
                passed += len(points)
        return join(picked) if picked else NO_HISTORY

    async def _first(
        self, name: SeriesName, selection: Selection, cursor: str, points_max: int
    ) -> tuple[History, bool]:
        """Return all points and True if they are so many at most, else some more than these and False."""
        kept: list[History] = []
        size = 0
        async with aclosing(self._pieces([name], selection, cursor, points_max + 1)) as pieces:
            async for _, points in pieces:
                kept.append(points)
                size += len(points)
                if size > points_max:
                    return join(kept), False
        return join(kept) if kept else NO_HISTORY, True

    async def _pieces(
        self,
        names: Sequence[SeriesName],
        selection: Selection,
        cursor: str,
        page_points: int | None = None,
    ) -> AsyncGenerator[tuple[int, History], None]:
        """Yield the points of series that exist, read about so many at once."""
        try:
            async with aclosing(self._series.history(names, selection, cursor, page_points)) as pieces:
                async for piece in pieces:
                    yield piece.number, piece.points
        except NotFoundError:
            return


def _page_of(
    points: History, wanted: int, order: str, after: HistoryCursor | None, *, is_all: bool = True
) -> tuple[History, str]:
    """Return the first points, and the token for those behind them."""
    page = points.part(0, wanted)
    if is_all and len(page) == len(points):
        return page, ""
    return page, order + make_cursor(_cursor_behind(page, after))


def in_order_of_time(points: History) -> History:
    """Return points in order of (timestamp, step, value)."""
    if _rises(points.timestamps_ms):
        return points
    return _at(points, np.lexsort((points.values, points.steps, points.timestamps_ms)))


def join(pieces: Sequence[History]) -> History:
    """Put pieces one behind the other."""
    if len(pieces) == 1:
        return pieces[0]
    return History(
        np.concatenate([piece.steps for piece in pieces]),
        np.concatenate([piece.timestamps_ms for piece in pieces]),
        np.concatenate([piece.values for piece in pieces]),
    )


def _at(points: History, places: Int64s) -> History:
    return History(points.steps[places], points.timestamps_ms[places], points.values[places])


def _rises(times: Int64s) -> bool:
    return bool((times[1:] >= times[:-1]).all())


def _cursor_behind(points: History, after: HistoryCursor | None) -> HistoryCursor:
    """Return the cursor behind points, at least one, that came after another cursor."""
    last = HistoryCursor(0, int(points.steps[-1]), int(points.timestamps_ms[-1]), float(points.values[-1]), 0)
    equal = (points.steps == last.step) & (points.timestamps_ms == last.timestamp_ms)
    equal &= (points.values == last.value) | (np.isnan(points.values) & np.isnan(last.value))
    repeats = int(equal.sum())
    if after is not None and repeats == len(points) and _is_at(after, last):
        repeats += after.repeats
    return replace(last, repeats=repeats)


def _is_at(cursor: HistoryCursor, other: HistoryCursor) -> bool:
    same_value = cursor.value == other.value or (np.isnan(cursor.value) and np.isnan(other.value))
    return bool((cursor.step, cursor.timestamp_ms) == (other.step, other.timestamp_ms) and same_value)


def _places_until(points: History, cursor: HistoryCursor) -> int:
    """Return how many of points in order of time a cursor has passed."""
    steps, times, values = points.steps, points.timestamps_ms, points.values
    at_number = np.isnan(values) if np.isnan(cursor.value) else values == cursor.value
    below = ~np.isnan(values) if np.isnan(cursor.value) else values < cursor.value
    here = (times == cursor.timestamp_ms) & (steps == cursor.step)
    before = (times < cursor.timestamp_ms) | ((times == cursor.timestamp_ms) & (steps < cursor.step))
    passed = int((before | (here & below)).sum())
    return passed + min(cursor.repeats, int((here & at_number).sum()))
