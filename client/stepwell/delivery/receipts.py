"""What became of what was logged."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """Entries that the server refused; they are not stored and were not sent again."""

    key: str
    count: int
    error_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one process logged to one run since it opened it, or to all its runs since it began.

    Counts are points of metrics and other entries (params, tags, changes of status) together:
    sent = committed + rejected + on the way; `waiting` were not committed when the receipt was made, and stay in the
    spool; `dropped` went because the spool was full (STEPWELL_SPOOL_FULL=drop_oldest); `damaged` could not be read from
    it any more, because its files do not say what was written (a fault of the disk or the memory).

    What the process leaves to others (offline, as a forked child, or because the server will not take it) does not
    count any more when the run has ended. Where more runs end than it may have open while the server is away, their
    entries are among `waiting` until they are stored, and then no more.
    """

    sent: int = 0
    committed: int = 0
    rejected: int = 0
    waiting: int = 0
    dropped: int = 0
    damaged: int = 0
    # The first refusals, at most delivery.REJECTIONS_KEPT_MAX of each run, and of all together that have ended.
    rejections: tuple[Rejection, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all that was logged is stored: nothing waits, was refused, dropped or damaged."""
        return not (self.waiting or self.rejected or self.dropped or self.damaged)

    def __add__(self, other: "Receipt") -> "Receipt":
        return Receipt(
            self.sent + other.sent,
            self.committed + other.committed,
            self.rejected + other.rejected,
            self.waiting + other.waiting,
            self.dropped + other.dropped,
            self.damaged + other.damaged,
            self.rejections + other.rejections,
        )


class PendingWrite:
    """What a log call with synchronous=False returns; waiting for it is optional."""

    def __init__(self, settle: Callable[[float | None], None]) -> None:
        self._settle = settle

    def wait(self, timeout: float | None = None) -> None:
        """Return when it is committed.

        Args:
            timeout: seconds; None means STEPWELL_FLUSH_TIMEOUT_S.

        Raises:
            StepwellException: the server refused it, or TEMPORARILY_UNAVAILABLE when the time was up.
        """
        self._settle(timeout)
