"""What a page of runs asks beside the runs, in PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.exploring import (
    ANCESTORS_MAX,
    CHANGES_OVERLAP_MS,
    CHILDREN_COUNTED_MAX,
    GROUPED_RUNS_MAX,
    Changes,
    ExperimentSummary,
    Kin,
    RunGroup,
    Spread,
    Values,
)
from stepwell_server.model.runs import PARENT_RUN_TAG, RunStatus, ViewType
from stepwell_server.search.expressions import Expression, Field, metric_names
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.search.group_query import FoundQuery, GroupQuery, values_query
from stepwell_server.store.search.tables import RUN_TABLES, Fields
from stepwell_server.store.sql import load
from stepwell_server.store.tracking.experiments import STAGES
from stepwell_server.store.tracking.searches import searching

_KEYS = load("keys")
_SQL = load("exploring")


class PostgresExploringStore:
    """Implements `ports.ExploringStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def values(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        field: Field,
        contains: str,
        limit: int,
        runs_max: int,
        hidden: Sequence[int] = (),
    ) -> Values:
        """See `ports.ExploringStore`."""
        async with searching(self._pool, None) as connection:
            latest = await connection.fetch(
                _KEYS["latest_runs"], experiment_ids, STAGES[view], runs_max, hidden
            )
            query = await self._values_query(
                connection, [row["run_id"] for row in latest], field, contains, limit
            )
            rows = await connection.fetch(query[0], *query[1])
        return Values([(row["value"], row["runs"]) for row in rows], len(latest))

    async def groups(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: Expression | None,
        by: Sequence[Field],
        metrics: Sequence[Field],
        limit: int,
        hidden: Sequence[int] = (),
    ) -> Sequence[RunGroup]:
        """See `ports.ExploringStore`."""
        async with searching(self._pool, filter_) as connection:
            fields = await self._fields(connection, metric_names(filter_))
            found = FoundQuery(experiment_ids, STAGES[view], filter_, GROUPED_RUNS_MAX + 1, hidden, fields)
            ids = [row["run_id"] for row in await connection.fetch(found.text, *found.parameters.values)]
            if len(ids) > GROUPED_RUNS_MAX:
                raise InvalidArgumentError(
                    f"the filter finds more than {GROUPED_RUNS_MAX:,} runs; find fewer to put them into groups"
                )
            text, parameters = await self._groups_query(connection, ids, by, metrics, limit)
            rows = await connection.fetch(text, *parameters)
        return [
            RunGroup(
                [row[f"k{number}"] for number in range(len(by))],
                row["runs"],
                [_spread(row, number) for number in range(len(metrics))],
            )
            for row in rows
        ]

    async def _fields(self, connection: Connection, metrics: Collection[str]) -> Fields:
        """Return how fields of runs are read in a filter, of metrics by these names."""
        return RUN_TABLES

    async def _values_query(
        self, connection: Connection, run_ids: Sequence[Any], field: Field, contains: str, limit: int
    ) -> tuple[str, Sequence[Any]]:
        return values_query(run_ids, field, contains, limit)

    async def _groups_query(
        self,
        connection: Connection,
        run_ids: Sequence[Any],
        by: Sequence[Field],
        metrics: Sequence[Field],
        limit: int,
    ) -> tuple[str, Sequence[Any]]:
        query = GroupQuery(run_ids, by, metrics, limit)
        return query.text, query.parameters.values

    async def kin(
        self, run_ids: Sequence[UUID], view: ViewType, within: Within = EVERYWHERE
    ) -> Sequence[Kin]:
        """See `ports.ExploringStore`."""
        which = (run_ids, PARENT_RUN_TAG, STAGES[view], ANCESTORS_MAX, CHILDREN_COUNTED_MAX)
        async with searching(self._pool, None) as connection:
            rows = await connection.fetch(_SQL["kin"], *which, *within.chosen(None))
        return [Kin(row["run_id"], row["ancestors"], row["children"]) for row in rows]

    async def changes(
        self,
        experiment_ids: Sequence[int] | None,
        since_ms: int,
        limit: int,
        hidden: Sequence[int] = (),
    ) -> Changes:
        """See `ports.ExploringStore`."""
        async with searching(self._pool, None) as connection:
            now_ms = await connection.fetchval(_SQL["now"])
            if since_ms == 0:
                return Changes((), now_ms, complete=True)
            since_ms -= CHANGES_OVERLAP_MS
            rows = await connection.fetch(_SQL["changes"], experiment_ids, since_ms, limit + 1, hidden)
        changed = [(UUID(int=row["run_id"].int), row["changed_time_ms"]) for row in rows[:limit]]
        return Changes(changed, now_ms, complete=len(rows) <= limit)

    async def summaries(self, experiment_ids: Sequence[int]) -> Sequence[ExperimentSummary]:
        """See `ports.ExploringStore`."""
        async with searching(self._pool, None) as connection:
            rows = await connection.fetch(_SQL["summaries"], experiment_ids, RunStatus.RUNNING)
        return [ExperimentSummary(*row.values()) for row in rows]


def _spread(row: Any, number: int) -> Spread:
    names = ("mean", "deviation", "minimum", "maximum")
    return Spread(row[f"count{number}"], *(row[f"{name}{number}"] or 0.0 for name in names))
