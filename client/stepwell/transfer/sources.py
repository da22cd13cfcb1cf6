"""What an import brings: runs with all that they logged, from wherever they are."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stepwell.entities import Alert, DatasetInput, Histogram, Metric
from stepwell.entities.model_registry import RegistryChange
from stepwell.files.local import LocalFile
from stepwell.transfer.left import Left


@dataclass(frozen=True, slots=True, eq=False)
class PointColumns:
    """Points of several metrics in columns: series i is metric `keys[i]` and owns the next `counts[i]` points.

    A metric may occur more than once.
    """

    keys: list[str]
    counts: list[int]
    steps: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)


# Artifacts of a run, some at a time: the files are there until the next ones are asked for. Given is what the run has
# here already, sizes in bytes by path; a source that has to fetch files may pass over those.
ArtifactFiles = Callable[[Mapping[str, int]], Iterator[Sequence[LocalFile]]]


class SourceError(Exception):
    """Something of a source cannot be had; the message says what, where and why. The rest can."""


def no_artifacts(_: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
    """Yield nothing: the artifacts of a run without any."""
    return iter(())


def no_histograms() -> Iterator[Sequence[Histogram]]:
    """Yield nothing: the histograms of a run without any."""
    return iter(())


@dataclass(frozen=True, slots=True)
class ImportedExperiment:
    """An experiment of a source."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run of a source.

    `source_id` says where it really comes from, and never changes: two runs that are not the same never have the same
    one, whatever they are called. `known_as` are those that earlier versions gave it, which others may have, too.
    `points` yields its points, in any order; those of neighbouring steps or times had better come together, as those of
    `histograms`. They and `artifacts` may raise SourceError; what they pass over goes to the source's `left`.
    """

    source_id: str
    experiment: str
    name: str
    status: str
    start_time_ms: int
    end_time_ms: int | None
    points: Callable[[], Iterator[PointColumns]]
    user: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[DatasetInput] = ()
    artifacts: ArtifactFiles = no_artifacts
    known_as: Sequence[str] = ()
    histograms: Callable[[], Iterator[Sequence[Histogram]]] = no_histograms
    alerts: Sequence[Alert] = ()


@dataclass(frozen=True, slots=True)
class ModelOfRun:
    """That a run, by its source id, made a model, at a step."""

    run: str
    step: int


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A logged model of a source. Runs are named by their source ids; `source_run` is "" for none.

    `metrics` have the source id of their run, in any order.
    """

    source_id: str
    experiment: str
    name: str
    model_type: str
    source_run: str
    status: str
    created_ms: int
    status_message: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[Metric] = ()
    outputs: Sequence[ModelOfRun] = ()
    inputs: Sequence[str] = ()
    artifacts: ArtifactFiles = no_artifacts


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """A version of a registered model. `run` is the source id of its run, "" for none; `source` as it stands there.

    `user` created it, "" when the source does not say.
    """

    version: int
    source: str
    run: str = ""
    stage: str = ""
    description: str = ""
    run_link: str = ""
    created_ms: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    user: str = ""


@dataclass(frozen=True, slots=True)
class ImportedRegistered:
    """A registered model of a source, with the versions that are not deleted, and what changed, the oldest first."""

    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    versions: Sequence[ImportedVersion] = ()
    custom_stages: Sequence[str] = ()
    created_ms: int = 0
    history: Sequence[RegistryChange] = ()


class Source(Protocol):
    """Where runs come from; `left` is what could not be read so far."""

    left: Left

    def experiments(self) -> Iterator[ImportedExperiment]:
        """Yield the experiments, also those without runs."""
        ...

    def runs(self) -> Iterator[ImportedRun]:
        """Yield the runs."""
        ...

    def models(self) -> Iterator[ImportedModel]:
        """Yield the logged models, behind the runs."""
        ...

    def registered(self) -> Iterator[ImportedRegistered]:
        """Yield the registered models, behind the logged ones."""
        ...

    def not_taken(self) -> Iterator[str]:
        """Yield, one by one, what the source has that Stepwell has no place for."""
        ...


def as_run_id(source_id: str) -> str | None:
    """Return an id of a source as one of ours, 32 hexadecimal digits; None when it is no UUID."""
    try:
        return uuid.UUID(hex=source_id).hex
    except ValueError:
        return None


def columns(rows: Sequence[tuple[str, int, int, float]]) -> PointColumns:
    """Return rows of (key, step, timestamp, value) as columns, in their order: positions are counted in it."""
    stretches = [(key, len(list(of_key))) for key, of_key in groupby(rows, itemgetter(0))]
    return PointColumns(
        keys=[key for key, _ in stretches],
        counts=[count for _, count in stretches],
        steps=np.array([row[1] for row in rows], np.int64),
        timestamps=np.array([row[2] for row in rows], np.int64),
        values=np.array([row[3] for row in rows], np.float64),
    )
