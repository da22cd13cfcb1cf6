"""Searches in PostgreSQL: one statement a page, composed by the search compiler."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from stepwell_server.errors import BadPatternError
from stepwell_server.model.runs import Experiment, Run, ViewType
from stepwell_server.search.expressions import Expression, metric_names, regular_expressions
from stepwell_server.search.queries import ExperimentSearch, RowPosition, RunSearch
from stepwell_server.store.ingest.metrics import MetricNames
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.search.change_query import ChangeQuery
from stepwell_server.store.search.count_query import CountQuery
from stepwell_server.store.search.experiment_query import ExperimentQuery
from stepwell_server.store.search.ordering import position_of
from stepwell_server.store.search.run_query import RunQuery
from stepwell_server.store.search.tables import RUN_TABLES, Fields
from stepwell_server.store.sql import load
from stepwell_server.store.tracking.experiments import STAGES, experiment_of
from stepwell_server.store.tracking.runs import run_of

_SQL = load("searches")

# Of fewer rows, all are fetched at once.
FEW_ROWS = 200
# Of more, so many first, and then more of them at a time; until they come to so many bytes, more than an answer holds.
# So what is read stays within bounds, however large the runs are.
FIRST_ROWS = 50
ROWS_GROWTH = 4
READ_BYTES_MAX = 8 * 2**20


class PostgresSearchStore:
    """Implements `ports.SearchStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._metric_names = MetricNames()

    async def search_runs(self, search: RunSearch) -> Sequence[tuple[Run, RowPosition]]:
        """See `ports.SearchStore`."""
        query = self._compile(search)
        async with searching(self._pool, search.filter) as connection:
            rows = await _fetched(connection, query, search.limit)
            ids = {number for row in rows for number in row.get("metric_ids") or ()}
            names = await self._metric_names.resolve(connection, ids)
        return [
            (run_of(row, names), position_of(row, query.ordering, row["start_time_ms"], row["run_id"].hex))
            for row in rows
        ]

    def _compile(self, search: RunSearch) -> RunQuery:
        return RunQuery(search)

    async def search_experiments(self, search: ExperimentSearch) -> Sequence[tuple[Experiment, RowPosition]]:
        """See `ports.SearchStore`."""
        query = ExperimentQuery(search)
        async with searching(self._pool, search.filter) as connection:
            rows = await connection.fetch(query.text, *query.parameters.values)
        return [
            (
                experiment_of(row),
                position_of(row, query.ordering, row["creation_time_ms"], str(row["experiment_id"])),
            )
            for row in rows
        ]

    async def count_runs(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: Expression | None,
        hidden: Sequence[int] = (),
    ) -> int:
        """See `ports.SearchStore`."""
        async with searching(self._pool, filter_) as connection:
            fields = await self._fields(connection, metric_names(filter_))
            query = CountQuery(experiment_ids, STAGES[view], filter_, hidden, fields)
            runs: int = await connection.fetchval(query.text, *query.parameters.values)
        return runs

    async def _fields(self, connection: Connection, metrics: Collection[str]) -> Fields:
        """Return how fields of runs are read, of metrics by these names."""
        return RUN_TABLES

    async def delete_runs(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> int:
        """See `ports.SearchStore`."""
        query = ChangeQuery(experiment_ids, filter_, hidden)
        return await self._change(query.delete(), query, filter_)

    async def restore_runs(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> int:
        """See `ports.SearchStore`."""
        query = ChangeQuery(experiment_ids, filter_, hidden)
        return await self._change(query.restore(), query, filter_)

    async def tag_runs(
        self,
        experiment_ids: Sequence[int] | None,
        filter_: Expression,
        tags: Mapping[str, str],
        hidden: Sequence[int] = (),
    ) -> int:
        """See `ports.SearchStore`."""
        query = ChangeQuery(experiment_ids, filter_, hidden)
        return await self._change(query.tag(tags), query, filter_)

    async def _change(self, text: str, query: ChangeQuery, filter_: Expression) -> int:
        async with searching(self._pool, filter_) as connection:
            runs: int = await connection.fetchval(text, *query.parameters.values)
        return runs


@asynccontextmanager
async def searching(pool: Pool, filter_: Expression | None) -> AsyncIterator[Connection]:
    """Lend a connection, for a filter whose patterns are in order; raises BadPatternError."""
    async with pool.searches, pool.connection() as connection:
        await _check_patterns(connection, filter_)
        yield connection


async def _fetched(connection: Connection, query: RunQuery, limit: int) -> list[Any]:
    """Return the rows of a page, or the first of them: at least two, if there are, and READ_BYTES_MAX."""
    if limit <= FEW_ROWS:
        return list(await connection.fetch(query.text, *query.parameters.values))
    rows: list[Any] = []
    async with connection.transaction(readonly=True):
        cursor = await connection.cursor(query.text, *query.parameters.values)
        size, free = FIRST_ROWS, READ_BYTES_MAX
        while more := await cursor.fetch(size):
            rows += more
            free -= sum(map(texts_length, more))
            if free < 0 or len(rows) >= limit:
                break
            size = min(size * ROWS_GROWTH, limit - len(rows))
    return rows


def texts_length(row: Any) -> int:
    """Return how many characters the values of a row's params and tags have."""
    return sum(sum(map(len, row.get(name) or ())) for name in ("param_values", "tag_values"))


async def _check_patterns(connection: Connection, filter_: Expression | None) -> None:
    """Raise BadPatternError for the first that PostgreSQL does not take.

    The search itself would not say which one that is, and would not meet it where nothing is compared with it.
    """
    for condition in regular_expressions(filter_):
        try:
            await connection.fetchval(_SQL["try_pattern"], condition.pattern)
        except asyncpg.InvalidRegularExpressionError as error:
            reason = str(error).removeprefix("invalid regular expression: ")
            raise BadPatternError(
                condition.place, f"the pattern is no regular expression: {reason}"
            ) from None
