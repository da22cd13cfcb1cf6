"""What one account may do at most: it is told when to come again, and our client loses nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest

import stepwell
from stepwell import StepwellClient
from stepwell_api.v1 import runs_pb2, search_pb2, series_pb2
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_api.v1.search_pb2_grpc import SearchServiceStub
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub
from stepwell_server.app import running_server
from stepwell_server.config import CallerLimits, Config
from stepwell_server.process import rates
from tests.harness.calls import refused
from tests.harness.network.raw_http import Place
from tests.harness.servers.access import ADMIN_PASSWORD, GuardedServer, guarded_server
from tests.wire.test_ingest import Stream, batch_message, open_message, opened

# Points that come in a moment, again and again, and take more than a second at the rate that is allowed.
MANY = 5_000
EXHAUSTED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")


@pytest.fixture
async def start(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Starts a server with accounts, of which one may do so much."""
    monkeypatch.setenv("STEPWELL_ADMIN_PASSWORD", ADMIN_PASSWORD)
    async with AsyncExitStack() as stack:

        async def started(limits: CallerLimits, **config: Any) -> GuardedServer:
            server = guarded_server(database_url, tmp_path / "data", caller_limits=limits, **config)
            return await stack.enter_async_context(server)

        yield started


async def test_calls(start: Any) -> None:
    server = await start(CallerLimits(calls_per_s=0.01))
    ann, bob = await server.add("ann", is_admin=True), await server.add("bob", is_admin=True)
    request = runs_pb2.GetExperimentRequest(experiment_id=0)
    async with server.calls_of(ann) as channel, server.calls_of(bob) as another:
        async with refused(*EXHAUSTED, "0.01 calls a second"):
            for _ in range(100):
                await ExperimentServiceStub(channel).GetExperiment(request)
        assert (await ExperimentServiceStub(another).GetExperiment(request)).experiment.name == "Default"
    # The same account by the other door, which says it in HTTP's words.
    place = Place(int(server.running.http_url.rpartition(":")[2]), lambda: asyncio.sleep(0))
    for path in (
        "/api/2.0/mlflow/experiments/get?experiment_id=0",
        "/stepwell_api.v1.ExperimentService/GetExperiment",
    ):
        answer = await place.ask("GET" if "?" in path else "POST", path, authorization=f"Bearer {ann}")
        assert (answer.status, answer.json["error_code"]) == (429, "RESOURCE_EXHAUSTED")
        assert 1 < int(answer.headers["retry-after"]) <= 99


async def test_searches(start: Any) -> None:
    server = await start(CallerLimits(searching=0.001))
    ann, bob = await server.add("ann", is_admin=True), await server.add("bob", is_admin=True)
    request = search_pb2.SearchRunsRequest(experiment_ids=[0])
    groups = series_pb2.SampleGroupsRequest(experiment_ids=[0], filters=[""], keys=["loss"], buckets=10)
    async with server.calls_of(ann) as channel, server.calls_of(bob) as another:
        async with refused(*EXHAUSTED, "0.001 seconds of searches"):
            for _ in range(100):
                await SearchServiceStub(channel).SearchRuns(request)
        async with refused(*EXHAUSTED, "0.001 seconds of searches"):  # lines of groups are searches, too
            async for _ in SeriesServiceStub(channel).SampleGroups(groups):
                pass
        await ExperimentServiceStub(channel).GetExperiment(runs_pb2.GetExperimentRequest(experiment_id=0))
        await SearchServiceStub(another).SearchRuns(request)


async def test_streams_at_once(start: Any) -> None:
    server = await start(CallerLimits(streams_max=1))
    ann, bob = await server.add("ann", is_admin=True), await server.add("bob", is_admin=True)
    async with server.calls_of(ann) as channel, server.calls_of(bob) as another:
        first = await opened(channel, uuid4().hex)
        async with refused(*EXHAUSTED, "account ann has 1 streams open"):
            await opened(another, uuid4().hex)  # another's does not count
            third = Stream(channel)
            await third.say(open_message(uuid4().hex))
            await third.call.read()
        await first.call.done_writing()
        assert await first.call.read() is grpc.aio.EOF
        await opened(channel, uuid4().hex)


async def test_what_is_held_counts_for_the_account(start: Any) -> None:
    server = await start(CallerLimits())
    ann = await server.add("ann", is_admin=True)
    async with server.calls_of(ann) as channel:
        stream = await opened(channel, uuid4().hex)
        await stream.say(batch_message(0, [1]))
        await stream.until(1)
        assert server.running.holding.bytes_held_for("account ann") > 0, "the names of its metrics"
        await stream.call.done_writing()
        assert await stream.call.read() is grpc.aio.EOF
    assert server.running.holding.bytes_held == 0


async def test_our_client_comes_again_and_loses_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two runs at once, the first has the only stream until it ends. Without accounts, addresses are callers."""
    config = Config(
        port=0,
        http_port=None,
        store=database_url,
        data=tmp_path / "data",
        shutdown_grace_s=5,
        caller_limits=CallerLimits(streams_max=1),
    )
    async with running_server(config) as server:
        monkeypatch.setenv("STEPWELL_TRACKING_URI", server.grpc_uri)

        def train() -> list[str]:
            with stepwell.start_run() as first:
                stepwell.log_metric("loss", 0.5, step=0)
                stepwell.flush()
                second = StepwellClient().create_run("0").info.run_id
                for step in range(1_000):
                    stepwell.log_metric("loss", 0.5, step=step, run_id=second)
                    stepwell.log_metric("loss", 0.5, step=step + 1)
                while "lets this process wait" not in caplog.text:
                    time.sleep(0.01)
            while stepwell.flush().waiting:
                pass
            return [first.info.run_id, second]

        run_ids = await asyncio.to_thread(train)
        async with server.pool.connection() as connection:
            for run_id in run_ids:
                steps = await connection.fetch("SELECT step FROM metric_points WHERE run_id = $1", run_id)
                assert len(steps) == len(set(steps)) >= 1_000


async def test_points_wait_for_their_turn(
    start: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has to wait for too long is told to come again, and does: all is there, once."""
    monkeypatch.setattr(rates, "POINTS_WAIT_S_MAX", 0.05)
    server = await start(CallerLimits(points_per_s=4_000))
    monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", await server.add("ann", is_admin=True))
    monkeypatch.setenv("STEPWELL_TRACKING_URI", server.running.grpc_uri)

    def train() -> tuple[str, int]:
        count = 0
        with stepwell.start_run() as run:
            while "lets this process wait" not in caplog.text:
                for step in range(count, count + MANY):
                    stepwell.log_metric("loss", 0.5, step=step)
                count += MANY
                time.sleep(0.25)
        while stepwell.flush().waiting:
            pass
        return run.info.run_id, count

    run_id, count = await asyncio.to_thread(train)
    async with server.running.pool.connection() as connection:
        rows = await connection.fetch("SELECT step FROM metric_points WHERE run_id = $1", run_id)
    assert sorted(row["step"] for row in rows) == list(range(count))
