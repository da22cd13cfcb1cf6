"""A thousand writers at once, each with a run and a connection of its own, while one run sends all that it can."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from uuid import uuid4

import asyncpg
import grpc
import grpc.aio

from tests.harness.servers.processes import ServerProcess
from tests.wire.test_ingest import Stream, batch_message, open_message

WRITERS = 1_000
BATCHES, BATCH_POINTS = 5, 10
GREEDY_BATCHES, GREEDY_POINTS = 40, 5_000
PATIENCE_S = 120.0


class Writer:
    """One writer of one run. `committed` is its position when it was told for the last time."""

    def __init__(self, channel: grpc.aio.Channel, batches: int, points: int) -> None:
        self.run_id = uuid4().hex
        self.total = batches * points
        self._batches, self._points = batches, points
        self._channel = channel

    async def open(self) -> None:
        """Open a stream; where the database is too busy for a thousand at once, again, as our client does."""
        message = open_message(self.run_id)
        while True:
            self._stream = Stream(self._channel)
            await self._stream.say(message)
            try:
                assert (await self._stream.hear()).opened.committed_position == 0
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                return

    async def write(self) -> None:
        for first in range(0, self.total, self._points):
            await self._stream.say(batch_message(first, list(range(first, first + self._points))))

    async def hear_all(self) -> None:
        assert (await self._stream.until(self.total))[-1].position == self.total


@contextmanager
def many_files() -> Iterator[None]:
    """Room for the clients' ends of all connections, in this process; the server has to see to its own."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


async def write_all(port: int) -> list[Writer]:
    """Let everybody write at the same time; returns the writers when all is committed."""
    async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:

        async def writer(batches: int, points: int) -> Writer:
            own = grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])
            return Writer(await stack.enter_async_context(own), batches, points)

        writers = [await writer(BATCHES, BATCH_POINTS) for _ in range(WRITERS)]
        writers.append(await writer(GREEDY_BATCHES, GREEDY_POINTS))
        await asyncio.gather(*(each.open() for each in writers))
        await asyncio.gather(*(each.write() for each in writers), *(each.hear_all() for each in writers))
        return writers


async def test_every_point_of_a_thousand_writers_arrives_once(
    server_process: ServerProcess, database_url: str
) -> None:
    with many_files():
        writers = await write_all(server_process.port)
        await expect_all_once(database_url, writers)


async def expect_all_once(database_url: str, writers: list[Writer]) -> None:
    """Read what is stored: each run has the steps 0, 1, 2 and so on, each once, and each value is its step."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            """
            SELECT replace(run_id::text, '-', '') AS run_id, count(*) AS points, count(DISTINCT step) AS steps,
                   min(step) AS first, max(step) AS last, bool_and(value = step) AS whole
            FROM metric_points GROUP BY run_id
            """
        )
    finally:
        await connection.close()
    stored = Counter({row["run_id"]: row["points"] for row in rows})
    assert stored == Counter({writer.run_id: writer.total for writer in writers})
    for row in rows:
        assert (row["steps"], row["first"], row["last"]) == (row["points"], 0, row["points"] - 1)
        assert row["whole"]
