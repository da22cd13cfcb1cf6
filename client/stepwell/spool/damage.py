"""What of a spool could not be read: how much, where and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from logging import getLogger

# Kept in words; more is only counted. One takes about 200 bytes.
DAMAGE_KEPT_MAX = 1_000

_log = getLogger("stepwell")


@dataclass(frozen=True, slots=True)
class Damage:
    """Points or entries that cannot be read, and why."""

    count: int
    reason: str


class DamageReport:
    """Damage in the order in which it was found; each place once, however often it is read."""

    def __init__(self, place: str) -> None:
        """`place` is what is damaged, for the log."""
        self.count = 0
        # Of it, what was certainly logged: not what may have been a call that never returned.
        self.lost = 0
        self._place = place
        self._kept: list[Damage] = []
        # Of positions below, all is known.
        self._seen_position = 0

    def __iter__(self) -> Iterator[Damage]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def is_new(self, position: int) -> bool:
        """Tell whether what is found at a position has not been found before."""
        return position >= self._seen_position

    def add(self, position: int, count: int, reason: str, *, certain: bool = True) -> None:
        """Count what cannot be read at a position, unless it was read before; `certain` tells that it was logged."""
        if not self.is_new(position):
            return
        if certain and not self.lost:
            _log.warning("%s is damaged; what can be read goes on. First: %s.", self._place, reason)
        self.count += count
        self.lost += count if certain else 0
        if len(self._kept) < DAMAGE_KEPT_MAX:
            self._kept.append(Damage(count, reason))

    def seen(self, end_position: int) -> None:
        """Note that everything below a position was read."""
        self._seen_position = max(self._seen_position, end_position)

    def forget(self) -> None:
        """Nothing was damaged: somebody else has it all."""
        self.count = self.lost = 0
        self._kept.clear()
