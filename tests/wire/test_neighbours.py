"""What one caller asks for does not hold up another: neither the loop, nor the connections to the database."""

import asyncio
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2, runs_pb2, search_pb2, series_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_api.v1.search_pb2_grpc import SearchServiceStub
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub
from stepwell_server import composition
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import POOL_CONNECTIONS_MAX, Config
from stepwell_server.errors import TooMuchError
from stepwell_server.process.limits import SWITCH_S
from stepwell_server.store.postgres.pool import SEARCHES_AT_ONCE, Pool
from tests.harness.calls import invalid, refused
from tests.harness.network.neighbours import Neighbour, good_neighbour
from tests.harness.store.databases import blocked_table

TOO_LONG = {
    "a list": "metrics.a IN (" + "1," * 90_000 + "1)",
    "parentheses": "(" * 90_000 + "metrics.a = 1" + ")" * 90_000,
    "digits": "metrics.a > " + "1" * 190_000 + "x",
    "NOT": "NOT " * 45_000 + "metrics.a = 1",
}


def address(server: RunningServer) -> str:
    return f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("filter_", TOO_LONG.values(), ids=TOO_LONG)
async def test_long_filters_are_not_parsed_on_the_loop(
    server: RunningServer, channel: grpc.aio.Channel, filter_: str
) -> None:
    """The fixture fails where the loop is kept busy."""
    async with good_neighbour(address(server)), invalid():
        await SearchServiceStub(channel).SearchRuns(
            search_pb2.SearchRunsRequest(experiment_ids=[0], filter=filter_)
        )


async def test_threads_that_work_aside_give_way_soon(server: RunningServer) -> None:
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)


async def test_a_list_of_many_ids_finds_its_runs(server: RunningServer, channel: grpc.aio.Channel) -> None:
    async with good_neighbour(address(server)) as neighbour:
        ids = [uuid4().hex for _ in range(4_999)] + [neighbour.run_id]
        filter_ = "run_id IN (" + ", ".join(f"'{id_}'" for id_ in ids) + ")"
        found = await SearchServiceStub(channel).SearchRuns(
            search_pb2.SearchRunsRequest(experiment_ids=[0], filter=filter_)
        )
    assert [run.info.run_id for run in found.runs] == [neighbour.run_id]


async def test_commits_have_connections_of_their_own(server: RunningServer) -> None:
    async with good_neighbour(address(server)), AsyncExitStack() as stack:
        for _ in range(POOL_CONNECTIONS_MAX):
            await stack.enter_async_context(server.pool.connection())
        async with grpc.aio.insecure_channel(address(server)) as channel:
            newcomer = Neighbour(channel)
            logging = asyncio.create_task(newcomer.log_for_ever())
            async with asyncio.timeout(20):
                while not newcomer.acknowledged and not logging.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            logging.cancel()
            await asyncio.gather(logging, return_exceptions=True)
            assert newcomer.acknowledged


async def test_a_statement_has_a_time_limit(database_url: str, tmp_path: Path) -> None:
    config = Config(
        port=0, http_port=0, store=database_url, data=tmp_path, shutdown_grace_s=5, statement_timeout_s=0.5
    )
    async with running_server(config) as server, grpc.aio.insecure_channel(address(server)) as channel:
        search = SearchServiceStub(channel)
        status = grpc.StatusCode.RESOURCE_EXHAUSTED
        async with (
            blocked_table(database_url, "run"),
            refused(status, "REQUEST_LIMIT_EXCEEDED", "--statement-timeout"),
        ):
            await search.SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=[0]))


