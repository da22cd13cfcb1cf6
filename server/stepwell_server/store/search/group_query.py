"""Groups of runs, and values of a field, each as one statement.

Which runs there are is known when a statement is composed. Few are looked up one by one, by probes of primary keys;
many are joined with all entries of a key in an index of values, which lie close together there.
"""

from collections.abc import Sequence
from typing import Any

from stepwell_server.model.exploring import VALUE_TEXT_CHARS_MAX
from stepwell_server.search.expressions import Expression, Field, FieldKind
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.narrowing import INDEXED_CHARS_MAX
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import RUN_TABLES, Fields, metric_id, values_of_dataset

# Up to here one probe for each run is faster than to read all entries of a key.
PROBED_RUNS_MAX = 2_000
# Squares of larger numbers do not fit into a double.
_IS_MEASURABLE = "abs({value}) <= 1e150"


class FoundQuery:
    """The ids of all runs that a filter finds, up to a number (None: all), and for which a condition holds."""

    def __init__(
        self,
        experiment_ids: Sequence[int] | None,
        stages: Sequence[str],
        filter_: Expression | None,
        limit: int | None,
        hidden: Sequence[int] = (),
        fields: Fields = RUN_TABLES,
        also: str = "true",
    ) -> None:
        self.parameters = Parameters()
        wanted = [f"run.lifecycle_stage = ANY ({self.parameters.add(list(stages), 'text[]')})"]
        wanted += among("run.experiment_id", experiment_ids, hidden, self.parameters)
        if filter_ is not None:
            wanted.append(condition(filter_, fields, self.parameters))
        cut = "" if limit is None else f"LIMIT {self.parameters.add(limit, 'bigint')}"
        self.text = f"SELECT run.run_id FROM run {fields.joins} WHERE {' AND '.join([*wanted, also])} {cut}"


class GroupQuery:
    """Groups of given runs: what they have in common as k0, k1, ..., `runs`, and count0, mean0, ... of metrics."""

    def __init__(
        self,
        run_ids: Sequence[Any],
        by: Sequence[Field],
        metrics: Sequence[Field],
        limit: int,
    ) -> None:
        self.parameters = Parameters()
        self._joined = len(run_ids) > PROBED_RUNS_MAX
        found = f"SELECT unnest({self.parameters.add(list(run_ids), 'uuid[]')}) AS run_id"
        joins = [self._value(field, f"k{number}") for number, field in enumerate(by)]
        joins += [self._value(field, f"m{number}") for number, field in enumerate(metrics)]
        keys = [f"k{number}.value" for number in range(len(by))]
        named = [f"{key} AS k{number}" for number, key in enumerate(keys)]
        spreads = [spread(f"m{number}.value", number) for number in range(len(metrics))]
        rows = self.parameters.add(limit, "bigint")
        self.text = f"""
            WITH found AS MATERIALIZED ({found})
            SELECT {", ".join([*named, "count(*) AS runs", *spreads])}
            FROM found JOIN run USING (run_id) {" ".join(joins)}
            GROUP BY {", ".join(keys)}
            ORDER BY runs DESC, {", ".join(f'{key} COLLATE "C"' for key in keys)}
            LIMIT {rows}
        """

    def _value(self, field: Field, alias: str) -> str:
        """Return a join of the values of a field; of a run without one, NULL."""
        if field.kind is FieldKind.DATASET:
            query = f"SELECT DISTINCT {values_of_dataset(field.key)}"
            return f"LEFT JOIN LATERAL ({query} WHERE run_input.run_id = run.run_id) AS {alias} ON true"
        entries = self._entries(field) if self._joined else None
        if entries is None:
            read = f"SELECT {RUN_TABLES.read(field, self.parameters)} AS value OFFSET 0"
            return f"CROSS JOIN LATERAL ({read}) AS {alias}"
        return f"LEFT JOIN ({entries}) AS {alias} ON {alias}.run_id = run.run_id"

    def _entries(self, field: Field) -> str | None:
        """Return all entries that an index has of a field; None where there is no such index."""
        if field.function not in (None, "last"):
            return None
        if field.kind is FieldKind.METRIC:
            number = metric_id(field, self.parameters)
            settled = f"SELECT run_id, indexed_value AS value FROM metric_latest WHERE metric_id = {number}"
            settled += " AND indexed_value IS NOT NULL AND run_id NOT IN"
            settled += " (SELECT run_id FROM run WHERE unsettled_time_ms IS NOT NULL)"
            fresh = "SELECT fresh.run_id, it.value FROM run AS fresh JOIN metric_latest AS it USING (run_id)"
            fresh += f" WHERE fresh.unsettled_time_ms IS NOT NULL AND it.metric_id = {number}"
            return f"{settled} UNION ALL {fresh}"
        if field.kind in (FieldKind.PARAM, FieldKind.TAG):
            table = "param" if field.kind is FieldKind.PARAM else "tag"
            key = self.parameters.add(field.key, "text")
            of_key = f"SELECT run_id, value FROM {table} WHERE key = {key}"
            short = f"length(value) <= {INDEXED_CHARS_MAX}"
            return f"{of_key} AND {short} UNION ALL {of_key} AND NOT {short}"
        return None


def values_query(
    run_ids: Sequence[Any], field: Field, contains: str, limit: int
) -> tuple[str, Sequence[Any]]:
    """Return a statement for the values of a field in runs with how many have each, and its parameters."""
    parameters = Parameters()
    ids = parameters.add(list(run_ids), "uuid[]")
    if field.kind is FieldKind.DATASET:
        read = f"SELECT DISTINCT run_id, {values_of_dataset(field.key)} WHERE run_id = ANY ({ids})"
    else:
        value = RUN_TABLES.read(field, parameters)
        read = f"SELECT run.run_id, {value} AS value FROM run WHERE run.run_id = ANY ({ids}) OFFSET 0"
    part = parameters.add(contains, "text")
    rows = parameters.add(limit, "bigint")
    text = f"""
        SELECT value, count(*) AS runs FROM ({read}) AS read
        WHERE value <> '' AND length(value) <= {VALUE_TEXT_CHARS_MAX} AND strpos(lower(value), lower({part})) > 0
        GROUP BY value ORDER BY runs DESC, value COLLATE "C" LIMIT {rows}
    """
    return text, parameters.values


def spread(value: str, number: int) -> str:
    """Return columns that say how the values of a metric are spread, as count0, mean0, ... of its number."""
    only = f"FILTER (WHERE {_IS_MEASURABLE.format(value=value)})"
    of = {
        "count": "count",
        "mean": "avg",
        "deviation": "stddev_samp",
        "minimum": "min",
        "maximum": "max",
    }
    return ", ".join(f"{function}({value}) {only} AS {name}{number}" for name, function in of.items())
