"""Signs of life on the wire: an open stream is one, `close` is a farewell, and the rest is silence."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import ingest_pb2, runs_pb2, runs_pb2_grpc
from stepwell_server.app import running_server
from stepwell_server.config import Config
from stepwell_server.model.runs import LOST_TAG
from tests.wire.test_ingest import Stream, batch_message, open_message, opened

LOST_AFTER_S = 0.4
PATIENCE_S = 20.0
# Long enough for a run to be taken for lost, were it so.
SILENCE_S = 3 * LOST_AFTER_S


@pytest.fixture
async def channel(database_url: str) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to a server without patience."""
    config = Config(port=0, store=database_url, shutdown_grace_s=5.0, lost_after_s=LOST_AFTER_S)
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield channel


async def get_run(channel: grpc.aio.Channel, run_id: str) -> runs_pb2.Run:
    answer = await runs_pb2_grpc.RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(run_id=run_id))
    return answer.run


async def until_it_is(channel: grpc.aio.Channel, run_id: str, status: int) -> runs_pb2.Run:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            run = await get_run(channel, run_id)
            if run.info.status == status:
                return run
            await asyncio.sleep(0.05)


def is_marked(run: runs_pb2.Run) -> bool:
    return LOST_TAG in [tag.key for tag in run.tags]


def closing() -> ingest_pb2.StreamRequest:
    return ingest_pb2.StreamRequest(close=ingest_pb2.CloseWriter())


async def test_a_stream_that_breaks_off_makes_the_run_fail_and_one_that_returns_takes_it_back(
    channel: grpc.aio.Channel,
) -> None:
    run_id, writer_id = uuid4().hex, uuid4().hex
    stream = await opened(channel, run_id, writer_id=writer_id)
    await stream.say(batch_message(0, [1]))
    await stream.until(1)
    stream.call.cancel()
    run = await until_it_is(channel, run_id, runs_pb2.RUN_STATUS_FAILED)
    assert is_marked(run)
    assert run.info.end_time_ms > run.info.start_time_ms
    again = await opened(channel, run_id, writer_id=writer_id)
    run = await get_run(channel, run_id)
    assert (run.info.status, is_marked(run)) == (runs_pb2.RUN_STATUS_RUNNING, False)
    assert not run.info.HasField("end_time_ms")
    await again.say(batch_message(1, [2], new_keys=["loss"]))
    await again.until(2)


async def created(channel: grpc.aio.Channel, awaited: runs_pb2.AwaitedWriter | None) -> str:
    spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0)
    request = runs_pb2.CreateRunRequest(spec=spec, awaited=awaited)
    await runs_pb2_grpc.RunServiceStub(channel).CreateRun(request)
    return spec.run_id


async def test_who_creates_a_run_and_never_opens_the_stream_that_it_announced_is_missed(
    channel: grpc.aio.Channel,
) -> None:
    awaited = runs_pb2.AwaitedWriter(host="node7", process_id=4711, rank=3)
    by_calls_alone, came = await created(channel, None), await created(channel, awaited)
    stream = await opened(channel, came)
    never_came = await created(channel, awaited)
    run = await until_it_is(channel, never_came, runs_pb2.RUN_STATUS_FAILED)
    (reason,) = [tag.value for tag in run.tags if tag.key == LOST_TAG]
    assert "Nothing came from the process that began this run. It was process 4711 on node7, rank 3" in reason
    assert run.info.end_time_ms >= run.info.start_time_ms
    for run_id in (by_calls_alone, came):
        assert (await get_run(channel, run_id)).info.status == runs_pb2.RUN_STATUS_RUNNING
    # Who comes after all takes it back.
    late = await opened(channel, never_came)
    run = await get_run(channel, never_came)
    assert (run.info.status, is_marked(run)) == (runs_pb2.RUN_STATUS_RUNNING, False)
    # A repeat of the call, of a run that has its writer, expects nobody.
    spec = runs_pb2.RunSpec(run_id=came, experiment_id=0)
    request = runs_pb2.CreateRunRequest(spec=spec, awaited=awaited)
    await runs_pb2_grpc.RunServiceStub(channel).CreateRun(request)
    await asyncio.sleep(SILENCE_S)
    assert (await get_run(channel, came)).info.status == runs_pb2.RUN_STATUS_RUNNING
    del stream, late


async def test_an_open_stream_is_a_sign_of_life_even_if_nothing_is_sent(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    await opened(channel, run_id)
    await asyncio.sleep(SILENCE_S)
    assert (await get_run(channel, run_id)).info.status == runs_pb2.RUN_STATUS_RUNNING


async def test_who_closes_is_not_lost(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    await stream.say(batch_message(0, [1]), closing())
    await stream.until(1)
    await stream.call.done_writing()
    assert await stream.failure() == (grpc.StatusCode.OK, "")
    await asyncio.sleep(SILENCE_S)
    assert (await get_run(channel, run_id)).info.status == runs_pb2.RUN_STATUS_RUNNING


async def test_what_is_delivered_for_a_dead_process_is_no_sign_of_its_life(channel: grpc.aio.Channel) -> None:
    run_id, writer_id = uuid4().hex, uuid4().hex
    stream = await opened(channel, run_id, writer_id=writer_id, orphaned=True)
    await asyncio.sleep(SILENCE_S)
    # While it is delivered, the end may still come.
    assert (await get_run(channel, run_id)).info.status == runs_pb2.RUN_STATUS_RUNNING
    stream.call.cancel()
    await until_it_is(channel, run_id, runs_pb2.RUN_STATUS_FAILED)
    again = await opened(channel, run_id, writer_id=writer_id, orphaned=True)
    assert is_marked(await get_run(channel, run_id))
    end = ingest_pb2.Entry(position=0, status=ingest_pb2.StatusChange(status=3, end_time_ms=99))
    await again.say(
        ingest_pb2.StreamRequest(batch=ingest_pb2.Batch(first_position=0, end_position=1, entries=[end]))
    )
    await again.until(1)
    run = await get_run(channel, run_id)
    assert (run.info.status, run.info.end_time_ms) == (runs_pb2.RUN_STATUS_FINISHED, 99)
    assert not is_marked(run)


async def test_nothing_may_follow_a_close(channel: grpc.aio.Channel) -> None:
    stream = await opened(channel, uuid4().hex)
    await stream.say(closing(), batch_message(0, [1]))
    code, details = await stream.failure()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "at the end one `close`" in details


async def test_the_first_stream_hears_that_it_created_the_run(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    heard = []
    for _ in range(2):
        stream = Stream(channel)
        await stream.say(open_message(run_id))
        heard.append((await stream.hear()).opened.created)
    assert heard == [True, False]
