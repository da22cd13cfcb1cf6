"""A well-behaved client beside a hostile one: it logs points, waits for each acknowledgement, and counts."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from typing import cast
from uuid import uuid4

import grpc.aio

from stepwell.wire.showing import ShowingChannel
from stepwell_api.v1 import ingest_pb2, runs_pb2, series_pb2
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub

POINTS = 10
PAUSE_S = 0.05
# How long a neighbour in a process of its own may take to end, with a look at what is stored.
END_S = 90.0


class Neighbour:
    """One stream that logs POINTS points of one metric at a time."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.run_id = uuid4().hex
        self.acknowledged = 0
        self.commit_s: list[float] = []

    async def log_for_ever(self) -> None:
        """Log until cancelled; raises what goes wrong."""
        stream = IngestServiceStub(self._channel).Stream()
        spec = runs_pb2.RunSpec(run_id=self.run_id, experiment_id=0)
        opening = ingest_pb2.OpenWriter(run=spec, writer_id=uuid4().hex)
        await stream.write(ingest_pb2.StreamRequest(open=opening))
        assert (await stream.read()).HasField("opened")
        while True:
            first = self.acknowledged
            points = ingest_pb2.Points(
                key=[0],
                count=[POINTS],
                step=range(first, first + POINTS),
                timestamp_ms=[1] * POINTS,
                value=[0.5] * POINTS,
            )
            batch = ingest_pb2.Batch(
                first_position=first,
                end_position=first + POINTS,
                new_keys=[] if first else ["loss"],
                points=points,
            )
            began_s = time.perf_counter()
            await stream.write(ingest_pb2.StreamRequest(batch=batch))
            answer = await stream.read()
            self.commit_s.append(time.perf_counter() - began_s)
            self.acknowledged = answer.committed.position
            assert self.acknowledged == first + POINTS
            await asyncio.sleep(PAUSE_S)

    async def stored(self) -> list[int]:
        """Return the steps that the server has."""
        request = series_pb2.GetHistoryRequest(series=[series_pb2.SeriesName(run_id=self.run_id, key="loss")])
        answers = SeriesServiceStub(self._channel).GetHistory(request)
        return [step async for answer in answers for one in answer.series for step in one.step]

    async def get(self) -> None:
        """Read something small."""
        await RunServiceStub(self._channel).GetRun(runs_pb2.GetRunRequest(run_id=self.run_id))


@asynccontextmanager
async def connected(address: str, authorization: str | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Connect as whoever the header `authorization` names; None for nobody."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield cast("grpc.aio.Channel", ShowingChannel(channel, lambda: authorization))


@asynccontextmanager
async def good_neighbour(address: str, authorization: str | None = None) -> AsyncIterator[Neighbour]:
    """Let a neighbour log while the context lasts; at the end all that it logged is there, once, and nothing else.

    Its run and first points are there when the context begins.
    """
    async with connected(address, authorization) as channel:
        neighbour = Neighbour(channel)
        logging = asyncio.create_task(neighbour.log_for_ever())

        async def logs_on() -> None:
            before = neighbour.acknowledged
            async with asyncio.timeout(30):
                while neighbour.acknowledged == before and not logging.done():  # noqa: ASYNC110
                    await asyncio.sleep(PAUSE_S)
            if logging.done():
                await logging

        try:
            await logs_on()
            yield neighbour
            await logs_on()
        finally:
            logging.cancel()
            await asyncio.gather(logging, return_exceptions=True)
        stored = await neighbour.stored()
        assert len(stored) - neighbour.acknowledged in (0, POINTS), (len(stored), neighbour.acknowledged)
        assert stored == list(range(len(stored)))


@asynccontextmanager
async def neighbour_aside(
    address: str, authorization: str | None = None
) -> AsyncIterator[Callable[[], Awaitable[list[float]]]]:
    """The same in a process of its own, whose times say nothing of how busy this one is.

    Yields what returns how long its commits took since the last time it was asked, in seconds.
    """
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_live_aside, args=(address, authorization, theirs))
    process.start()
    theirs.close()  # so that its end is heard

    async def taken(*, is_last: bool = False) -> list[float]:
        ours.send(is_last)
        return await asyncio.to_thread(ours.recv)  # type: ignore[no-any-return]

    try:
        yield taken
        await taken(is_last=True)
        await asyncio.to_thread(process.join, END_S)
        assert process.exitcode == 0, "the neighbour's points are not what it logged; what it said is above"
    finally:
        process.kill()


def _live_aside(address: str, authorization: str | None, asked: Connection) -> None:
    async def live() -> None:
        is_last = False
        async with good_neighbour(address, authorization) as neighbour:
            while not is_last:
                is_last = await asyncio.to_thread(asked.recv)
                asked.send(list(neighbour.commit_s))
                neighbour.commit_s.clear()

    asyncio.run(live())
