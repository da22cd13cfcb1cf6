"""Searches of logged models to one statement: the models of the experiments are filtered and sorted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stepwell_server.model.logged_models import DatasetName
from stepwell_server.search.expressions import Field, FieldKind
from stepwell_server.search.queries import LoggedModelSearch, RowPosition
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.ordering import Ordering, position_of
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import Tables

_ATTRIBUTES = {
    "model_id": "'m-' || encode(uuid_send(logged_model.model_id), 'hex')",
    "name": "logged_model.name",
    "model_type": "logged_model.model_type",
    "status": "(ARRAY['PENDING', 'READY', 'FAILED'])[logged_model.status]",
    "source_run_id": "encode(uuid_send(logged_model.source_run_id), 'hex')",
    "experiment_id": "logged_model.experiment_id",
    "creation_timestamp": "logged_model.creation_time_ms",
    "last_updated_timestamp": "logged_model.last_update_time_ms",
}
_OF_ALL = {"min": "min", "max": "max", "mean": "avg", "count": "count"}


@dataclass(frozen=True, slots=True)
class LoggedModelTables(Tables):
    """How models are stored. A metric may be measured by many runs, on many data sets: `datasets`, or any.

    A condition asks whether one of these values fulfils it; an order takes the latest; functions are over all of them.
    """

    datasets: Sequence[DatasetName] = ()

    def test(self, field: Field, parameters: Parameters, of_value: Callable[[str], str]) -> str:
        """See `Tables`."""
        if field.kind is not FieldKind.METRIC or field.function in _OF_ALL:
            return self.read(field, parameters, of_value)
        return f"(SELECT bool_or({of_value('it.value')}) FROM {self._measured(field, parameters)})"

    def read(self, field: Field, parameters: Parameters, of_value: Callable[[str], str] = str) -> str:
        """See `Tables`."""
        if field.kind is not FieldKind.METRIC:
            return Tables.read(self, field, parameters, of_value)
        measured = self._measured(field, parameters)
        if field.function in _OF_ALL:
            value = f"{_OF_ALL[field.function]}(it.value)::double precision"
            return f"(SELECT {of_value(value)} FROM {measured})"
        return f"(SELECT {of_value('it.value')} FROM {measured} ORDER BY it.timestamp_ms DESC, it.step DESC LIMIT 1)"

    def _measured(self, field: Field, parameters: Parameters) -> str:
        same = "it.model_id = logged_model.model_id"
        return f"logged_model_metric AS it WHERE {same} AND {self.chosen(field, parameters)}"

    def chosen(self, field: Field, parameters: Parameters) -> str:
        """Return which of all that was measured a field means."""
        datasets = [DatasetName(*field.dataset)] if field.dataset else self.datasets
        chosen = " OR ".join(_is_on(dataset, parameters) for dataset in datasets) or "true"
        key = parameters.add(field.key, "text")
        return f"it.key = {key} AND ({chosen})"


@dataclass(frozen=True, slots=True)
class JoinedModelTables(LoggedModelTables):
    """The same for a distributed PostgreSQL, which joins what was measured of all models and asks for none alone."""

    measured: dict[str, str] = field(default_factory=dict)  # joins, by alias

    def test(self, field: Field, parameters: Parameters, of_value: Callable[[str], str]) -> str:
        """See `Tables`."""
        if field.kind is not FieldKind.METRIC or field.function in _OF_ALL:
            return self.read(field, parameters, of_value)
        return self._joined(f"bool_or({of_value('it.value')})", field, parameters)

    def read(self, field: Field, parameters: Parameters, of_value: Callable[[str], str] = str) -> str:
        """See `Tables`."""
        if field.kind is not FieldKind.METRIC:
            return Tables.read(self, field, parameters, of_value)
        if field.function not in _OF_ALL:
            latest = "(array_agg(it.value ORDER BY it.timestamp_ms DESC, it.step DESC))[1]"
            return f"({of_value(self._joined(latest, field, parameters))})"
        value = self._joined(f"{_OF_ALL[field.function]}(it.value)::double precision", field, parameters)
        return f"({of_value(f'coalesce({value}, 0)' if field.function == 'count' else value)})"

    def _joined(self, aggregate: str, field: Field, parameters: Parameters) -> str:
        alias = f"measured{len(self.measured)}"
        of_all = f"SELECT it.model_id, {aggregate} AS value FROM logged_model_metric AS it"
        of_all += f" WHERE {self.chosen(field, parameters)} GROUP BY it.model_id"
        self.measured[alias] = f"LEFT JOIN ({of_all}) AS {alias} ON {alias}.model_id = logged_model.model_id"
        return f"{alias}.value"


def _is_on(dataset: DatasetName, parameters: Parameters) -> str:
    same = f"it.dataset_name = {parameters.add(dataset.name, 'text')}"
    return (
        f"({same} AND it.dataset_digest = {parameters.add(dataset.digest, 'text')})"
        if dataset.digest
        else same
    )


class LoggedModelQuery:
    """Composes the statement of one search; `text` and `parameters.values` are what is executed."""

    def __init__(self, search: LoggedModelSearch, *, is_distributed: bool = False) -> None:
        self.parameters = Parameters()
        self.ordering = Ordering(search.order, "creation_time_ms", "model_id", "uuid")
        measured: dict[str, str] = {}
        kind = partial(JoinedModelTables, measured=measured) if is_distributed else LoggedModelTables
        tables = kind(
            table="logged_model",
            id="model_id",
            attributes=_ATTRIBUTES,
            param="logged_model_param",
            tag="logged_model_tag",
            datasets=search.datasets,
        )
        wanted = ["logged_model.lifecycle_stage = 'active'"]
        wanted += among("logged_model.experiment_id", search.experiment_ids, search.hidden, self.parameters)
        if search.filter is not None:
            wanted.append(condition(search.filter, tables, self.parameters))
        reads = self.ordering.read_columns(tables, self.parameters)
        after = self.ordering.after(search.after, self.parameters)
        limit = self.parameters.add(search.limit, "bigint")
        self.text = f"""
            SELECT * FROM (
                SELECT read.*{self.ordering.ranked_columns()} FROM (
                    SELECT logged_model.*{reads} FROM logged_model
                    {" ".join(measured.values())} WHERE {" AND ".join(wanted)} OFFSET 0
                ) AS read
            ) AS ranked
            WHERE {after} ORDER BY {self.ordering.order_by} LIMIT {limit}
        """

    def position(self, row: Any) -> RowPosition:
        """Return where a row of the statement stands."""
        return position_of(row, self.ordering, row["creation_time_ms"], row["model_id"].hex)
