"""What an import brings: runs with all that they logged, from wherever they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run of a source.

    `source_id` names it there and never changes. `points` yields its points, always in the same order, new ones last:
    so an import that is repeated goes on where it stopped.
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


class Source(Protocol):
    """Where runs come from."""

    def runs(self) -> Iterator[ImportedRun]:
        """Yield the runs."""
        ...


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