async def test_upkeep_is_not_bound_by_the_limit_of_calls(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[Pool] = []

    def noting(kind: Any, first: Any, *more: Any, **options: Any) -> Any:
        pools.append(getattr(first, "_pool", first))
        return kind(first, *more, **options)

    for name in ("Compactor", "Settler", "Forgetter", "ArtifactSweeper"):
        monkeypatch.setattr(composition, name, partial(noting, getattr(composition, name)))
    config = Config(
        port=0, http_port=0, store=database_url, data=tmp_path, shutdown_grace_s=5, statement_timeout_s=0.1
    )
    async with running_server(config) as server:
        assert server.pool is not None
        with pytest.raises(TooMuchError):
            async with server.pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(0.3)")
        assert len(pools) == 4
        for pool in pools:
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(0.3)")
                assert await connection.fetchval("SHOW statement_timeout") == "10min"


async def test_searches_leave_connections_for_others(
    server: RunningServer, channel: grpc.aio.Channel
) -> None:
    """Searches that wait for something for long: there are more of them than connections."""
    run_id = uuid4().hex
    spec = runs_pb2.RunSpec(run_id=run_id, experiment_id=0)
    await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))
    request = search_pb2.SearchRunsRequest(experiment_ids=[0], filter="params.a = 'b'")
    async with blocked_table(server.store, "param") as wait_until_blocked:
        searches = [
            asyncio.ensure_future(SearchServiceStub(channel).SearchRuns(request))
            for _ in range(2 * POOL_CONNECTIONS_MAX)
        ]
        await wait_until_blocked()
        experiment = runs_pb2.GetExperimentRequest(experiment_id=0)
        await asyncio.wait_for(ExperimentServiceStub(channel).GetExperiment(experiment), 25)
    answers = await asyncio.gather(*searches)
    assert len(answers) == 2 * POOL_CONNECTIONS_MAX > SEARCHES_AT_ONCE


async def test_patterns_that_could_take_for_ever_are_refused(channel: grpc.aio.Channel) -> None:
    search = SearchServiceStub(channel)
    for pattern in (r"^(.+)(.+)b\1\2b$", "(?=a)b", "((((a{1,30}){1,30}){1,30})c"):
        async with invalid("(character 15)"):
            await search.SearchRuns(
                search_pb2.SearchRunsRequest(experiment_ids=[0], filter=f"tags.t REGEXP '{pattern}'")
            )
        async with invalid("pattern"):
            await search.ListKeys(search_pb2.ListKeysRequest(experiment_ids=[0], pattern=pattern))


async def test_lists_are_bounded(server: RunningServer, channel: grpc.aio.Channel) -> None:
    search, series = SearchServiceStub(channel), SeriesServiceStub(channel)
    artifacts = ArtifactServiceStub(channel)
    many = [1] * 500_000
    run_id = uuid4().hex
    ids = [run_id] * 200_000
    keys = search_pb2.Keys(key=map(str, range(100_000)))
    one = series_pb2.SeriesName(run_id=run_id, key="a")
    parts = [artifacts_pb2.PartTag(number=1, etag="a")] * 509
    uploads = [artifacts_pb2.FinishedUpload(upload_id=run_id, parts=parts)] * 100
    refused_calls = [
        search.SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=many)),
        search.CountRuns(search_pb2.CountRunsRequest(experiment_ids=many)),
        search.ListKeys(search_pb2.ListKeysRequest(experiment_ids=many)),
        search.ChangeRuns(
            search_pb2.ChangeRunsRequest(
                experiment_ids=many, filter="params.a = 'b'", delete=search_pb2.DeleteRuns()
            )
        ),
        search.SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=[0], params=keys)),
        artifacts.CompleteUploads(artifacts_pb2.CompleteUploadsRequest(run_id=run_id, uploads=uploads)),
    ]
    refused_streams = [
        series.GetHistory(series_pb2.GetHistoryRequest(series=[one] * 100_000)),
        series.GetHistory(series_pb2.GetHistoryRequest(series=[one] * 10_000, last=65_536)),
        series.GetLatestMetrics(series_pb2.GetLatestMetricsRequest(run_ids=ids)),
        series.GetLatestMetrics(
            series_pb2.GetLatestMetricsRequest(
                run_ids=ids[:10_000], keys=[f"k{number}" for number in range(10_000)]
            )
        ),
        series.SampleSeries(series_pb2.SampleSeriesRequest(run_ids=ids, keys=["a"])),
        series.SampleSeries(
            series_pb2.SampleSeriesRequest(run_ids=ids[:100], keys=["a"] * 20, buckets=10_000)
        ),
        series.Watch(series_pb2.WatchRequest(run_ids=ids)),
    ]
    async with good_neighbour(address(server)):
        for call in refused_calls:
            async with invalid():
                await call
        for stream in refused_streams:
            async with invalid():
                await stream.read()
