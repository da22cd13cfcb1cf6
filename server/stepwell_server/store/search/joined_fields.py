"""Fields of runs that are read from rows joined to them, one join for each.

A distributed engine routes joins of tables that lie together by run, and no subqueries for each row. See tables.py for
the way that a single PostgreSQL takes.
"""

from collections.abc import Callable, Mapping

from stepwell_server.search.expressions import Field, FieldKind
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.tables import (
    DATASET_VALUES,
    METRIC_VALUES,
    RUN_TABLES,
    text_value,
)


class JoinedFields:
    """Implements `tables.Fields`."""

    def __init__(self, metric_ids: Mapping[str, int]) -> None:
        """`metric_ids` are the numbers of the metrics' names that are known."""
        self._metric_ids = metric_ids
        self._joins: dict[tuple[str, str], str] = {}

    @property
    def joins(self) -> str:
        """See `tables.Fields`."""
        return " ".join(self._joins.values())

    def test(self, field: Field, parameters: Parameters, of_value: Callable[[str], str]) -> str:
        """See `tables.Fields`."""
        if field.kind is FieldKind.DATASET:
            return self._of_datasets(f"bool_or({of_value(DATASET_VALUES[field.key])})")
        return self.read(field, parameters, of_value)

    def read(self, field: Field, parameters: Parameters, of_value: Callable[[str], str] = str) -> str:
        """See `tables.Fields`."""
        if field.kind is FieldKind.DATASET:
            return self._of_datasets(f"max({of_value(DATASET_VALUES[field.key])})")
        if field.kind is FieldKind.ATTRIBUTE:
            return RUN_TABLES.read(field, parameters, of_value)
        if field.kind is FieldKind.METRIC:
            alias = self._row("metric_latest", "metric_id", field.key, parameters)
            value = METRIC_VALUES[field.function]
        else:
            alias = self._row(
                "param" if field.kind is FieldKind.PARAM else "tag", "key", field.key, parameters
            )
            value = text_value(field)
        return f"({of_value(value.replace('it.', f'{alias}.'))})"

    def _row(self, table: str, column: str, key: str, parameters: Parameters) -> str:
        """Join the one row of a table that has a key, unless that is done, and return its alias."""
        alias = (
            f"j{list(self._joins).index((table, key)) if (table, key) in self._joins else len(self._joins)}"
        )
        if (table, key) not in self._joins:
            named = (
                parameters.add(self._metric_ids.get(key), "bigint")
                if table == "metric_latest"
                else parameters.add(key, "text")
            )
            same = f"{alias}.run_id = run.run_id AND {alias}.{column} = {named}"
            self._joins[table, key] = f"LEFT JOIN {table} AS {alias} ON {same}"
        return alias

    def _of_datasets(self, aggregate: str) -> str:
        """Join what all data sets of a run say together, and return it."""
        alias = f"j{len(self._joins)}"
        together = (
            f"SELECT run_input.run_id, {aggregate} AS value FROM run_input JOIN dataset USING (dataset_id)"
        )
        self._joins["run_input", alias] = (
            f"LEFT JOIN ({together} GROUP BY run_input.run_id) AS {alias} ON {alias}.run_id = run.run_id"
        )
        return f"({alias}.value)"
