"""A writer that moves from server to server: in the middle of everything, and whenever its server goes away."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import grpc.aio
import numpy as np

from benchmarks.loads.streams import UNDER_WAY_MAX, Lags, Shape, batch_request
from stepwell_api.v1 import ingest_pb2, runs_pb2

# After a server that was not there.
PAUSE_S = 0.05
_OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


class MovingWriter:
    """One writer of one run; the content of a batch depends on its number alone, so that it can be sent again."""

    def __init__(self, shape: Shape, seed: int, lags: Lags) -> None:
        self.run_id = uuid4().hex
        self.moves = 0
        self._writer_id = uuid4().hex
        self._shape, self._seed, self._lags = shape, seed, lags
        self._born: list[float] = []  # of each batch, in order
        self._committed = 0  # batches

    async def log(
        self, targets: Sequence[str], batches: int, interval_s: float, stay_s: float, start_s: float
    ) -> None:
        """Log a batch every `interval_s` from `start_s` on, and stay so long with each server."""
        making = asyncio.create_task(self._make(batches, interval_s, start_s))
        number = self._seed
        while self._committed < batches:
            try:
                async with grpc.aio.insecure_channel(
                    targets[number % len(targets)], _OWN_CONNECTION
                ) as channel:
                    await self._stay(channel, batches, stay_s)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(PAUSE_S)
            number += 1
            self.moves += 1
        await making

    async def _make(self, batches: int, interval_s: float, start_s: float) -> None:
        for number in range(batches):
            due = start_s + number * interval_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._born.append(due)

    async def _stay(self, channel: grpc.aio.Channel, batches: int, stay_s: float) -> None:
        call = channel.stream_stream(
            "/stepwell_api.v1.IngestService/Stream",
            request_serializer=bytes,
            response_deserializer=ingest_pb2.StreamResponse.FromString,
        )()
        run = runs_pb2.RunSpec(run_id=self.run_id, experiment_id=0, name="benchmark", start_time_ms=1)
        opening = ingest_pb2.OpenWriter(run=run, writer_id=self._writer_id)
        await call.write(ingest_pb2.StreamRequest(open=opening).SerializeToString())
        answer = await call.read()
        if answer is grpc.aio.EOF:
            return
        self._note(answer.opened.committed_position)
        sender = asyncio.create_task(self._send(call, batches))
        try:
            async with asyncio.timeout(stay_s):
                while self._committed < batches and (answer := await call.read()) is not grpc.aio.EOF:
                    self._note(answer.committed.position)
        except TimeoutError:
            pass
        finally:
            sender.cancel()
            call.cancel()  # whatever is under way
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await sender

    async def _send(self, call: grpc.aio.StreamStreamCall, batches: int) -> None:  # type: ignore[type-arg]
        first = number = self._committed
        size = len(self._shape)
        while number < batches:
            if number == len(self._born) or number - self._committed >= UNDER_WAY_MAX:
                await asyncio.sleep(0.005)
                continue
            random = np.random.default_rng((self._seed, number))
            request = batch_request(
                self._shape, number * size, number * self._shape.points, random, named=number == first
            )
            await call.write(request)
            number += 1

    def _note(self, position: int) -> None:
        now = time.monotonic()
        committed = position // len(self._shape)
        self._lags.seconds += [now - born for born in self._born[self._committed : committed]]
        self._committed = max(self._committed, committed)
