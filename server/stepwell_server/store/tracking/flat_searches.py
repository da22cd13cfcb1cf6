"""Searches in a distributed PostgreSQL: one statement for the page, and others for the columns of its runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.errors import UnavailableError
from stepwell_server.model.runs import Run, ViewType
from stepwell_server.search.expressions import Expression, metric_names
from stepwell_server.search.queries import RowPosition, RunSearch
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.search.flat_query import FlatRunQuery, columns_query
from stepwell_server.store.search.group_query import FoundQuery
from stepwell_server.store.search.joined_fields import JoinedFields
from stepwell_server.store.search.ordering import position_of
from stepwell_server.store.search.tables import Fields
from stepwell_server.store.sql import load
from stepwell_server.store.tracking.experiments import STAGES
from stepwell_server.store.tracking.runs import run_of
from stepwell_server.store.tracking.searches import (
    FIRST_ROWS,
    READ_BYTES_MAX,
    ROWS_GROWTH,
    PostgresSearchStore,
    searching,
    texts_length,
)

_SQL = load("searches")
OF_ACTIVE_EXPERIMENTS = (
    "run.experiment_id IN (SELECT experiment_id FROM experiment WHERE lifecycle_stage = 'active')"
)
# A run that is removed between the two statements is not on the page: then the page is asked for again.
TRIES_MAX = 5


class FlatSearchStore(PostgresSearchStore):
    """Implements `ports.SearchStore` for a database of several nodes."""

    async def search_runs(self, search: RunSearch) -> Sequence[tuple[Run, RowPosition]]:
        """See `ports.SearchStore`."""
        async with searching(self._pool, search.filter) as connection:
            named = metric_names(search.filter, search.order) | set(search.projection.metrics or ())
            known = await _metric_ids(connection, named)
            query = FlatRunQuery(search, known)
            for _ in range(TRIES_MAX):
                page = await connection.fetch(query.text, *query.parameters.values)
                rows = await _columns(connection, [row["run_id"] for row in page], search, known)
                if rows is not None:
                    break
            else:
                raise UnavailableError("runs were removed as fast as they were found; search again")
            ids = {number for row in rows.values() for number in row.get("metric_ids") or ()}
            names = await self._metric_names.resolve(connection, ids)
        return [
            (
                run_of(rows[row["run_id"]], names),
                position_of(row, query.ordering, row["start_time_ms"], row["run_id"].hex),
            )
            for row in page
            if row["run_id"] in rows
        ]

    async def delete_runs(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> int:
        """See `ports.SearchStore`."""
        return await self._change_found("delete_found", experiment_ids, filter_, hidden)

    async def restore_runs(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> int:
        """See `ports.SearchStore`."""
        return await self._change_found(
            "restore_found", experiment_ids, filter_, hidden, view=ViewType.DELETED_ONLY
        )

    async def tag_runs(
        self,
        experiment_ids: Sequence[int] | None,
        filter_: Expression,
        tags: Mapping[str, str],
        hidden: Sequence[int] = (),
    ) -> int:
        """See `ports.SearchStore`."""
        pairs = list(tags), list(tags.values())
        return await self._change_found("tag_found", experiment_ids, filter_, hidden, *pairs)

    async def _change_found(
        self,
        change: str,
        experiment_ids: Sequence[int] | None,
        filter_: Expression,
        hidden: Sequence[int],
        *values: Any,
        view: ViewType = ViewType.ACTIVE_ONLY,
    ) -> int:
        """Find runs, then change them by their ids; of deleted runs, those of active experiments."""
        also = OF_ACTIVE_EXPERIMENTS if view is ViewType.DELETED_ONLY else "true"
        async with searching(self._pool, filter_) as connection, connection.transaction():
            fields = await self._fields(connection, metric_names(filter_))
            found = FoundQuery(experiment_ids, STAGES[view], filter_, None, hidden, fields, also)
            rows = await connection.fetch(found.text, *found.parameters.values)
            if not rows:
                return 0
            told = await connection.execute(_SQL[change], [row["run_id"] for row in rows], *values)
        # PostgreSQL tells how many rows a statement changed; of tags, each run has as many as there are.
        return int(told.split()[-1]) // max(1, len(values[0]) if values else 1)

    async def _fields(self, connection: Connection, metrics: Collection[str]) -> Fields:
        return await joined_fields(connection, metrics)


async def joined_fields(connection: Connection, metrics: Collection[str]) -> JoinedFields:
    """Return how fields of runs are read in one statement, of metrics by these names."""
    return JoinedFields(await _metric_ids(connection, metrics))


async def _metric_ids(connection: Connection, names: Collection[str]) -> Mapping[str, int]:
    """Return the numbers of the metrics that are known, by name."""
    rows = await connection.fetch(_SQL["metric_ids"], sorted(names)) if names else ()
    return {row["name"]: row["metric_id"] for row in rows}


async def _columns(
    connection: Connection, run_ids: Sequence[UUID], search: RunSearch, known: Mapping[str, int]
) -> Mapping[UUID, Any] | None:
    """Return the rows of the first runs, as many as READ_BYTES_MAX holds; None if one of them is there no more."""
    rows: dict[UUID, Any] = {}
    size, free, begin = FIRST_ROWS, READ_BYTES_MAX, 0
    while begin < len(run_ids) and free >= 0:
        some = run_ids[begin : begin + size]
        text, parameters = columns_query(some, search.projection, known)
        found = await connection.fetch(text, *parameters)
        if len(found) < len(some):
            return None
        rows.update((row["run_id"], row) for row in found)
        free -= sum(map(texts_length, found))
        begin, size = begin + size, size * ROWS_GROWTH
    return rows
