"""Searches of registered models and of versions to one statement.

What is found is filtered and sorted as a whole, unless an index knows better: the name and the run by themselves, tags
by `_narrowed`, and versions without an order along the index of their times.
"""

from dataclasses import dataclass
from typing import Any

from stepwell_server.search.expressions import Comparison, Field, FieldKind, Operator, conjuncts
from stepwell_server.search.queries import RegistrySearch, RowPosition
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.ordering import Ordering, position_of
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import MODEL_VERSION_TABLES, REGISTERED_MODEL_TABLES, Tables

INDEXED_CHARS_MAX = 200  # of a tag's value, as the index has it
# MLflow 3's clients add `tag.<this> != 'true'` to every search of registered models: there, what has no such tag is no
# prompt. All other conditions on a tag that is missing are neither true nor false.
PROMPT_TAG = "mlflow.prompt.is_prompt"


@dataclass(frozen=True, slots=True)
class Shape:
    """What is searched: its tables, what is read (`source`), and the view that shows a row."""

    tables: Tables
    source: str
    view: str


MODELS = Shape(REGISTERED_MODEL_TABLES, "registered_model", "registered_models")
VERSIONS = Shape(
    MODEL_VERSION_TABLES, "model_version JOIN registered_model USING (model_number)", "model_versions"
)


class RegistryQuery:
    """Composes the statement of one search; `text` and `parameters.values` are what is executed."""

    def __init__(self, search: RegistrySearch, shape: Shape) -> None:
        self.parameters = Parameters()
        self._ordering = Ordering(search.order, "row_time", "row_id", "bigint")
        self._tables = shape.tables
        table, id_ = shape.tables.table, shape.tables.id
        self._id = f"{table}.{id_}"
        time = f"{table}.last_update_time_ms"
        wanted = " AND ".join(self._conditions(search, time))
        reads = self._ordering.read_columns(shape.tables, self.parameters)
        after = self._ordering.after(search.after, self.parameters)
        limit = self.parameters.add(search.limit, "bigint")
        self.text = f"""
            WITH page AS MATERIALIZED (
                SELECT row_id, row_time{self._ordering.columns} FROM (
                    SELECT read.*{self._ordering.ranked_columns()} FROM (
                        SELECT {self._id} AS row_id, {time} AS row_time{reads}
                        FROM {shape.source}
                        WHERE {wanted}
                    ) AS read
                ) AS ranked
                WHERE {after} ORDER BY {self._ordering.order_by} LIMIT {limit}
            )
            SELECT shown.*, row_id, row_time{self._ordering.columns}
            FROM page
            CROSS JOIN LATERAL (SELECT * FROM {shape.view} AS it WHERE it.{id_} = page.row_id OFFSET 0) AS shown
            ORDER BY {self._ordering.order_by}
        """

    def position(self, row: Any) -> RowPosition:
        """Return the position of a row of the answer."""
        return position_of(row, self._ordering, row["row_time"], str(row["row_id"]))

    def _conditions(self, search: RegistrySearch, time: str) -> list[str]:
        chosen = search.within.chosen(None)
        found = ["true", *among(f"{self._tables.table}.model_number", *chosen, self.parameters)]
        if search.after is not None and not search.order:
            found.append(f"{time} <= {self.parameters.add(search.after.time_ms, 'bigint')}")
        for test in conjuncts(search.filter):
            match test:
                case Comparison(Field(FieldKind.TAG, key), Operator.NOT_EQUAL, str(text)) if (
                    key == PROMPT_TAG
                ):
                    found.append(f"{self._id} NOT IN ({self._with_tag(key, text)})")
                    continue
                case Comparison(Field(FieldKind.TAG, key, function=None), Operator.EQUAL, str(text)):
                    # The index of tags' values finds them; whether all of a long value is equal, the condition says.
                    found.append(f"{self._id} IN ({self._with_tag(key, text)})")
            found.append(condition(test, self._tables, self.parameters))
        return found

    def _with_tag(self, key: str, text: str) -> str:
        """Return SQL for the ids of what has a tag whose value begins, as far as the index knows it, as a text does."""
        named = f"it.key = {self.parameters.add(key, 'text')}"
        begin = self.parameters.add(text[:INDEXED_CHARS_MAX], "text")
        same = f"left(it.value, {INDEXED_CHARS_MAX}) = {begin}"
        return f"SELECT it.{self._tables.id} FROM {self._tables.tag} AS it WHERE {named} AND {same}"
