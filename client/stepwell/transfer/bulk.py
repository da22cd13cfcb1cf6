"""Columns to the server: what follows what the writer has committed before, in as few messages as possible."""

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from stepwell.errors import StepwellException
from stepwell.transfer.sources import PointColumns
from stepwell.wire import background
from stepwell.wire.connection import CALL_TIMEOUT_S, Connection
from stepwell_api.v1 import ingest_pb2, runs_pb2

# Points of one message: at most 26 bytes each, so 5 MB of the 8 MB that a server takes.
MESSAGE_POINTS_MAX = 200_000
# And of params and tags: half of what a server takes.
MESSAGE_BYTES_MAX = 4 << 20
# Messages whose commit nobody has waited for yet.
MESSAGES_ON_THE_WAY_MAX = 4


class BulkWriter:
    """One stream of one writer. Use as a context; leaving it without an error waits for the last commit.

    `position`: where the writer's log ends, which is not 0 when it wrote before.
    """

    def __init__(self, connection: Connection, spec: runs_pb2.RunSpec, writer_id: str) -> None:
        self._connection = connection
        self._open = ingest_pb2.OpenWriter(
            run=spec, writer_id=writer_id, host=socket.gethostname(), process_id=os.getpid()
        )
        self._keys: dict[str, int] = {}
        self._on_the_way = 0
        self.position = 0
        self.rejected: list[ingest_pb2.Rejected] = []

    def __enter__(self) -> "BulkWriter":
        self.position = background.run(self._begin)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if error is None:
                background.run(self._finish)
        finally:
            background.call_soon(self._call.cancel)

    def write_points(self, points: PointColumns) -> int:
        """Send the next points; returns how many they are."""
        for start in range(0, len(points), MESSAGE_POINTS_MAX):
            end = min(start + MESSAGE_POINTS_MAX, len(points))
            self._deliver(self._batch(points, start, end, self.position))
            self.position += end - start
        return len(points)

    def write_entries(self, entries: Sequence[ingest_pb2.Entry]) -> None:
        """Send params, tags and a status, which take the next positions."""
        for some in _cut(entries):
            first, self.position = self.position, self.position + len(some)
            for position, entry in enumerate(some, first):
                entry.position = position
            self._deliver(ingest_pb2.Batch(first_position=first, end_position=self.position, entries=some))

    def _deliver(self, batch: ingest_pb2.Batch) -> None:
        background.run(lambda: self._send(batch))

    def _batch(self, points: PointColumns, start: int, end: int, position: int) -> ingest_pb2.Batch:
        """The points [start, end) as a message, by metric: it is committed whole, so their order in it is free."""
        batch = ingest_pb2.Batch(first_position=position, end_position=position + end - start)
        numbers = [self._number(key, batch) for key in points.keys]
        number = np.repeat(numbers, points.counts)[start:end]
        order = np.argsort(number, kind="stable")
        keys, counts = np.unique(number, return_counts=True)
        batch.points.key.extend(keys.tolist())
        batch.points.count.extend(counts.tolist())
        batch.points.step.extend(points.steps[start:end][order].tolist())
        batch.points.timestamp_ms.extend(points.timestamps[start:end][order].tolist())
        batch.points.value.extend(points.values[start:end][order].tolist())
        return batch

    def _number(self, key: str, batch: ingest_pb2.Batch) -> int:
        if key not in self._keys:
            self._keys[key] = len(self._keys)
            batch.new_keys.append(key)
        return self._keys[key]

    async def _begin(self) -> int:
        await self._connection.reach(CALL_TIMEOUT_S)
        self._call: Any = self._connection.ingest.Stream()
        await self._call.write(ingest_pb2.StreamRequest(open=self._open))
        answer = await self._read()
        return int(answer.opened.committed_position)

    async def _send(self, batch: ingest_pb2.Batch) -> None:
        while self._on_the_way >= MESSAGES_ON_THE_WAY_MAX:
            await self._hear()
        self._on_the_way += 1
        self._sent = batch.end_position
        await self._call.write(ingest_pb2.StreamRequest(batch=batch))

    async def _finish(self) -> None:
        while self._on_the_way:
            await self._hear()
        await self._call.done_writing()

    async def _hear(self) -> None:
        """Take one acknowledgement, which may be for several messages."""
        answer = await self._read()
        if answer.WhichOneof("message") != "committed":
            raise StepwellException(
                "Another import writes the same run; let it finish, and start again.", "INVALID_STATE"
            )
        self.rejected += answer.committed.rejected
        self._on_the_way = 0 if answer.committed.position >= self._sent else max(1, self._on_the_way - 1)

    async def _read(self) -> ingest_pb2.StreamResponse:
        answer: ingest_pb2.StreamResponse = await self._connection.answer(self._call.read(), CALL_TIMEOUT_S)
        return answer


def _cut(entries: Sequence[ingest_pb2.Entry]) -> Iterator[list[ingest_pb2.Entry]]:
    """Cut entries to messages."""
    some: list[ingest_pb2.Entry] = []
    free = MESSAGE_BYTES_MAX
    for entry in entries:
        free -= entry.ByteSize()
        if some and free < 0:
            yield some
            some, free = [], MESSAGE_BYTES_MAX - entry.ByteSize()
        some.append(entry)
    if some:
        yield some


def entries(
    params: Iterable[tuple[str, str]], tags: Iterable[tuple[str, str]], status: int, end_time_ms: int | None
) -> list[ingest_pb2.Entry]:
    """Return what a run has beside points as messages; the status comes last."""
    return [
        *(ingest_pb2.Entry(param=runs_pb2.Param(key=key, value=value)) for key, value in params),
        *(ingest_pb2.Entry(tag=runs_pb2.Tag(key=key, value=value)) for key, value in tags),
        ingest_pb2.Entry(
            status=ingest_pb2.StatusChange(
                status=runs_pb2.RunStatus.ValueType(status), end_time_ms=end_time_ms
            )
        ),
    ]
