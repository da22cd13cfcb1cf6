"""What a page of runs asks beside the runs, in a distributed PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any

from stepwell_server.search.expressions import Field, FieldKind
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.search.flat_groups import flat_groups_query, flat_values_query
from stepwell_server.store.search.tables import Fields
from stepwell_server.store.tracking.exploring import PostgresExploringStore
from stepwell_server.store.tracking.flat_searches import joined_fields


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


def _metrics(fields: Sequence[Field]) -> set[str]:
    return {field.key for field in fields if field.kind is FieldKind.METRIC}
