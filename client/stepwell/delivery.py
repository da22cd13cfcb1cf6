"""How far one writer's log has come: written by the shipper's thread, waited for by everybody else."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from stepwell.errors import StepwellException
from stepwell.receipts import Receipt, Rejection

# Refusals kept for the receipt; more are only counted. A refusal takes about 200 bytes.
REJECTIONS_KEPT_MAX = 1_000


class Delivery:
    """Counts and positions of one writer, behind one lock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._position = 0
        # End position and number of records of each batch, oldest first.
        self._on_the_way: deque[tuple[int, int]] = deque()
        self._settled = 0
        self._rejected = 0
        self._rejections: list[Rejection] = []
        self._failure: StepwellException | None = None

    @property
    def position(self) -> int:
        """Everything below is committed or refused."""
        return self._position

    @property
    def failure(self) -> StepwellException | None:
        """Why nothing of this writer can ever be delivered again, if that is so."""
        return self._failure

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """The first refusals, in order."""
        return tuple(self._rejections)

    def has_rejected(self, key: str) -> bool:
        """Tell whether anything of this name is among the first refusals."""
        return any(rejection.key == key for rejection in self.rejections)

    @property
    def batches_on_the_way(self) -> int:
        """How many batches wait for their commit."""
        return len(self._on_the_way)

    def sent(self, end_position: int, records: int) -> None:
        """Note that the next batch is on the way."""
        with self._changed:
            self._on_the_way.append((end_position, records))

    def lost(self) -> None:
        """Note that nothing is on the way any more; it will be sent again."""
        with self._changed:
            self._on_the_way.clear()

    def settled(self, position: int, rejections: Sequence[Rejection] = ()) -> None:
        """Note that the server has decided about everything below `position`."""
        with self._changed:
            self._position = max(self._position, position)
            while self._on_the_way and self._on_the_way[0][0] <= position:
                self._settled += self._on_the_way.popleft()[1]
            self._reject(rejections)
            self._changed.notify_all()

    def failed(self, failure: StepwellException, end_position: int) -> None:
        """Note that the server will take nothing of this writer: all that waits below `end_position` is refused."""
        with self._changed:
            waiting = max(end_position - self._position, 0)
            self._failure = failure
            self._on_the_way.clear()
            self._position = max(self._position, end_position)
            self._settled += waiting
            if waiting:
                self._reject([Rejection("", waiting, failure.error_code, failure.message)])
            self._changed.notify_all()

    def wait(self, position: int, timeout_s: float) -> bool:
        """Wait until everything below `position` is decided; tells whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._position >= position, timeout_s)

    def receipt(self, end_position: int) -> Receipt:
        """Return the state of everything below `end_position`."""
        with self._changed:
            return Receipt(
                sent=self._settled + sum(records for _, records in self._on_the_way),
                committed=self._settled - self._rejected,
                rejected=self._rejected,
                waiting=max(end_position - self._position, 0),
                rejections=tuple(self._rejections),
            )

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        self._rejected += sum(rejection.count for rejection in rejections)
        room = REJECTIONS_KEPT_MAX - len(self._rejections)
        self._rejections.extend(rejections[:room])


def deadline(timeout_s: float) -> float:
    """Return the moment on the monotonic clock at which `timeout_s` will be over."""
    return time.monotonic() + timeout_s


def remaining_s(moment: float) -> float:
    """Return how many seconds are left until a moment on the monotonic clock, at least 0."""
    return max(moment - time.monotonic(), 0.0)
