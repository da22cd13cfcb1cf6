"""What the client hands out: experiments, runs and what they logged, with MLflow's attribute names.

Times are milliseconds since the epoch, ids are strings. `dict(entity)` gives the fields of any of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from stepwell.errors import invalid
from stepwell.model_entities import LoggedModel, LoggedModelInput, LoggedModelOutput, LoggedModelStatus

# What `from stepwell.entities import *` gives; constants are for this package.
__all__ = [
    "Dataset",
    "DatasetInput",
    "Experiment",
    "ExperimentTag",
    "FileInfo",
    "InputTag",
    "LifecycleStage",
    "LoggedModel",
    "LoggedModelInput",
    "LoggedModelOutput",
    "LoggedModelStatus",
    "Metric",
    "PagedList",
    "Param",
    "Run",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunOutputs",
    "RunStatus",
    "RunTag",
    "ViewType",
]

T = TypeVar("T")

RUN_NAME_TAG = "mlflow.runName"
PARENT_RUN_TAG = "mlflow.parentRunId"
NOTE_TAG = "mlflow.note.content"
USER_TAG = "mlflow.user"


class RunStatus:
    """Where a run stands: MLflow's numbers, and their names, which are what a RunInfo shows."""

    RUNNING = 1
    SCHEDULED = 2
    FINISHED = 3
    FAILED = 4
    KILLED = 5

    _NUMBERS: ClassVar[dict[str, int]] = {
        "RUNNING": 1,
        "SCHEDULED": 2,
        "FINISHED": 3,
        "FAILED": 4,
        "KILLED": 5,
    }

    @staticmethod
    def from_string(status: str) -> int:
        """Return the number of a name; StepwellException INVALID_PARAMETER_VALUE for other words."""
        number = RunStatus._NUMBERS.get(status) if isinstance(status, str) else None
        if number is None:
            raise invalid(f"A run's status is one of {', '.join(RunStatus._NUMBERS)}, not {status!r}.")
        return number

    @staticmethod
    def to_string(status: int) -> str:
        """Return the name of a number; StepwellException INVALID_PARAMETER_VALUE for other numbers."""
        for name, number in RunStatus._NUMBERS.items():
            if number == status:
                return name
        raise invalid(f"A run's status is a number from 1 to 5, not {status!r}.")

    @staticmethod
    def is_terminated(status: int | str) -> bool:
        """Tell whether a run of this status has ended."""
        number = RunStatus.from_string(status) if isinstance(status, str) else status
        return number in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)

    @staticmethod
    def all_status() -> list[int]:
        """Return all numbers."""
        return list(RunStatus._NUMBERS.values())


class LifecycleStage:
    """In use, or softly deleted."""

    ACTIVE = "active"
    DELETED = "deleted"


class ViewType:
    """Which lifecycle stages a listing shows: MLflow's numbers."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3


class Entity:
    """Fields that can be read as a dict."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for item in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            yield item.name, getattr(self, item.name)

    def to_dictionary(self) -> dict[str, Any]:
        """Return the fields; nested entities become dicts as well."""
        return {name: value.to_dictionary() if isinstance(value, Entity) else value for name, value in self}


@dataclass
class Metric(Entity):
    """One point of a metric; `timestamp` in milliseconds. It may say something of a model, on a data set."""

    key: str
    value: float
    timestamp: int
    step: int
    run_id: str | None = None
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


@dataclass
class Histogram(Entity):
    """How values were distributed at a step: n counts, n + 1 edges, both as lists; `timestamp` in milliseconds.

    The last bin has both its edges, all others the left one. `not_finite` values (NaN, infinite) are in no bin. A log
    takes two edges for bins of equal width.
    """

    key: str
    step: int
    timestamp: int
    edges: list[float]
    counts: list[int]
    not_finite: int = 0


class AlertLevel:
    """How urgent an alert is."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    _NUMBERS: ClassVar[dict[str, int]] = {"INFO": 1, "WARNING": 2, "WARN": 2, "ERROR": 3}

    @staticmethod
    def number_of(level: Any) -> int:
        """Return the number of a level: its name, or what has one as its value.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE for something else.
        """
        name = str(getattr(level, "value", level)).upper()
        if name not in AlertLevel._NUMBERS:
            raise invalid(f"The level of an alert is INFO, WARNING or ERROR, not {level!r}.")
        return AlertLevel._NUMBERS[name]

    @staticmethod
    def name_of(number: int) -> str:
        """Return the name of a level's number."""
        return {1: AlertLevel.INFO, 2: AlertLevel.WARNING, 3: AlertLevel.ERROR}.get(number, AlertLevel.INFO)


