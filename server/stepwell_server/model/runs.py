"""The values that travel between transport, services and store. See docs of each; no I/O, no clock here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple
from uuid import UUID

from stepwell_server.model.logged_models import RunModels

# Limits of names and values; MLflow's, so that what fits there fits here.
KEY_CHARS_MAX = 250
PARAM_VALUE_CHARS_MAX = 6_000
RUN_TAG_VALUE_CHARS_MAX = 8_000
EXPERIMENT_TAG_VALUE_CHARS_MAX = 20_000
EXPERIMENT_NAME_CHARS_MAX = 500
RUN_NAME_CHARS_MAX = 500
ARTIFACT_LOCATION_CHARS_MAX = 2_048
DATASET_NAME_CHARS_MAX = 500
DATASET_DIGEST_CHARS_MAX = 36
DATASET_SOURCE_TYPE_CHARS_MAX = 36
DATASET_SOURCE_CHARS_MAX = 65_535
DATASET_SCHEMA_CHARS_MAX = 1_048_575
DATASET_PROFILE_CHARS_MAX = 1_048_575  # MLflow's 16 MB do not fit into a message of 8 MiB
INPUT_TAG_VALUE_CHARS_MAX = 500
INPUTS_MAX = 1_000  # of one call
DATASET_SUMMARIES_MAX = 1_000  # of one answer, and experiments that one may ask for; MLflow's
DATASET_EXPERIMENTS_MAX = 20
EXPERIMENTS_PAGE_SIZE_DEFAULT = 1_000
EXPERIMENTS_PAGE_SIZE_MAX = 50_000

KEY_RUNS_MAX = 500  # runs whose keys are looked at: those of 2,000 metrics each take a tenth of a second
KEYS_DEFAULT = 1_000
KEYS_MAX = 10_000
KEY_PATTERN_CHARS_MAX = 200

# Params, tags and metrics of a run that come at once, of each kind; the rest comes in pages.
RUN_ITEMS_MAX = 5_000
# Tags of an experiment, encoded, all together: they have no pages, so they have to fit into an answer.
EXPERIMENT_TAGS_BYTES_MAX = 2 * 2**20

DEFAULT_EXPERIMENT_ID = 0
DEFAULT_EXPERIMENT_NAME = "Default"

# Tags with a meaning; MLflow's names, because tools look for them.
RUN_NAME_TAG = "mlflow.runName"
PARENT_RUN_TAG = "mlflow.parentRunId"
# JSON that says which artifacts are tables.
LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts"
# Ours: why a run is FAILED although nobody ended it.
LOST_TAG = "stepwell.lost"
# Of a data set that a run used: what for.
DATASET_CONTEXT_TAG = "mlflow.data.context"


class RunStatus(IntEnum):
    """Where a run stands. The numbers are MLflow's."""

    RUNNING = 1
    SCHEDULED = 2
    FINISHED = 3
    FAILED = 4
    KILLED = 5


class LifecycleStage(Enum):
    """In use, or softly deleted."""

    ACTIVE = "active"
    DELETED = "deleted"


class ViewType(Enum):
    """Which lifecycle stages a listing shows."""

    ACTIVE_ONLY = "active_only"
    DELETED_ONLY = "deleted_only"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs. Times in milliseconds since the epoch."""

    experiment_id: int
    name: str
    artifact_location: str
    lifecycle_stage: LifecycleStage
    creation_time_ms: int
    last_update_time_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that is needed to create a run.

    Exactly one of `experiment_id` and `experiment_name` is set, or neither: then the run must exist.
    """

    run_id: UUID
    experiment_id: int | None = None
    experiment_name: str | None = None
    name: str = ""
    start_time_ms: int = 0
    user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run without what it logged. Times in milliseconds since the epoch."""

    run_id: UUID
    experiment_id: int
    name: str
    status: RunStatus
    start_time_ms: int
    end_time_ms: int | None
    lifecycle_stage: LifecycleStage
    user: str
    artifact_uri: str


class LatestMetric(NamedTuple):
    """The point with the greatest (step, timestamp, value) of one metric; NaN above every number.

    A page of runs has thousands of them: a tuple is made three times as fast as a dataclass.
    """

    key: str
    value: float
    step: int
    timestamp_ms: int
    summary: "MetricSummary | None" = None


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """All points of a metric. `minimum`, `maximum` and `mean` are over the finite ones, None if there are none."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    count: int
    non_finite_count: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a data set is called and looks like, and where it came from; the last three are JSON, or empty."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """That some runs of an experiment used a data set; `context` is what for, None if nobody said."""

    experiment_id: int
    name: str
    digest: str
    context: str | None


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A data set that a run used; the tags say what for."""

    dataset: Dataset
    tags: Mapping[str, str]


NO_MODELS = RunModels()


class RunPart(Enum):
    """What a run logged, in the order in which it is read where it is read in pages."""

    PARAMS = 0
    TAGS = 1
    METRICS = 2


@dataclass(frozen=True, slots=True)
class RunRest:
    """Where the rest of a run begins: in a part, after a key (of metrics, after a number); "" is the beginning."""

    part: RunPart
    after: str = ""


# Where everything is read again.
WHOLE_RUN = RunRest(RunPart.PARAMS)


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its params, its tags and its latest metrics, each in key order.

    `inputs` and `models` where they were asked for; a search that does not ask tells whether there are any:
    `has_inputs`, `has_models`. With a `rest`, not all params, tags and metrics are here.
    """

    info: RunInfo
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Sequence[LatestMetric]
    inputs: Sequence[DatasetInput] = ()
    has_inputs: bool = False
    models: RunModels = NO_MODELS
    has_models: bool = False
    rest: RunRest | None = None


# Keys with the number of runs that have each.
KeyCounts = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of the latest `runs` runs, the most frequent first; `complete`: no run and no key was left out."""

    params: KeyCounts
    metrics: KeyCounts
    tags: KeyCounts
    runs: int
    complete: bool
