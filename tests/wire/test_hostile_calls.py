"""What callers make up is told to be wrong, in words; it is no internal error, and does not fill the log."""

import base64
import json
import logging
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import ingest_pb2, runs_pb2, search_pb2, series_pb2
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_api.v1.search_pb2_grpc import SearchServiceStub
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub
from stepwell_server.process.quieting import LINES_MAX, Quieter, QuietLibrary
from tests.harness.calls import invalid


async def new_run(channel: grpc.aio.Channel) -> str:
    spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0)
    return (await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run.info.run_id


async def test_a_nul_in_a_key_is_named(channel: grpc.aio.Channel) -> None:
    run_id = await new_run(channel)
    series, search = SeriesServiceStub(channel), SearchServiceStub(channel)
    async with invalid("NUL"):
        names = [series_pb2.SeriesName(run_id=run_id, key="a\0b")]
        await series.GetHistory(series_pb2.GetHistoryRequest(series=names)).read()
    async with invalid("NUL"):
        await series.GetLatestMetrics(
            series_pb2.GetLatestMetricsRequest(run_ids=[run_id], keys=["a\0b"])
        ).read()
    async with invalid("NUL"):
        await series.SampleSeries(series_pb2.SampleSeriesRequest(run_ids=[run_id], keys=["\0"])).read()
    async with invalid("NUL"):
        await search.SearchRuns(
            search_pb2.SearchRunsRequest(experiment_ids=[0], params=search_pb2.Keys(key=["\0"]))
        )


async def test_a_host_is_no_novel(channel: grpc.aio.Channel) -> None:
    for host in ("h" * 7_000_000, "h\0"):
        spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0)
        opening = ingest_pb2.OpenWriter(run=spec, writer_id=uuid4().hex, host=host)
        stream = IngestServiceStub(channel).Stream()
        await stream.write(ingest_pb2.StreamRequest(open=opening))
        async with invalid("the host of a writer"):
            await stream.read()


async def test_forged_tokens_are_refused(channel: grpc.aio.Channel) -> None:
    await new_run(channel)
    await new_run(channel)
    search = SearchServiceStub(channel)
    order = ["number(params.a)", "metrics.b"]
    page = await search.SearchRuns(
        search_pb2.SearchRunsRequest(experiment_ids=[0], page_size=1, order_by=order)
    )
    digest, keys, time_ms, _ = json.loads(base64.urlsafe_b64decode(page.next_page_token))
    for forged in (
        [digest, [[0, "1e999999"], [2, None]], time_ms, uuid4().hex],
        [digest, keys, time_ms, "ff"],
        [digest, keys, 2**70, uuid4().hex],
        [digest, [[0, "nan"], [0, "x"]], time_ms, uuid4().hex],
    ):
        token = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        async with invalid():
            await search.SearchRuns(
                search_pb2.SearchRunsRequest(experiment_ids=[0], page_token=token, order_by=order)
            )


async def test_many_values_and_extreme_numbers(channel: grpc.aio.Channel) -> None:
    search = SearchServiceStub(channel)
    async with invalid("values in lists"):
        many = "params.a IN (" + ",".join(["'b'"] * 40_000) + ")"
        await search.SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=[0], filter=many))
    for number in ("1e308", "-1e400", "9" * 300, "1e-400"):
        for field in ("metrics.a", "start_time", "number(params.a)", "experiment_id"):
            await search.SearchRuns(
                search_pb2.SearchRunsRequest(experiment_ids=[0], filter=f"{field} > {number}")
            )


async def test_what_cannot_be_parsed(channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture) -> None:
    garbage = b"\x0a\xff\xff\xff\xff"
    for path in ("RunService/GetRun", "SearchService/SearchRuns"):
        async with invalid("cannot be read"):
            await channel.unary_unary(f"/stepwell_api.v1.{path}")(garbage)
    async with invalid("cannot be read"):
        await channel.unary_stream("/stepwell_api.v1.SeriesService/GetHistory")(garbage).read()
    stream = channel.stream_stream("/stepwell_api.v1.IngestService/Stream")()
    await stream.write(garbage)
    async with invalid("cannot be read"):
        await stream.read()
    assert not caplog.records


def test_a_library_writes_single_lines_and_not_too_many() -> None:
    quiet, written = QuietLibrary("grpc"), []
    for number in range(100):
        record = logging.LogRecord(
            "grpc._common",
            logging.ERROR,
            __file__,
            1,
            "call %d",
            (number,),
            (ValueError, ValueError("x"), None),
        )
        if quiet.filter(record):
            written.append(record)
    assert len(written) == LINES_MAX
    assert written[0].getMessage() == "call 0: ValueError('x')"
    assert written[0].exc_info is None
    assert quiet.filter(logging.LogRecord("asyncio", logging.ERROR, __file__, 1, "other", (), None))


def test_what_was_left_out_is_counted() -> None:
    quieter = Quieter(lines_max=2, period_s=0.05)
    assert [quieter.left_out("a") for _ in range(5)] == [0, 0, None, None, None]
    assert quieter.left_out("b") == 0
    quieter._kinds["a"] = quieter._kinds["a"][0] - 1, quieter._kinds["a"][1]
    assert quieter.left_out("a") == 3