@dataclass
class Alert(Entity):
    """What people should know: `level` is INFO, WARNING or ERROR, `timestamp` in milliseconds.

    `number` counts up over all runs, in the order in which they arrived.
    """

    title: str
    text: str
    level: str
    timestamp: int
    number: int = 0
    run_id: str = ""
    run_name: str = ""
    experiment_id: str = ""


@dataclass
class Param(Entity):
    """An input of a run, written once."""

    key: str
    value: str


@dataclass
class RunTag(Entity):
    """A label of a run; the later value wins."""

    key: str
    value: str


@dataclass
class ExperimentTag(Entity):
    """A label of an experiment."""

    key: str
    value: str


@dataclass
class FileInfo(Entity):
    """An artifact: a file with its size in bytes, or a folder, whose size is None."""

    path: str
    is_dir: bool
    file_size: int | None


@dataclass
class Experiment(Entity):
    """A named group of runs."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    tags: dict[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None


@dataclass
class RunInfo(Entity):
    """A run without what it logged; `status` is a name such as 'RUNNING', `end_time` None while it has not ended."""

    run_id: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str
    run_name: str

    @property
    def run_uuid(self) -> str:
        """The run's id, by its older name."""
        return self.run_id


@dataclass
class RunData(Entity):
    """What a run logged; of metrics, the latest value: that of the greatest (step, timestamp, value)."""

    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    latest_points: Mapping[str, Metric] = field(default_factory=dict, repr=False, compare=False)

    def to_dictionary(self) -> dict[str, Any]:
        """Return metrics, params and tags."""
        return {"metrics": self.metrics, "params": self.params, "tags": self.tags}


@dataclass
class Dataset(Entity):
    """What a data set is called and looks like, and where it came from; `source`, `schema` and `profile` are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


@dataclass
class InputTag(Entity):
    """A label of a data set in a run."""

    key: str
    value: str


@dataclass
class DatasetInput(Entity):
    """A data set that a run used."""

    dataset: Dataset
    tags: list[InputTag] = field(default_factory=list)


@dataclass
class RunInputs(Entity):
    """The data sets and models that a run used."""

    dataset_inputs: list[DatasetInput] = field(default_factory=list)
    model_inputs: list[LoggedModelInput] = field(default_factory=list)


@dataclass
class RunOutputs(Entity):
    """The models that a run made, in the order of their steps."""

    model_outputs: list[LoggedModelOutput] = field(default_factory=list)


@dataclass
class Run(Entity):
    """A run as the server had it when it was read."""

    info: RunInfo
    data: RunData
    inputs: RunInputs = field(default_factory=RunInputs)
    outputs: RunOutputs = field(default_factory=RunOutputs)


@dataclass
class Refusal(Entity):
    """A kind of points or entries that the server refused of one process: how many, and why the last one was.

    Also what was lost before it came, both without `key`: dropped by a full spool (RESOURCE_EXHAUSTED), or damaged
    (DATA_LOSS). Times in milliseconds. Without `key` and `error_code`: kinds that were too many to tell apart.
    """

    key: str
    count: int
    error_code: str
    reason: str
    first_time: int
    last_time: int
    rank: int | None
    host: str

    @property
    def is_loss(self) -> bool:
        """Whether nobody refused it: it was lost before it came."""
        return not self.key and self.error_code in ("RESOURCE_EXHAUSTED", "DATA_LOSS")


class PagedList(list[T]):
    """A page of a listing; `token` asks for the next one and is None on the last."""

    def __init__(self, items: Iterable[T] | Sequence[T] = (), token: str | None = None) -> None:
        super().__init__(items)
        self.token = token


def __getattr__(name: str) -> Any:
    """Return the registry's entities, which runs without models do not load."""
    if name == "model_registry":
        return import_module("stepwell.entities.model_registry")
    raise AttributeError(f"module 'stepwell.entities' has no attribute {name!r}")
