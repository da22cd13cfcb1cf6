"""The values that travel between transport, services and store. See docs of each; no I/O, no clock here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

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
EXPERIMENTS_PAGE_SIZE_DEFAULT = 1_000
EXPERIMENTS_PAGE_SIZE_MAX = 50_000

DEFAULT_EXPERIMENT_ID = 0
DEFAULT_EXPERIMENT_NAME = "Default"

# Tags with a meaning; MLflow's names, because tools look for them.
RUN_NAME_TAG = "mlflow.runName"
PARENT_RUN_TAG = "mlflow.parentRunId"
# Ours: why a run is FAILED although nobody ended it.
LOST_TAG = "stepwell.lost"


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


@dataclass(frozen=True, slots=True)
class LatestMetric:
    """The point with the greatest (step, timestamp, value) of one metric; NaN above every number."""

    key: str
    value: float
    step: int
    timestamp_ms: int


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
class DatasetInput:
    """A data set that a run used; the tags say what for."""

    dataset: Dataset
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its params, its tags and its latest metrics, each in key order; `inputs` where they were asked for."""

    info: RunInfo
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Sequence[LatestMetric]
    inputs: Sequence[DatasetInput] = ()


@dataclass(frozen=True, slots=True)
class WriterIdentity:
    """One process that logs to one run. `orphaned`: it is gone, and somebody else delivers what it left behind."""

    run_id: UUID
    writer_id: UUID
    rank: int | None = None
    host: str = ""
    process_id: int = 0
    orphaned: bool = False


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run that was RUNNING although all its writers were gone; of the writers, the one that was heard of last."""

    run_id: UUID
    host: str
    process_id: int
    rank: int | None
    heard_time_ms: int


@dataclass(frozen=True, slots=True)
class Points:
    """Points of several series in columns.

    Series i is metric `keys[i]` and owns the next `counts[i]` elements of the three columns, each of shape
    (sum(counts),): steps, timestamps in milliseconds, values.
    """

    keys: Sequence[str]
    counts: Int64s
    steps: Int64s
    timestamps_ms: Int64s
    values: Float64s

    def __len__(self) -> int:
        return len(self.steps)


NO_POINTS = Points(
    (), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64)
)


@dataclass(frozen=True, slots=True)
class ParamEntry:
    """A param at a position of the writer's log."""

    position: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class TagEntry:
    """A tag at a position of the writer's log."""

    position: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """A change of the run's status at a position of the writer's log."""

    position: int
    status: RunStatus
    end_time_ms: int | None


Entry = ParamEntry | TagEntry | StatusEntry


@dataclass(frozen=True, slots=True)
class Batch:
    """A piece [first_position, end_position) of one writer's log."""

    run_id: UUID
    writer_id: UUID
    first_position: int
    end_position: int
    points: Points
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Entries that were refused, with the reason; they are not stored and not to be sent again."""

    position: int
    count: int
    key: str
    error_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """The batch is committed with fsync, but for what was rejected."""

    position: int
    points: int
    entries: int
    rejections: Sequence[Rejection] = ()


@dataclass(frozen=True, slots=True)
class NotJoined:
    """The batch did not join what is committed and was not stored; `position` is what is committed."""

    position: int


Outcome = Committed | NotJoined


@dataclass(frozen=True, slots=True)
class History:
    """Points of one series in columns, each of shape (n,), ordered by (step, timestamp, value)."""

    steps: Int64s
    timestamps_ms: Int64s
    values: Float64s

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, start: int, end: int | None = None) -> "History":
        """The points [start, end), without a copy."""
        return History(self.steps[start:end], self.timestamps_ms[start:end], self.values[start:end])
