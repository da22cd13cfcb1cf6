"""What a page of runs asks beside the runs, in a distributed PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.exploring import ANCESTORS_MAX, CHILDREN_COUNTED_MAX, Kin
from stepwell_server.model.runs import PARENT_RUN_TAG, ViewType
from stepwell_server.search.expressions import Field, FieldKind
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.search.flat_groups import flat_groups_query, flat_values_query
from stepwell_server.store.search.tables import Fields
from stepwell_server.store.sql import load
from stepwell_server.store.tracking.experiments import STAGES
from stepwell_server.store.tracking.exploring import PostgresExploringStore
from stepwell_server.store.tracking.flat_searches import joined_fields
from stepwell_server.store.tracking.searches import searching

_SQL = load("exploring")

# Of experiments: of which ones (None: all), and of which not.
Chosen = tuple[Sequence[int] | None, Sequence[int]]


class FlatExploringStore(PostgresExploringStore):
    """Implements `ports.ExploringStore` for a database of several nodes."""

    async def _fields(self, connection: Connection, metrics: Collection[str]) -> Fields:
        return await joined_fields(connection, metrics)

    async def _values_query(
        self, connection: Connection, run_ids: Sequence[Any], field: Field, contains: str, limit: int
    ) -> tuple[str, Sequence[Any]]:
        fields = await joined_fields(connection, _metrics([field]))
        return flat_values_query(run_ids, field, contains, limit, fields)

    async def _groups_query(
        self,
        connection: Connection,
        run_ids: Sequence[Any],
        by: Sequence[Field],
        metrics: Sequence[Field],
        limit: int,
    ) -> tuple[str, Sequence[Any]]:
        fields = await joined_fields(connection, _metrics([*by, *metrics]))
        return flat_groups_query(run_ids, by, metrics, limit, fields)

    async def kin(
        self, run_ids: Sequence[UUID], view: ViewType, within: Within = EVERYWHERE
    ) -> Sequence[Kin]:
        """See `ports.ExploringStore`."""
        async with searching(self._pool, None) as connection:
            there = await _known(connection, run_ids, (None, ()))
            lines = await _lines(connection, there, within.chosen(None))
            values = [run_id.hex for run_id in there]
            which = (PARENT_RUN_TAG, values, STAGES[view], *within.chosen(None))
            counted = {
                row["value"]: row["children"] for row in await connection.fetch(_SQL["children"], *which)
            }
        return [
            Kin(run_id, lines[run_id], min(counted.get(run_id.hex, 0), CHILDREN_COUNTED_MAX))
            for run_id in run_ids
            if run_id in there
        ]


async def _lines(
    connection: Connection, run_ids: Collection[UUID], chosen: Chosen
) -> Mapping[UUID, list[UUID]]:
    """Return the ancestors of runs, the nearest first, as far as they are in experiments that may be seen."""
    lines: dict[UUID, list[UUID]] = {run_id: [] for run_id in run_ids}
    ends = {run_id: run_id for run_id in run_ids}
    for _ in range(ANCESTORS_MAX):
        rows = await connection.fetch(_SQL["parents"], list(set(ends.values())), PARENT_RUN_TAG)
        parents = {UUID(int=row["run_id"].int): UUID(int=row["parent_id"].int) for row in rows}
        there = await _known(connection, list(set(parents.values())), chosen)
        ends = {
            run_id: parents[end]
            for run_id, end in ends.items()
            if parents.get(end) in there and parents[end] not in (run_id, *lines[run_id])
        }
        for run_id, end in ends.items():
            lines[run_id].append(end)
        if not ends:
            break
    return lines


async def _known(connection: Connection, run_ids: Sequence[UUID], chosen: Chosen) -> set[UUID]:
    """Return those of the runs that there are in experiments."""
    rows = await connection.fetch(_SQL["known"], run_ids, *chosen)
    return {UUID(int=row["run_id"].int) for row in rows}


def _metrics(fields: Sequence[Field]) -> set[str]:
    return {field.key for field in fields if field.kind is FieldKind.METRIC}
