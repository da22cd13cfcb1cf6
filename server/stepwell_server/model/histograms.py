"""The values of histograms. No I/O, no clock here."""

from collections.abc import Sequence
from dataclasses import dataclass

HISTOGRAM_BINS_MAX = 512
# Of one answer. 1,000 of 512 bins are 8 MiB at their longest, so that an answer also ends at a number of bins.
HISTOGRAMS_READ_MAX = 1_000
HISTOGRAMS_READ_DEFAULT = 100
BINS_READ_MAX = 200_000
HISTOGRAM_NAMES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class HistogramEntry:
    """How values were distributed at a step, at a position of the writer's log. See ingest.proto."""

    position: int
    key: str
    step: int
    timestamp_ms: int
    edges: Sequence[float]
    counts: Sequence[int]
    not_finite: int


@dataclass(frozen=True, slots=True)
class HistogramName:
    """What there is of one name: so many steps, from one to another."""

    key: str
    steps: int
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True)
class HistogramsWanted:
    """Which histograms: of a name, of some steps (both ends included), so many at most, evenly over the steps."""

    key: str
    step_from: int
    step_to: int
    limit: int
