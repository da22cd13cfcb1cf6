"""Writers as any client could be: raw ingest streams, batches cut from numpy columns, each with its lag."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import grpc.aio
import numpy as np

from stepwell_api.v1 import ingest_pb2, runs_pb2
from stepwell_server.store.ingest.writer import LANES

# Batches of a writer that wait for their acknowledgement, at most: as many as the server takes from one stream.
UNDER_WAY_MAX = 16
_OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


@dataclass(frozen=True, slots=True)
class Shape:
    """A batch: so many metrics with so many points each; `kind` is float32 or float64, for the values."""

    metrics: int
    points: int
    kind: str = "float32"

    def __len__(self) -> int:
        return self.metrics * self.points


@dataclass(slots=True)
class Lags:
    """Seconds from the time of a batch's first point to its acknowledgement."""

    seconds: list[float] = field(default_factory=list)

    def report(self) -> dict[str, float]:
        """Return the median, the 99th percentile and the greatest, in milliseconds."""
        found = np.array(self.seconds) * 1_000
        return {
            "lag_p50_ms": round(float(np.percentile(found, 50)), 1),
            "lag_p99_ms": round(float(np.percentile(found, 99)), 1),
            "lag_max_ms": round(float(found.max()), 1),
        }


class RawWriter:
    """One writer of one run, on a connection of its own."""

    def __init__(
        self, channel: grpc.aio.Channel, shape: Shape, lags: Lags, seed: int, run_id: str, under_way_max: int
    ) -> None:
        self._call = channel.stream_stream(
            "/stepwell_api.v1.IngestService/Stream",
            request_serializer=bytes,
            response_deserializer=ingest_pb2.StreamResponse.FromString,
        )()
        self._shape, self._lags, self._run_id = shape, lags, run_id
        self._random = np.random.default_rng(seed)
        self._step = 0
        self.position = 0
        self.committed = 0
        self._born: list[tuple[int, float]] = []
        self._room = asyncio.Semaphore(under_way_max)

    async def open(self) -> None:
        """Create the run and the writer."""
        run = runs_pb2.RunSpec(
            run_id=self._run_id, experiment_id=0, name="benchmark", start_time_ms=int(time.time() * 1000)
        )
        opening = ingest_pb2.OpenWriter(run=run, writer_id=uuid4().hex)
        await self._call.write(ingest_pb2.StreamRequest(open=opening).SerializeToString())
        await self._call.read()
        self._reader = asyncio.create_task(self._read())

    async def send(self, born: float | None = None) -> None:
        """Send one batch, waiting while too many are under way; `born` is the time of its first point."""
        await self._room.acquire()
        self._raise_if_broken()
        born = time.monotonic() if born is None else born
        request = self.request()
        self._born.append((self.position, born))
        await self._call.write(request)

    def request(self) -> bytes:
        """The next batch: noise at 1 kHz."""
        shape, count = self._shape, len(self._shape)
        first, self.position = self.position, self.position + count
        first_step, self._step = self._step, self._step + shape.points
        return batch_request(shape, first, first_step, self._random, named=first == 0)

    async def _read(self) -> None:
        try:
            while (answer := await self._call.read()) is not grpc.aio.EOF:
                assert answer.WhichOneof("message") == "committed", answer
                now = time.monotonic()
                self.committed = answer.committed.position
                while self._born and self._born[0][0] <= self.committed:
                    self._lags.seconds.append(now - self._born.pop(0)[1])
                    self._room.release()
        finally:
            self._room.release()  # who waits for room must see that there will be none

    def _raise_if_broken(self) -> None:
        if self._reader.done():
            self._reader.result()

    async def settled(self) -> None:
        """Wait until everything that was sent is committed."""
        while self.committed < self.position:
            self._raise_if_broken()
            await asyncio.sleep(0.001)

    async def close(self) -> None:
        """Wait until everything is committed."""
        await self._call.done_writing()
        await self._reader
        assert self.committed == self.position, (self.committed, self.position)


