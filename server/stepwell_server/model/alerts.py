"""The values of alerts. No I/O, no clock here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

ALERT_TITLE_CHARS_MAX = 250
ALERT_TEXT_CHARS_MAX = 10_000
ALERTS_PER_RUN_MAX = 1_000
ALERTS_READ_MAX = 1_000
ALERTS_READ_DEFAULT = 100
# Of one answer: 100 of the longest, which take 40 kB each.
ALERTS_READ_CHARS_MAX = 1_000_000


class AlertLevel(IntEnum):
    """How urgent an alert is."""

    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """What people should know, at a position of the writer's log; of what is imported they knew elsewhere."""

    position: int
    title: str
    text: str
    level: AlertLevel
    timestamp_ms: int
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is stored; numbers are those of the registry's changes, in the order of the commits."""

    number: int
    run_id: UUID
    run_name: str
    experiment_id: int
    experiment_name: str
    title: str
    text: str
    level: AlertLevel
    time_ms: int


@dataclass(frozen=True, slots=True)
class AlertsWanted:
    """Which alerts: of a run (None: all), of some experiments (none: all), before a number, of a level or above."""

    run_id: UUID | None
    experiment_ids: Sequence[int]
    before_number: int
    level: AlertLevel
    limit: int
