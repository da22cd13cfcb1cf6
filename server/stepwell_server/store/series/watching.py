"""What was committed since: the position of each writer says where to go on.

A commit moves its writer's position and adds chunks that begin at the old position or behind it. So the chunks that
begin at or behind a position hold exactly what was committed since, as long as no merge went across the position:
`merged_until` says how far merges went. A watcher that was away for so long that they went past it starts anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.series import EVERYTHING, INT64_MIN, Changes, Position, SampledSeries, SeriesNews
from stepwell_server.store.chunks.points import selected_points
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.series.snapshots import Snapshots
from stepwell_server.store.series.sweep import sort_history
from stepwell_server.store.sql import load

_SQL = load("watching")

# Points of one look, at most: 1.5 MB. The series that have too many come as summaries of parts.
NEWS_POINTS_MAX = 65_536
# Watchers that look at once; a look takes milliseconds.
WATCHERS_READING_MAX = 2
# Parts that a series is summed up in.
NEWS_PARTS_MAX = 500

Writer = tuple[UUID, UUID]


class PostgresWatchStore:
    """See `ports.WatchStore`."""

    def __init__(self, pool: Pool) -> None:
        self._snapshots = Snapshots(pool, WATCHERS_READING_MAX)

    async def positions(self, run_ids: Sequence[UUID]) -> Sequence[Position]:
        """See `ports.WatchStore`."""
        async with self._snapshots.snapshot() as connection:
            rows = await connection.fetch(_SQL["positions"], run_ids)
        return [Position(row["run_id"], row["writer_id"], row["position"]) for row in rows]

    async def changes(
        self, run_ids: Sequence[UUID], keys: Sequence[str] | None, known: Mapping[Writer, int]
    ) -> Changes:
        """See `ports.WatchStore`."""
        async with self._snapshots.snapshot() as connection:
            rows = await connection.fetch(_SQL["positions"], run_ids)
            moved = [row for row in rows if row["position"] > known.get((row[0], row[1]), 0)]
            if not moved:
                return Changes((), ())
            restarted = {
                row["run_id"] for row in moved if 0 < known.get((row[0], row[1]), 0) < row["merged_until"]
            }
            wanted = [row for row in rows if row["run_id"] in restarted or row in moved]
            start = {
                (row[0], row[1]): 0 if row["run_id"] in restarted else known.get((row[0], row[1]), 0)
                for row in wanted
            }
            series = await _read(connection, start, keys, restarted)
        return Changes(series, [Position(row[0], row[1], row["position"]) for row in moved])


async def _read(
    connection: Connection, start: Mapping[Writer, int], keys: Sequence[str] | None, restarted: set[UUID]
) -> Sequence[SeriesNews]:
    given = [run_id for run_id, _ in start], [writer_id for _, writer_id in start], list(start.values())
    counts = await connection.fetch(_SQL["fresh_counts"], *given, keys)
    whole = _whole([(row["run_id"], row["name"], row["points"]) for row in counts])
    points = await _points(connection, given, whole)
    news = []
    for run_id, name, _ in counts:
        if (run_id, name) in whole:
            found = points.get((run_id, name))
            if found is not None:
                news.append(SeriesNews(run_id, name, run_id in restarted, found, None))
        else:
            rows = await connection.fetch(_SQL["fresh_parts"], *given, run_id, name, NEWS_PARTS_MAX)
            news.append(SeriesNews(run_id, name, run_id in restarted, None, _summed_up(rows)))
    return news


def _whole(counts: Sequence[tuple[UUID, str, int]]) -> set[tuple[UUID, str]]:
    """The series that come point by point: the shortest ones, as long as their points have room."""
    whole, room = set(), NEWS_POINTS_MAX
    for run_id, name, points in sorted(counts, key=lambda row: row[2]):
        if points > room:
            break
        whole.add((run_id, name))
        room -= points
    return whole


async def _points(
    connection: Connection, given: Any, series: set[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Any]:
    rows = await connection.fetch(
        _SQL["fresh_chunks"], *given, [run_id for run_id, _ in series], [name for _, name in series]
    )
    pieces: dict[tuple[UUID, str], list[Any]] = {}
    for row in rows:
        points = selected_points(row, EVERYTHING, INT64_MIN)
        if len(points):
            pieces.setdefault((row["run_id"], row["name"]), []).append(points)
    return {name: sort_history(parts) for name, parts in pieces.items()}


def _summed_up(rows: Sequence[Any]) -> SampledSeries:
    def integers(name: str) -> Int64s:
        return np.array([row[name] for row in rows], np.int64)

    def floats(name: str) -> Float64s:
        return np.array([row[name] for row in rows], np.float64)

    return SampledSeries(
        first_x=integers("first_x"),
        first_value=floats("first_value"),
        last_x=integers("last_x"),
        last_value=floats("last_value"),
        minimum=floats("minimum"),
        maximum=floats("maximum"),
        mean=floats("mean"),
        count=integers("count"),
        non_finite_count=integers("non_finite_count"),
    )