def batch_request(
    shape: Shape, first_position: int, first_step: int, random: np.random.Generator, *, named: bool
) -> bytes:
    """Return the message of a batch of noise at 1 kHz; `named` with the names of its metrics, as a stream's first."""
    count = len(shape)
    values = random.standard_normal(count)
    if shape.kind == "float32":
        values = values.astype(np.float32).astype(np.float64)
    batch = ingest_pb2.Batch(first_position=first_position, end_position=first_position + count)
    if named:
        batch.new_keys.extend(f"metric_{number}" for number in range(shape.metrics))
    steps = np.tile(np.arange(first_step, first_step + shape.points), shape.metrics)
    columns = ingest_pb2.PointColumns(
        key=range(shape.metrics),
        count=[shape.points] * shape.metrics,
        step=steps.tobytes(),
        timestamp_ms=(1_700_000_000_000 + steps).tobytes(),
        value=values.tobytes(),
    )
    batch.points.MergeFromString(columns.SerializeToString())
    return ingest_pb2.StreamRequest(batch=batch).SerializeToString()


@asynccontextmanager
async def writers(
    target: str,
    count: int,
    shape: Shape,
    lags: Lags,
    *,
    one_run: bool = False,
    seed: int = 0,
    under_way_max: int = UNDER_WAY_MAX,
) -> AsyncIterator[list[RawWriter]]:
    """Open so many writers, each with its own connection (and run); wait for their commits at the end."""
    channels = [grpc.aio.insecure_channel(target, _OWN_CONNECTION) for _ in range(count)]
    shared = uuid4().hex
    try:
        opened = [
            RawWriter(
                channel,
                shape,
                lags,
                seed + number,
                shared if one_run else run_of_lane(seed + number),
                under_way_max,
            )
            for number, channel in enumerate(channels)
        ]
        for some in _some(opened, 50):
            await asyncio.gather(*[writer.open() for writer in some])
        yield opened
        await asyncio.gather(*[writer.close() for writer in opened])
    finally:
        await asyncio.gather(*[channel.close() for channel in channels])


def run_of_lane(number: int) -> str:
    """Return the id of a run that comes to this lane, counted around: four runs in one are not two in each."""
    run_id: UUID | None = None
    while run_id is None or hash(run_id) % LANES != number % LANES:
        run_id = uuid4()
    return run_id.hex


def _some(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def as_fast_as_it_goes(
    target: str, count: int, shape: Shape, batches: int, **options: Any
) -> dict[str, Any]:
    """Send so many batches from each writer and wait for the last commit."""
    lags = Lags()
    started = time.monotonic()
    async with writers(target, count, shape, lags, **options) as opened:
        started = time.monotonic()

        async def send_all(writer: RawWriter) -> None:
            for _ in range(batches):
                await writer.send()

        await asyncio.gather(*map(send_all, opened))
    seconds = time.monotonic() - started
    points = count * batches * len(shape)
    return {
        "points": points,
        "seconds": round(seconds, 3),
        "points_per_second": round(points / seconds),
        **lags.report(),
    }


async def at_a_rate(
    target: str, count: int, shape: Shape, interval_s: float, age_s: float, duration_s: float, **options: Any
) -> dict[str, Any]:
    """Let each writer send a batch every `interval_s`, spread evenly, whose first point is `age_s` old."""
    lags = Lags()
    async with writers(target, count, shape, lags, **options) as opened:
        started = time.monotonic()

        async def send_steadily(number: int, writer: RawWriter) -> None:
            due = started + interval_s * (1 + number / count)
            while due < started + duration_s:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await writer.send(born=due - age_s)
                due += interval_s

        await asyncio.gather(*[send_steadily(number, writer) for number, writer in enumerate(opened)])
    seconds = time.monotonic() - started
    points = sum(writer.committed for writer in opened)
    return {
        "points": points,
        "seconds": round(seconds, 3),
        "points_per_second": round(points / seconds),
        **lags.report(),
    }
