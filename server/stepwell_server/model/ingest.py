"""The values of ingest: who writes, what a batch carries, and what became of it. No I/O, no clock here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

import numpy as np

from stepwell_server.model.alerts import AlertEntry
from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.histograms import HistogramEntry
from stepwell_server.model.runs import DatasetInput, RunStatus


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
class OpenedWriter:
    """How a writer stands that was opened: everything of its log below `position` is committed.

    `secret_checked`: it has had the secret that was shown since it began. `binds`: it was there without a secret.
    """

    position: int
    secret_checked: bool = False
    binds: bool = False


@dataclass(frozen=True, slots=True)
class Opener:
    """Who opens a writer: only that account goes on with it, or one that `manages` its experiment. 0: no account."""

    account_id: int = 0
    manages: bool = False


@dataclass(frozen=True, slots=True)
class AwaitedWriter:
    """A process that said, when it created a run, that it would open a stream."""

    host: str
    process_id: int
    rank: int | None


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run that was RUNNING although all its writers were gone; of the writers, the one that was heard of last.

    `came` is False when there was none: the process that created the run never opened its stream.
    """

    run_id: UUID
    host: str
    process_id: int
    rank: int | None
    heard_time_ms: int
    came: bool = True


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
class TagRemovalEntry:
    """The removal of a tag at a position of the writer's log."""

    position: int
    key: str


@dataclass(frozen=True, slots=True)
class InputEntry:
    """A data set that the run used, at a position of the writer's log."""

    position: int
    used: DatasetInput


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """A change of the run's status at a position of the writer's log."""

    position: int
    status: RunStatus
    end_time_ms: int | None


@dataclass(frozen=True, slots=True)
class ModelPointEntry:
    """That a point of the run says something of a model, at a position of the writer's log."""

    position: int
    model_id: UUID
    key: str
    value: float
    step: int
    timestamp_ms: int
    dataset_name: str = ""
    dataset_digest: str = ""


class ConsoleStream(IntEnum):
    """Where a process writes lines."""

    OUTPUT = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class ConsoleEntry:
    """Lines that the process wrote, at a position of the writer's log; `left_out` before them were too many."""

    position: int
    stream: ConsoleStream
    timestamp_ms: int
    text: str
    left_out: int


Entry = (
    ParamEntry
    | TagEntry
    | TagRemovalEntry
    | InputEntry
    | StatusEntry
    | ModelPointEntry
    | ConsoleEntry
    | HistogramEntry
    | AlertEntry
)


@dataclass(frozen=True, slots=True)
class Call:
    """What tells a call of its own (not one of a stream) from the others of its run, so that a repeat is known.

    Of a repeat the points are not stored again; with `named`, because the caller gave the call a name, nothing is.
    """

    call_id: UUID
    named: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """Entries that were refused, with the reason; they are not stored and not to be sent again."""

    position: int
    count: int
    key: str
    error_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A piece [first_position, end_position) of one writer's log. That of a `call` is stored whole or not at all.

    `refused` was taken out of it before; what was `lost` before it came is kept with what is refused, and not told to
    who lost it.
    """

    run_id: UUID
    writer_id: UUID
    first_position: int
    end_position: int
    points: Points
    entries: Sequence[Entry]
    call: Call | None = None
    refused: Sequence[Rejection] = ()
    lost: Sequence[Rejection] = ()


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
