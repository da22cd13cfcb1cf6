"""The values of logged models that travel between transport, services and store; no I/O, no clock here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import UUID

# A name is a folder of the run's artifacts; file systems take 255 bytes.
NAME_BYTES_MAX = 250
TYPE_CHARS_MAX = 500
STATUS_MESSAGE_CHARS_MAX = 8_000
PARAM_VALUE_CHARS_MAX = 6_000
TAG_VALUE_CHARS_MAX = 8_000
# Params of a model, and tags; and all of them together in bytes, so that a model fits into a message of 8 MiB.
PAIRS_MAX = 1_000
TEXT_BYTES_MAX = 3 * 1024 * 1024
# Models that one call links.
LINKS_MAX = 1_000
PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 1_000
# Models of runs that an answer shows, of each kind; of each run as many as that leaves, those of the latest steps.
RUN_MODELS_SHOWN_MAX = 10_000
# Metrics of a model that an answer shows, those of the latest times: some 100 bytes each.
METRICS_SHOWN_MAX = 10_000

MODEL_ID_PREFIX = "m-"
# What makes a folder a model.
MODEL_FILE = "MLmodel"
# The models that a run logged, as MLflow 2 keeps them: a JSON list.
MODEL_HISTORY_TAG = "mlflow.log-model.history"

_MODEL_ID = re.compile(r"m-([0-9a-f]{32})")


class LoggedModelStatus(IntEnum):
    """Whether a model is complete. The numbers are MLflow's."""

    PENDING = 1
    READY = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class LoggedModelSpec:
    """All that is needed to create a model.

    At most one of `experiment_id` and `experiment_name` is set; without both, the experiment is that of the source run.
    """

    model_id: UUID
    experiment_id: int | None = None
    experiment_name: str | None = None
    name: str = ""
    model_type: str = ""
    source_run_id: UUID | None = None
    creation_time_ms: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedModelMetric:
    """The latest point of a metric that a run measured of a model, on a data set or none (both texts empty)."""

    key: str
    value: float
    step: int
    timestamp_ms: int
    run_id: UUID
    dataset_name: str
    dataset_digest: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model with its params and tags, each in key order, and its metrics. Times in milliseconds since the epoch."""

    model_id: UUID
    experiment_id: int
    name: str
    model_type: str
    source_run_id: UUID | None
    status: LoggedModelStatus
    status_message: str
    creation_time_ms: int
    last_update_time_ms: int
    artifact_uri: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Sequence[LoggedModelMetric]


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A model that a run made, at a step."""

    model_id: UUID
    step: int


@dataclass(frozen=True, slots=True)
class RunModels:
    """The models that a run used, and those that it made in the order of their steps."""

    inputs: Sequence[UUID] = ()
    outputs: Sequence[ModelOutput] = ()


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A model of which a run shows files; its artifact URI says where they really are."""

    model_id: UUID
    name: str
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class DatasetName:
    """A data set by its name and its digest, empty for any."""

    name: str
    digest: str = ""


def model_name(model_id: UUID) -> str:
    """Return the id of a model as it is written."""
    return MODEL_ID_PREFIX + model_id.hex


def find_model_id(text: str) -> UUID | None:
    """Return the id of a model that is written so, None for what is none."""
    found = _MODEL_ID.fullmatch(text)
    return UUID(hex=found[1]) if found else None
