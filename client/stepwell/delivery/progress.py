"""How far one writer's log has come: written by the shipper's thread, waited for by everybody else."""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence

from stepwell.delivery.receipts import Receipt, Rejection
from stepwell.errors import StepwellException

# How long points gather before they are cut into batches, unless somebody waits for them. A cycle takes about 1 ms of
# processor time however little there is to send, so this decides what a training loop that shares the core loses.
LINGER_S = 0.2
# Refusals kept for the receipt; more are only counted. A refusal takes about 200 bytes.
REJECTIONS_KEPT_MAX = 1_000
# Nobody waits longer for a server that cannot be reached: a restart takes less, and what waits is safe on disk.
UNREACHABLE_PATIENCE_S = 5.0
# Who begins to wait then has the server looked for once more: for so long, because gRPC tries again every 5 s.
FRESH_LOOK_S = 6.0
LOOK_S = 0.5


class Delivery:
    """Counts and positions of one writer, behind one lock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._position = 0
        # First and end position and number of records of each batch, oldest first.
        self._on_the_way: deque[tuple[int, int, int]] = deque()
        self._settled = 0
        self._rejected = 0
        self._rejections: list[Rejection] = []
        self._failure: StepwellException | None = None
        self._unreachable_since: float | None = None
        # When the attempt began that was the last to find no server; on the monotonic clock.
        self._looked_in_vain = -math.inf
        self.retries = 0
        # How often the server opened the stream.
        self.openings = 0
        # Whether the server knows the writer, and so the run.
        self.opened = False

    @property
    def position(self) -> int:
        """Everything below is committed or refused."""
        return self._position

    @property
    def failure(self) -> StepwellException | None:
        """Why nothing of this writer can be delivered, if that is so."""
        return self._failure

    @property
    def is_reachable(self) -> bool:
        """Whether the last attempt to reach the server was answered."""
        return self._unreachable_since is None

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

    def sent(self, first_position: int, end_position: int, records: int) -> None:
        """Note that the next batch is on the way."""
        with self._changed:
            self._on_the_way.append((first_position, end_position, records))

    def lost(self) -> None:
        """Note that nothing is on the way any more; it will be sent again."""
        with self._changed:
            self._on_the_way.clear()

    def settled(self, position: int, rejections: Sequence[Rejection] = ()) -> None:
        """Note that the server has decided about everything below `position`."""
        with self._changed:
            self._position = max(self._position, position)
            while self._on_the_way and self._on_the_way[0][1] <= position:
                self._settled += self._on_the_way.popleft()[2]
            if self._on_the_way and self._on_the_way[0][0] < position:
                # A server had its beginning, cut differently. (With arrays in it, this is about right.)
                first, end, records = self._on_the_way.popleft()
                part = records * (position - first) // (end - first)
                self._settled += part
                self._on_the_way.appendleft((position, end, records - part))
            self._rejected += sum(rejection.count for rejection in rejections)
            self._rejections.extend(rejections[: REJECTIONS_KEPT_MAX - len(self._rejections)])
            self._changed.notify_all()

    def reached(self) -> None:
        """Note that the server has opened the stream."""
        with self._changed:
            self.opened = True
            self.openings += 1
            self._unreachable_since = None

    def answered(self) -> None:
        """Note that the server is there, and wants to be asked again later."""
        with self._changed:
            self.retries += 1
            self._unreachable_since = None

    def unreachable(self, since: float | None = None, *, begun: float | None = None) -> None:
        """Note that an attempt to reach the server failed: now, or at some moment on the monotonic clock.

        `begun` is when it began, on the same clock, if it took a while.
        """
        with self._changed:
            self.retries += 1
            now = time.monotonic()
            self._looked_in_vain = now if begun is None else begun
            self._unreachable_since = self._unreachable_since or since or now
            self._changed.notify_all()

    def failed(self, failure: StepwellException) -> None:
        """Note that the server will not take what waits."""
        with self._changed:
            self._failure = failure
            self._on_the_way.clear()
            self._changed.notify_all()

    def wait(self, position: int, timeout_s: float, asked: float | None = None) -> bool:
        """Wait until everything below `position` is decided, or cannot be soon; tells whether it is.

        A server that is away may have come back: it counts as away when an attempt failed that began after it was
        `asked` for, on the monotonic clock; None is now.
        """
        moment = deadline(timeout_s)
        asked = time.monotonic() if asked is None else asked
        with self._changed:
            look_ends = deadline(FRESH_LOOK_S)
            while self._position < position and (left := remaining_s(moment)):
                has_looked = self._looked_in_vain >= asked or not remaining_s(look_ends)
                is_hopeless = has_looked and self.is_unreachable_for(UNREACHABLE_PATIENCE_S)
                if self._failure is not None or is_hopeless:
                    break
                self._changed.wait(min(left, self._patience_s()))
            return self._position >= position

    def receipt(
        self, end_position: int, extra_points: int = 0, dropped: int = 0, damaged: int = 0
    ) -> Receipt:
        """Return the state of everything below `end_position`.

        `extra_points` is by how much the logged points and entries exceed the positions.
        """
        with self._changed:
            left = max(end_position + extra_points - self._settled - dropped - damaged, 1)
            return Receipt(
                sent=self._settled + sum(records for *_, records in self._on_the_way),
                committed=self._settled - self._rejected,
                rejected=self._rejected,
                waiting=left if self._position < end_position else 0,
                dropped=dropped,
                damaged=damaged,
                rejections=tuple(self._rejections),
            )

    def is_unreachable_for(self, seconds: float) -> bool:
        """Tell whether the server has been away for so long."""
        since = self._unreachable_since
        return since is not None and time.monotonic() - since >= seconds

    def _patience_s(self) -> float:
        """How long it takes at least until nobody waits for the server any more; then a look now and then. Seconds."""
        since = self._unreachable_since
        left = remaining_s(UNREACHABLE_PATIENCE_S + (time.monotonic() if since is None else since))
        return left or LOOK_S


def deadline(timeout_s: float) -> float:
    """Return the moment on the monotonic clock at which `timeout_s` will be over."""
    return time.monotonic() + timeout_s


def remaining_s(moment: float) -> float:
    """Return how many seconds are left until a moment on the monotonic clock, at least 0."""
    return max(moment - time.monotonic(), 0.0)
