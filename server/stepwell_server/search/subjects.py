"""What can be searched for, and the fields that each subject has, by MLflow's names and aliases."""

from collections.abc import Mapping
from dataclasses import dataclass

from stepwell_server.model.logged_models import LoggedModelStatus
from stepwell_server.model.runs import LifecycleStage, RunStatus
from stepwell_server.search.expressions import (
    DATASET_FIELDS,
    METRIC_FUNCTIONS,
    NUMBER_FUNCTION,
    Field,
    FieldKind,
    ValueType,
)

NUMBER, TEXT = ValueType.NUMBER, ValueType.TEXT

_STAGES = {"lifecycle_stage": tuple(stage.value for stage in LifecycleStage)}
_STATUSES = {"status": tuple(status.name for status in RunStatus)}

_KINDS = {
    "metric": FieldKind.METRIC,
    "metrics": FieldKind.METRIC,
    "param": FieldKind.PARAM,
    "params": FieldKind.PARAM,
    "parameter": FieldKind.PARAM,
    "parameters": FieldKind.PARAM,
    "tag": FieldKind.TAG,
    "tags": FieldKind.TAG,
    "attribute": FieldKind.ATTRIBUTE,
    "attributes": FieldKind.ATTRIBUTE,
    "attr": FieldKind.ATTRIBUTE,
    "run": FieldKind.ATTRIBUTE,
    "dataset": FieldKind.DATASET,
    "datasets": FieldKind.DATASET,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of thing that is searched for; `aliases` are other names of attributes.

    `words` are all the values that an attribute can have, if these are few. Attributes `in_any_case` are compared
    without regard to upper and lower case.
    """

    name: str
    kinds: frozenset[FieldKind]
    attributes: Mapping[str, ValueType]
    aliases: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]
    in_any_case: frozenset[str] = frozenset()

    def field(self, prefix: str, key: str, function: str | None) -> Field:
        """Return a field by its prefix (`metrics`, `attr`, …; empty for a bare name).

        Raises:
            ValueError: there is no such field; the text says what there is.
        """
        kind = _KINDS[prefix.lower()] if prefix else FieldKind.ATTRIBUTE
        if kind not in self.kinds:
            raise ValueError(f"{self.name}s have no {kind.value}")
        if function and kind in (FieldKind.ATTRIBUTE, FieldKind.DATASET):
            raise ValueError(f"{function}() is of metrics, params and tags, not of {kind.value}")
        if kind is FieldKind.ATTRIBUTE:
            return self._attribute(key)
        if kind is FieldKind.DATASET:
            return _of_dataset(key)
        if not function:
            return Field(kind, key, NUMBER if kind is FieldKind.METRIC else TEXT)
        known = METRIC_FUNCTIONS if kind is FieldKind.METRIC else (NUMBER_FUNCTION,)
        if function.lower() not in known:
            raise ValueError(f"there is no function {function}() of {kind.value}; use {' '.join(known)}")
        return Field(kind, key, NUMBER, function.lower())

    def _attribute(self, key: str) -> Field:
        name = key.strip().lower().replace(" ", "_")
        name = self.aliases.get(name, name)
        if name not in self.attributes:
            raise ValueError(
                f"{self.name}s have no attribute {key[:60]!r}; they have {', '.join(self.attributes)}"
                + ("; metrics, params and tags need their prefix" if FieldKind.METRIC in self.kinds else "")
            )
        return Field(FieldKind.ATTRIBUTE, name, self.attributes[name])


def _of_dataset(key: str) -> Field:
    if key.lower() not in DATASET_FIELDS:
        raise ValueError(f"data sets have no {key[:60]!r}; they have {', '.join(DATASET_FIELDS)}")
    return Field(FieldKind.DATASET, key.lower(), TEXT)


RUNS = Subject(
    "run",
    frozenset(FieldKind),
    {
        "run_id": TEXT,
        "run_name": TEXT,
        "status": TEXT,
        "start_time": NUMBER,
        "end_time": NUMBER,
        "user_id": TEXT,
        "artifact_uri": TEXT,
        "experiment_id": NUMBER,
        "lifecycle_stage": TEXT,
    },
    {"created": "start_time", "name": "run_name", "run_uuid": "run_id", "user": "user_id"},
    _STATUSES | _STAGES,
)

EXPERIMENTS = Subject(
    "experiment",
    frozenset({FieldKind.TAG, FieldKind.ATTRIBUTE}),
    {
        "name": TEXT,
        "experiment_id": NUMBER,
        "creation_time": NUMBER,
        "last_update_time": NUMBER,
        "artifact_location": TEXT,
        "lifecycle_stage": TEXT,
    },
    {"created": "creation_time", "last_updated": "last_update_time"},
    _STAGES,
)

LOGGED_MODELS = Subject(
    "model",
    frozenset(FieldKind) - {FieldKind.DATASET},
    {
        "model_id": TEXT,
        "name": TEXT,
        "model_type": TEXT,
        "status": TEXT,
        "source_run_id": TEXT,
        "experiment_id": NUMBER,
        "creation_timestamp": NUMBER,
        "last_updated_timestamp": NUMBER,
    },
    {
        "creation_time": "creation_timestamp",
        "creation_timestamp_ms": "creation_timestamp",
        "last_updated_time": "last_updated_timestamp",
        "last_updated_timestamp_ms": "last_updated_timestamp",
        "run_id": "source_run_id",
    },
    {"status": tuple(status.name for status in LoggedModelStatus)},
)

_OF_REGISTRY = {
    "creation_timestamp": NUMBER,
    "last_updated_timestamp": NUMBER,
    "description": TEXT,
}
_OF_REGISTRY_ALIASES = {
    "created": "creation_timestamp",
    "creation_time": "creation_timestamp",
    "timestamp": "last_updated_timestamp",
    "last_updated": "last_updated_timestamp",
    "last_update_time": "last_updated_timestamp",
}

REGISTERED_MODELS = Subject(
    "registered model",
    frozenset({FieldKind.TAG, FieldKind.ATTRIBUTE}),
    {"name": TEXT, **_OF_REGISTRY},
    _OF_REGISTRY_ALIASES,
    {},
)

MODEL_VERSIONS = Subject(
    "model version",
    frozenset({FieldKind.TAG, FieldKind.ATTRIBUTE}),
    {
        "name": TEXT,
        "version_number": NUMBER,
        "stage": TEXT,
        "run_id": TEXT,
        "model_id": TEXT,
        "source_path": TEXT,
        "user_id": TEXT,
        **_OF_REGISTRY,
    },
    {
        **_OF_REGISTRY_ALIASES,
        "version": "version_number",
        "current_stage": "stage",
        "source": "source_path",
        "user": "user_id",
    },
    {},
    frozenset({"stage"}),  # as in models:/name/production
)
