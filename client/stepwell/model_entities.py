"""Logged models as the client hands them out, with MLflow's attribute names. `stepwell.entities` has them too."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

MODEL_URI_PREFIX = "models:/"


class LoggedModelStatus(StrEnum):
    """Whether a model is complete."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"

    @staticmethod
    def is_finalized(status: "LoggedModelStatus | str") -> bool:
        """Tell whether a model of this status will not change any more."""
        return LoggedModelStatus(status) in (LoggedModelStatus.READY, LoggedModelStatus.FAILED)


class _Fields:
    """Fields that can be read as a dict."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for item in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            yield item.name, getattr(self, item.name)

    def to_dictionary(self) -> dict[str, Any]:
        """Return the fields."""
        return dict(self)


@dataclass
class LoggedModelInput(_Fields):
    """A model that a run used."""

    model_id: str


@dataclass
class LoggedModelOutput(_Fields):
    """A model that a run made, at a step of its training."""

    model_id: str
    step: int = 0


@dataclass
class LoggedModel(_Fields):
    """A model as the server had it when it was read. Times are milliseconds since the epoch.

    `metrics` has the latest point of each metric, run and data set that measured it.
    """

    experiment_id: str
    model_id: str
    name: str
    artifact_location: str
    creation_timestamp: int
    last_updated_timestamp: int
    model_type: str | None = None
    source_run_id: str | None = None
    status: LoggedModelStatus = LoggedModelStatus.READY
    status_message: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[Any] = field(default_factory=list)

    def to_dictionary(self) -> dict[str, Any]:
        """Return the fields; the metrics become dicts as well."""
        return {
            **dict(self),
            "status": str(self.status),
            "metrics": [dict(metric) for metric in self.metrics],
        }

    @property
    def model_uri(self) -> str:
        """What load_model and download_artifacts take for it."""
        return f"{MODEL_URI_PREFIX}{self.model_id}"
