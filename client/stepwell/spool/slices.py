"""A piece of a log as it is read: points in columns, entries and arrays beside them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stepwell.spool.arrays import ArrayPoints

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class Slice:
    """A piece [first_position, end_position) of the log.

    `more` tells that it ends at a limit: more is there already. Points are in columns of shape (n,): `numbers` (of
    metric names), `steps`, `timestamps_ms`, `values`. Beside them the entries (encoded `Entry` messages) with their
    positions, and the arrays. `dropped` positions had their file no more; of the others, so many points and entries are
    `damaged`.
    """

    first_position: int
    end_position: int
    more: bool
    numbers: "NDArray[Any]"
    steps: "NDArray[Any]"
    timestamps_ms: "NDArray[Any]"
    values: "NDArray[Any]"
    entries: list[tuple[int, bytes]] = field(default_factory=list)
    arrays: list[ArrayPoints] = field(default_factory=list)
    dropped: int = 0
    damaged: int = 0

    @property
    def points(self) -> int:
        """How many points are in it."""
        return len(self.numbers) + sum(map(len, self.arrays))

    def __len__(self) -> int:
        return self.points + len(self.entries)

    def join(self, following: "Slice") -> None:
        """Take over the piece that begins where this one ends."""
        import numpy as np

        for column in ("numbers", "steps", "timestamps_ms", "values"):
            setattr(self, column, np.concatenate([getattr(self, column), getattr(following, column)]))
        self.entries += following.entries
        self.arrays += following.arrays
        self.dropped += following.dropped
        self.damaged += following.damaged
        self.end_position, self.more = following.end_position, following.more
