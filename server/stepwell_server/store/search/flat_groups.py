"""Groups of runs, and values of a field, for a distributed engine: joins of tables that lie together by run."""

from collections.abc import Sequence
from typing import Any

from stepwell_server.model.exploring import VALUE_TEXT_CHARS_MAX
from stepwell_server.search.expressions import Field, FieldKind
from stepwell_server.store.search.group_query import spread
from stepwell_server.store.search.joined_fields import JoinedFields
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.tables import values_of_dataset


def flat_groups_query(
    run_ids: Sequence[Any], by: Sequence[Field], metrics: Sequence[Field], limit: int, fields: JoinedFields
) -> tuple[str, Sequence[Any]]:
    """Return a statement whose columns are those of group_query.GroupQuery, and its parameters."""
    parameters = Parameters()
    ids = parameters.add(list(run_ids), "uuid[]")
    keys, joins = [], ""
    for number, field in enumerate(by):
        if field.kind is FieldKind.DATASET:
            joins += f" {_values_of_datasets(field, f'd{number}')}"
            keys.append(f"d{number}.value")
        else:
            keys.append(fields.read(field, parameters))
    columns = [f"{key} AS k{number}" for number, key in enumerate(keys)]
    columns.append("count(*) AS runs")
    columns += [spread(fields.read(field, parameters), number) for number, field in enumerate(metrics)]
    ordered = ", ".join(f'{key} COLLATE "C"' for key in keys)
    rows = parameters.add(limit, "bigint")
    text = f"SELECT {', '.join(columns)} FROM run {fields.joins} {joins} WHERE run.run_id = ANY ({ids})"
    return f"{text} GROUP BY {', '.join(keys)} ORDER BY runs DESC, {ordered} LIMIT {rows}", parameters.values


def flat_values_query(
    run_ids: Sequence[Any], field: Field, contains: str, limit: int, fields: JoinedFields
) -> tuple[str, Sequence[Any]]:
    """Return what group_query.values_query returns."""
    parameters = Parameters()
    ids = parameters.add(list(run_ids), "uuid[]")
    if field.kind is FieldKind.DATASET:
        value, joins = "d0.value", _values_of_datasets(field, "d0")
    else:
        value = fields.read(field, parameters)
        joins = fields.joins
    part = parameters.add(contains, "text")
    wanted = f"{value} <> '' AND length({value}) <= {VALUE_TEXT_CHARS_MAX}"
    wanted += f" AND strpos(lower({value}), lower({part})) > 0 AND run.run_id = ANY ({ids})"
    rows = parameters.add(limit, "bigint")
    text = f"SELECT {value} AS value, count(*) AS runs FROM run {joins} WHERE {wanted}"
    return f'{text} GROUP BY {value} ORDER BY runs DESC, {value} COLLATE "C" LIMIT {rows}', parameters.values


def _values_of_datasets(field: Field, alias: str) -> str:
    values = f"SELECT DISTINCT run_input.run_id, {values_of_dataset(field.key)}"
    return f"LEFT JOIN ({values}) AS {alias} ON {alias}.run_id = run.run_id"
