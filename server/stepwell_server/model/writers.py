"""Who writes to a run, and what these processes printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.model.ingest import AwaitedWriter, ConsoleEntry


@dataclass(frozen=True, slots=True)
class WriterState:
    """How a process that logs, or logged, to a run stands; times in milliseconds since the epoch."""

    writer_id: UUID
    rank: int | None
    host: str
    process_id: int
    opened_time_ms: int
    committed_time_ms: int
    position: int
    is_alive: bool
    is_silent: bool
    seen_time_ms: int | None
    hidden_from_step: int | None
    hidden_points_max: int


@dataclass(frozen=True, slots=True)
class WritersOfRun:
    """The first writers of a run, by rank and time, how many there are, and who will open a stream any moment."""

    first: Sequence[WriterState]
    count: int
    awaited: AwaitedWriter | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A kind of points or entries that were refused of a writer: how many, and why the last one was.

    Without key and code: kinds that were too many to tell apart. Times in milliseconds since the epoch.
    """

    writer_id: UUID
    rank: int | None
    host: str
    key: str
    error_code: str
    reason: str
    count: int
    first_time_ms: int
    last_time_ms: int


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """Where a piece of a console stands among those of its run: they are in this order."""

    timestamp_ms: int
    writer_id: UUID
    position: int


@dataclass(frozen=True, slots=True)
class ConsolePiece:
    """Lines of one writer."""

    writer_id: UUID
    rank: int | None
    lines: ConsoleEntry
