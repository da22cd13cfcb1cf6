"""Where the fields of a subject are stored: SQL for one row of the subject, under the alias that is its table's name.

A field that is kept in a table of its own is read by a scalar subquery: exactly one probe of that table's primary key
for each row, whatever the planner believes; and NULL when the row is missing, so that SQL's logic is the grammar's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stepwell_server.search.expressions import NUMBER_FUNCTION, Field, FieldKind, ValueType
from stepwell_server.store.search.parameters import Parameters

# A double cannot be divided below the smallest one without an error; below this sum the mean is nothing.
MEAN = (
    "CASE WHEN abs(it.value_sum) < 1e-280 THEN 0"
    " ELSE it.value_sum / nullif(it.count - it.non_finite_count, 0) END"
)
# Of the alias `it`.
METRIC_VALUES = {
    None: "it.value",
    "last": "it.value",
    "min": "it.value_min",
    "max": "it.value_max",
    "mean": MEAN,
    "count": "it.count::double precision",
}
DATASET_VALUES = {
    "name": "dataset.name",
    "digest": "dataset.digest",
    "context": "(run_input.tags ->> 'mlflow.data.context')",
}
_STATUS = "(ARRAY['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'])[run.status]"


class Fields(Protocol):
    """How the fields of a subject's rows are read."""

    @property
    def joins(self) -> str:
        """What follows FROM and the subject's table, of all that was read so far."""
        ...

    def test(self, field: Field, parameters: Parameters, of_value: Callable[[str], str]) -> str:
        """Return SQL for a condition on a field's value, or on any of its values; NULL when there is none."""
        ...

    def read(self, field: Field, parameters: Parameters, of_value: Callable[[str], str] = str) -> str:
        """Return SQL for something that is computed of a field's value; NULL when there is none.

        Of a data set's field, which may have many values, any of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tables:
    """How a subject is stored; `id` is the key of its table and of those below it."""

    table: str
    id: str
    attributes: Mapping[str, str]
    param: str = ""
    tag: str = ""
    joins: str = ""

    def test(self, field: Field, parameters: Parameters, of_value: Callable[[str], str]) -> str:
        """See `Fields`."""
        if field.kind is FieldKind.DATASET:
            return _of_datasets(f"bool_or({of_value(DATASET_VALUES[field.key])})")
        return self.read(field, parameters, of_value)

    def read(self, field: Field, parameters: Parameters, of_value: Callable[[str], str] = str) -> str:
        """See `Fields`."""
        if field.kind is FieldKind.DATASET:
            return _of_datasets(f"max({of_value(DATASET_VALUES[field.key])})")
        if field.kind is FieldKind.ATTRIBUTE:
            return f"({of_value(self.attributes[field.key])})"
        table, condition, value = self._row(field, parameters)
        same = f"it.{self.id} = {self.table}.{self.id}"
        return f"(SELECT {of_value(value)} FROM {table} AS it WHERE {same} AND {condition})"

    def _row(self, field: Field, parameters: Parameters) -> tuple[str, str, str]:
        """Return table, condition and value of the one row that has a field."""
        if field.kind is FieldKind.METRIC:
            return (
                "metric_latest",
                f"it.metric_id = {metric_id(field, parameters)}",
                METRIC_VALUES[field.function],
            )
        table = self.param if field.kind is FieldKind.PARAM else self.tag
        value = text_value(field)
        return table, f"it.key = {parameters.add(field.key, 'text')}", value


def text_value(field: Field) -> str:
    """Return SQL for the value of a param or a tag, of the alias `it`."""
    return "text_number(it.value)" if field.function == NUMBER_FUNCTION else "it.value"


def _of_datasets(aggregate: str) -> str:
    inputs = "run_input JOIN dataset USING (dataset_id)"
    return f"(SELECT {aggregate} FROM {inputs} WHERE run_input.run_id = run.run_id)"


def values_of_dataset(key: str) -> str:
    """Return what follows SELECT for a field of the data sets of runs, as `value`."""
    return f"{DATASET_VALUES[key]} AS value FROM run_input JOIN dataset USING (dataset_id)"


def metric_id(field: Field, parameters: Parameters) -> str:
    """Return SQL for the number of a metric's name; NULL for a name that nobody has logged."""
    return f"(SELECT metric_id FROM metric WHERE name = {parameters.add(field.key, 'text')})"


def is_float(field: Field) -> bool:
    """Tell whether a field's values are doubles, which may be NaN."""
    return field.kind is FieldKind.METRIC


def is_text(field: Field) -> bool:
    """Tell whether a field's values are texts."""
    return field.value_type is ValueType.TEXT


RUN_TABLES = Tables(
    table="run",
    id="run_id",
    attributes={
        "run_id": "encode(uuid_send(run.run_id), 'hex')",
        "run_name": "run.name",
        "status": _STATUS,
        "start_time": "run.start_time_ms",
        "end_time": "run.end_time_ms",
        "user_id": "run.user_name",
        "artifact_uri": "run.artifact_uri",
        "experiment_id": "run.experiment_id",
        "lifecycle_stage": "run.lifecycle_stage",
    },
    param="param",
    tag="tag",
)

EXPERIMENT_TABLES = Tables(
    table="experiment",
    id="experiment_id",
    attributes={
        "name": "experiment.name",
        "experiment_id": "experiment.experiment_id",
        "creation_time": "experiment.creation_time_ms",
        "last_update_time": "experiment.last_update_time_ms",
        "artifact_location": "experiment.artifact_location",
        "lifecycle_stage": "experiment.lifecycle_stage",
    },
    tag="experiment_tag",
)

REGISTERED_MODEL_TABLES = Tables(
    table="registered_model",
    id="model_number",
    attributes={
        "name": "registered_model.name",
        "description": "registered_model.description",
        "creation_timestamp": "registered_model.creation_time_ms",
        "last_updated_timestamp": "registered_model.last_update_time_ms",
    },
    tag="registered_model_tag",
)

# The name is that of the registered model, which is joined.
MODEL_VERSION_TABLES = Tables(
    table="model_version",
    id="version_id",
    attributes={
        "name": "registered_model.name",
        "version_number": "model_version.version",
        "stage": "model_version.stage",
        "run_id": "model_version.run_id",
        "model_id": "model_version.model_id",
        "source_path": "model_version.source",
        "user_id": "model_version.user_name",
        "description": "model_version.description",
        "creation_timestamp": "model_version.creation_time_ms",
        "last_updated_timestamp": "model_version.last_update_time_ms",
    },
    tag="model_version_tag",
)
