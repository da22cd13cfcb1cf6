"""A batch on its way to the commit, and what it weighs."""

import asyncio
import time
from dataclasses import dataclass, field
from sys import getsizeof
from typing import assert_never

from stepwell_server.model.alerts import AlertEntry
from stepwell_server.model.histograms import HistogramEntry
from stepwell_server.model.ingest import (
    Batch,
    ConsoleEntry,
    Entry,
    InputEntry,
    ModelPointEntry,
    Outcome,
    ParamEntry,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
)
from stepwell_server.model.runs import DatasetInput
from stepwell_server.process.telemetry import LAG_SECONDS

# A point is a step, a time and a value; a batch costs some objects beside that.
POINT_BYTES = 24
BATCH_BYTES = 512
ENTRY_BYTES = 200
# Of a list of numbers.
NUMBER_BYTES = 32


def batch_bytes(batch: Batch) -> int:
    """What a batch takes of the queue's memory, in bytes."""
    contents = sum(map(_content_bytes, batch.entries))
    return BATCH_BYTES + POINT_BYTES * len(batch.points) + ENTRY_BYTES * len(batch.entries) + contents


def _content_bytes(entry: Entry) -> int:
    match entry:
        case ParamEntry(_, key, value) | TagEntry(_, key, value):
            return _text_bytes(key, value)
        case TagRemovalEntry(_, key):
            return _text_bytes(key)
        case InputEntry(_, DatasetInput(dataset, tags)):
            return _text_bytes(dataset.source, dataset.schema, dataset.profile, *tags, *tags.values())
        case ModelPointEntry(_, _, key, dataset_name=name, dataset_digest=digest):
            return _text_bytes(key, name, digest)
        case ConsoleEntry(_, _, _, text):
            return _text_bytes(text)
        case AlertEntry(_, title, text):
            return _text_bytes(title, text)
        case HistogramEntry():
            return _text_bytes(entry.key) + NUMBER_BYTES * (len(entry.edges) + len(entry.counts))
        case StatusEntry():
            return 0
        case _:
            assert_never(entry)


def _text_bytes(*texts: str) -> int:
    return sum(map(getsizeof, texts))  # characters take one byte to four


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
