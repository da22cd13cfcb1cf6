"""What gRPC has taken and nobody has got is bounded: parts of messages, and what stands behind streams that wait."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_server.app import running_server
from stepwell_server.config import STREAM_WINDOW_BYTES, Config, HoldingLimits
from stepwell_server.process import unread
from stepwell_server.process.unread import chosen, crowding, peer_at
from stepwell_server.transport.ingest.servicer import BATCHES_UNDER_WAY_MAX
from tests.harness.network.neighbours import good_neighbour
from tests.harness.network.proxy import Proxy, Way
from tests.harness.store.databases import blocked_table
from tests.wire.test_ingest import batch_message, opened

MIB = 2**20
CALLS = 6


def test_who_has_most_is_cut_off_first_and_no_more_than_needed() -> None:
    held = {("a", 1): 5, ("a", 2): 4, ("b", 1): 8, ("c", 1): 0}
    assert chosen(held, 17) == []
    assert chosen(held, 12) == [("a", 1)]
    assert chosen(held, 8) == [("a", 1), ("a", 2)]
    assert chosen(held, 0) == [("a", 1), ("a", 2), ("b", 1)]


def test_of_too_many_connections_those_go_of_who_has_most_and_the_silent_ones_first() -> None:
    connections = [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("c", 1)]
    assert crowding(connections, {("a", 2)}, 6) == []
    assert set(crowding(connections, {("a", 2)}, 4)) < {("a", 1), ("a", 3), ("b", 1), ("b", 2)}
    assert crowding(connections, {("a", 1), ("a", 3)}, 5) == [("a", 2)]
    assert {host for host, _ in crowding(connections, (), 3)} == {"a", "b"}


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("ipv4:10.0.0.7:53312", ("10.0.0.7", 53312)),
        ("ipv6:%5B::1%5D:53312", ("::1", 53312)),
        ("ipv6:[::ffff:10.0.0.7]:1", ("10.0.0.7", 1)),
        ("unix:", ("unix:", 0)),
        ("http", ("http", 0)),
    ],
)
def test_grpcs_word_for_a_caller(address: str, peer: tuple[str, int]) -> None:
    assert peer_at(address) == peer


async def test_streams_that_are_held_back_count_with_what_stands_behind_them(
    database_url: str, tmp_path: Path
) -> None:
    """The database stands still: who has no room is told to come again at once, and not when it goes on."""
    limits = HoldingLimits(bytes_max=20 * MIB, peer_bytes_max=18 * MIB, wait_s=0.3)
    config = Config(
        port=0, http_port=None, store=database_url, data=tmp_path, shutdown_grace_s=5, holding_limits=limits
    )
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        streams = [await opened(channel, uuid4().hex) for _ in range(12)]
        async with blocked_table(database_url, "writer"):
            for stream in streams:
                for number in range(BATCHES_UNDER_WAY_MAX + 2):
                    await stream.say(batch_message(number, [number]))
            ends = [asyncio.create_task(stream.call.code()) for stream in streams]
            async with asyncio.timeout(30):
                while sum(end.done() for end in ends) < 4:  # noqa: ASYNC110 - whichever they are
                    await asyncio.sleep(0.02)
            assert server.holding is not None
            assert server.holding.bytes_held > 8 * STREAM_WINDOW_BYTES
        assert {end.result() for end in ends if end.done()} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        for stream, end in zip(streams, ends, strict=True):
            if not end.done():
                await stream.until(BATCHES_UNDER_WAY_MAX + 2)
            end.cancel()


async def test_messages_that_come_by_half_are_bounded_together(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "LOOK_S", 0.1)
    limits = HoldingLimits(unread_bytes_max=CALLS * MIB // 2)
    config = Config(
        port=0,
        http_port=None,
        store=database_url,
        data=tmp_path / "data",
        shutdown_grace_s=5,
        holding_limits=limits,
    )
    request = runs_pb2.CreateExperimentRequest(
        name="large", tags=[runs_pb2.Tag(key="t", value="v" * 7 * MIB)]
    )
    async with (
        running_server(config) as server,
        good_neighbour(f"127.0.0.1:{server.port}"),
        AsyncExitStack() as stack,
    ):
        proxy = stack.enter_context(Proxy(server.port))
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}", own))
            for _ in range(CALLS)
        ]
        await asyncio.gather(*[channel.channel_ready() for channel in channels])
        connections = len(unread._received(server.port))
        proxy.slow(MIB)  # of each connection, in a second
        ends = [
            asyncio.create_task(ExperimentServiceStub(channel).CreateExperiment(request).code())
            for channel in channels
        ]
        async with asyncio.timeout(60):
            while proxy.bytes_passed[Way.UP] < CALLS * MIB:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            proxy.pause()
            while len(unread._received(server.port)) > connections - 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert server.holding is not None
        server.holding.unread._bytes_max = 10 * CALLS * MIB  # the others may go on, as fast as they can
        proxy.heal()
        codes = [code.name for code in await asyncio.gather(*ends)]
    assert set(codes) == {"UNAVAILABLE", "INVALID_ARGUMENT"}
