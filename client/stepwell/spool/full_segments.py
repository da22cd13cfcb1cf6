"""Which segments of a spool are full: those before the one in use, however many wait for a server that is away."""

from collections import deque


class FullSegments:
    """Segments that follow each other, oldest first, in runs of equal size: a few numbers, not one for each file."""

    def __init__(self) -> None:
        self._oldest_position = 0
        # Records of each segment, and how many such segments follow each other.
        self._runs: deque[tuple[int, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def append(self, records: int) -> None:
        """Add the next segment; it begins where the last one ends."""
        count = 1
        if self._runs and self._runs[-1][0] == records:
            count += self._runs.pop()[1]
        self._runs.append((records, count))

    @property
    def oldest(self) -> tuple[int, int]:
        """First position and number of records of the oldest one; IndexError when there is none."""
        return self._oldest_position, self._runs[0][0]

    def pop_oldest(self) -> tuple[int, int]:
        """Take the oldest one away and return it, as `oldest`."""
        first_position, records = self.oldest
        _, count = self._runs.popleft()
        if count > 1:
            self._runs.appendleft((records, count - 1))
        self._oldest_position += records
        return first_position, records
