"""A batch on its way to the commit, and what it weighs."""

import asyncio
import time
from dataclasses import dataclass, field

from stepwell_server.model.ingest import Batch, Entry, InputEntry, Outcome, ParamEntry, TagEntry
from stepwell_server.process.telemetry import LAG_SECONDS

# A point is a step, a time and a value; a batch costs some objects beside that.
POINT_BYTES = 24
BATCH_BYTES = 512
ENTRY_BYTES = 200


def batch_bytes(batch: Batch) -> int:
    """What a batch takes of the queue's memory, in bytes."""
    texts = sum(map(_text_bytes, batch.entries))
    return BATCH_BYTES + POINT_BYTES * len(batch.points) + ENTRY_BYTES * len(batch.entries) + texts


def _text_bytes(entry: Entry) -> int:
    match entry:
        case ParamEntry(_, key, value) | TagEntry(_, key, value):
            return len(key) + len(value)
        case InputEntry(_, used):
            return len(used.dataset.source) + len(used.dataset.schema) + len(used.dataset.profile)
    return 0


@dataclass(slots=True, eq=False)
class Waiting:
    """A batch in the queue and the one who waits for it."""

    batch: Batch
    size: int
    arrived_s: float = field(default_factory=time.monotonic)
    settled: asyncio.Future[Outcome] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, outcome: Outcome | BaseException) -> None:
        """Hand over the outcome, unless nobody waits any more."""
        LAG_SECONDS.observe(time.monotonic() - self.arrived_s)
        if self.settled.done():
            return
        if isinstance(outcome, BaseException):
            self.settled.set_exception(outcome)
            self.settled.exception()  # marks it as seen: the stream may be gone
        else:
            self.settled.set_result(outcome)
