"""Searches of runs for a distributed engine: two statements, of joins of tables that lie together by run.

run_query.py finds out as it goes which way is the fastest, by counts, walks and probes of one run after the other; a
distributed engine refuses most of that. Here the first statement filters, sorts and cuts on every node, the second one
fetches columns of the runs that were found.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.model.runs import PARENT_RUN_TAG, RUN_ITEMS_MAX
from stepwell_server.search.queries import Projection, RunSearch
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.joined_fields import JoinedFields
from stepwell_server.store.search.ordering import Ordering
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.run_query import LATEST_COLUMNS, STAGES, SUMMARY_COLUMNS, metric_arrays
from stepwell_server.store.search.scopes import among

_ID = "encode(uuid_send({run}.run_id), 'hex')"


class FlatRunQuery:
    """Composes the statement that finds a page; `text` and `parameters.values` are what is executed."""

    def __init__(self, search: RunSearch, metric_ids: Mapping[str, int]) -> None:
        """`metric_ids` are the numbers of metrics of the filter and the order, as far as they are known."""
        self.parameters = Parameters()
        self.ordering = Ordering(search.order, "start_time_ms", "run_id", "uuid")
        self._search = search
        self._fields = JoinedFields(metric_ids)
        wanted = [*self._scope("run"), *self._roots()]
        if search.filter is not None:
            wanted.append(condition(search.filter, self._fields, self.parameters))
        reads = self.ordering.read_columns(self._fields, self.parameters)
        after = self.ordering.after(search.after, self.parameters)
        limit = self.parameters.add(search.limit, "bigint")
        read = f"SELECT run.run_id, run.start_time_ms{reads} FROM run {self._joins} {self._fields.joins}"
        read += f" WHERE {' AND '.join(wanted)}"
        ranked = f"SELECT run_id, start_time_ms{self.ordering.ranked_columns()} FROM ({read}) AS run"
        page = f"SELECT * FROM ({ranked}) AS ranked WHERE {after} ORDER BY {self.ordering.order_by} LIMIT {limit}"
        self.text = f"{self._parents} {page}"

    def _scope(self, run: str) -> list[str]:
        """Which runs are asked about at all."""
        stages = self.parameters.add(STAGES[self._search.view], "text[]")
        search = self._search
        seen = among(f"{run}.experiment_id", search.experiment_ids, search.hidden, self.parameters)
        return [f"{run}.lifecycle_stage = ANY ({stages})", *seen]

    def _roots(self) -> list[str]:
        """Only runs without a parent among those that are asked about; parents may lie on other nodes."""
        self._parents = self._joins = ""
        if not self._search.roots_only:
            return []
        tag = self.parameters.add(PARENT_RUN_TAG, "text")
        named = f"SELECT DISTINCT tag.value FROM run JOIN tag USING (run_id) WHERE tag.key = {tag}"
        named += f" AND {' AND '.join(self._scope('run'))}"
        parents = f"SELECT {_ID.format(run='parent')} AS value FROM run AS parent"
        parents += f" WHERE {_ID.format(run='parent')} IN (SELECT value FROM named)"
        parents += f" AND {' AND '.join(self._scope('parent'))}"
        self._parents = f"WITH named AS MATERIALIZED ({named}), parents AS MATERIALIZED ({parents})"
        self._joins = f"LEFT JOIN tag AS child ON child.run_id = run.run_id AND child.key = {tag}"
        own = _ID.format(run="run")
        return [
            f"(child.value IS NULL OR child.value = {own} OR child.value NOT IN (SELECT value FROM parents))"
        ]


def columns_query(
    run_ids: Sequence[UUID], projection: Projection, metric_ids: Mapping[str, int]
) -> tuple[str, Sequence[Any]]:
    """Return a statement for what is wanted of runs, in no order, and its parameters.

    The columns are those of run_query.projected. `metric_ids` are the numbers of the wanted metrics' names.
    """
    parameters = Parameters()
    ids = parameters.add(list(run_ids), "uuid[]")
    columns = ["run.*", "inputs.run_id IS NOT NULL AS has_inputs"]
    columns.append("made.run_id IS NOT NULL OR used.run_id IS NOT NULL AS has_models")
    joins = [
        _joined(f"SELECT DISTINCT run_id FROM {table} WHERE run_id = ANY ({ids})", alias)
        for table, alias in (("run_input", "inputs"), ("model_output", "made"), ("model_input", "used"))
    ]
    for table, keys in (("param", projection.params), ("tag", projection.tags)):
        if keys is None or keys:
            chosen = "" if keys is None else f"AND key = ANY ({parameters.add(list(keys), 'text[]')})"
            arrays = f"array_agg(key) AS {table}_keys, array_agg(value) AS {table}_values"
            joins.append(
                _joined(_first_ones(table, "key", arrays, f"run_id = ANY ({ids}) {chosen}"), f"{table}s")
            )
            columns.append(f"{table}s.{table}_keys, {table}s.{table}_values")
    if projection.metrics is None or projection.metrics:
        chosen = ""
        if projection.metrics is not None:
            numbers = [metric_ids[name] for name in projection.metrics if name in metric_ids]
            chosen = f"AND metric_id = ANY ({parameters.add(numbers, 'bigint[]')})"
        wanted = f"run_id = ANY ({ids}) {chosen}"
        arrays = metric_arrays(projection)
        joins.append(_joined(_first_ones("metric_latest", "metric_id", arrays, wanted), "metrics"))
        names = [*LATEST_COLUMNS, *(SUMMARY_COLUMNS if projection.summaries else ())]
        columns += [f"metrics.{name}" for name in names]
    text = f"SELECT {', '.join(columns)} FROM run {' '.join(joins)} WHERE run.run_id = ANY ({ids})"
    return text, parameters.values


def _joined(query: str, alias: str) -> str:
    return f"LEFT JOIN ({query}) AS {alias} ON {alias}.run_id = run.run_id"


def _first_ones(table: str, key: str, arrays: str, wanted: str) -> str:
    """Return a query for arrays of a table's rows by run, of each run the first ones."""
    place = f"row_number() OVER (PARTITION BY run_id ORDER BY {key}) AS place"
    numbered = f"SELECT *, {place} FROM {table} WHERE {wanted}"
    return (
        f"SELECT run_id, {arrays} FROM ({numbered}) AS it WHERE place <= {RUN_ITEMS_MAX + 1} GROUP BY run_id"
    )
