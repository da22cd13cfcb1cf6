"""The ingest stream as any client in any language would use it: raw messages against a real server."""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import ingest_pb2, ingest_pb2_grpc, runs_pb2, runs_pb2_grpc, series_pb2, series_pb2_grpc


def open_message(run_id: str, **fields: Any) -> ingest_pb2.StreamRequest:
    fields.setdefault("writer_id", uuid4().hex)
    run = runs_pb2.RunSpec(run_id=run_id, experiment_id=0, name="a run", start_time_ms=1)
    return ingest_pb2.StreamRequest(open=ingest_pb2.OpenWriter(run=run, host="here", process_id=1, **fields))


def batch_message(first: int, steps: list[int], **fields: Any) -> ingest_pb2.StreamRequest:
    """Points of key number 0, one for each step; the first batch names the key."""
    points = ingest_pb2.Points(
        key=[0],
        count=[len(steps)],
        step=steps,
        timestamp_ms=[7] * len(steps),
        value=[float(step) for step in steps],
    )
    fields.setdefault("end_position", first + len(steps))
    if first == 0:
        fields.setdefault("new_keys", ["loss"])
    return ingest_pb2.StreamRequest(batch=ingest_pb2.Batch(first_position=first, points=points, **fields))


class Stream:
    """One open stream."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call = ingest_pb2_grpc.IngestServiceStub(channel).Stream()

    async def say(self, *messages: ingest_pb2.StreamRequest) -> None:
        for message in messages:
            await self.call.write(message)

    async def hear(self) -> ingest_pb2.StreamResponse:
        answer = await self.call.read()
        assert isinstance(answer, ingest_pb2.StreamResponse), await self.call.details()
        return answer

    async def until(self, position: int) -> list[ingest_pb2.Committed]:
        """Hear acknowledgements, and nothing else, up to a position."""
        heard: list[ingest_pb2.Committed] = []
        while not heard or heard[-1].position < position:
            answer = await self.hear()
            assert answer.HasField("committed"), answer
            heard.append(answer.committed)
        return heard

    async def failure(self) -> tuple[grpc.StatusCode, str]:
        with suppress(grpc.aio.AioRpcError):
            while await self.call.read() is not grpc.aio.EOF:
                pass
        return await self.call.code(), await self.call.details()


async def opened(channel: grpc.aio.Channel, run_id: str, **fields: Any) -> Stream:
    stream = Stream(channel)
    await stream.say(open_message(run_id, **fields))
    assert (await stream.hear()).opened.run.run_id == run_id
    return stream


async def steps_of(channel: grpc.aio.Channel, run_id: str, key: str = "loss") -> list[int]:
    name = series_pb2.SeriesName(run_id=run_id, key=key)
    return [
        step
        async for answer in series_pb2_grpc.SeriesServiceStub(channel).GetHistory(
            series_pb2.GetHistoryRequest(series=[name])
        )
        for piece in answer.series
        for step in piece.step
    ]


async def test_batches_go_down_and_acknowledgements_come_up(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id, rank=3)
    await stream.say(batch_message(0, [5, -1]), batch_message(2, [9]))
    acknowledgements = await stream.until(3)
    assert sum(each.points for each in acknowledgements) == 3
    assert await steps_of(channel, run_id) == [-1, 5, 9]
    await stream.call.done_writing()
    assert await stream.failure() == (grpc.StatusCode.OK, "")


async def test_a_writer_that_comes_back_hears_where_it_stands(channel: grpc.aio.Channel) -> None:
    run_id, writer_id = uuid4().hex, uuid4().hex
    stream = await opened(channel, run_id, writer_id=writer_id)
    await stream.say(batch_message(0, [1, 2]))
    await stream.until(2)
    stream.call.cancel()
    again = Stream(channel)
    await again.say(open_message(run_id, writer_id=writer_id))
    assert (await again.hear()).opened.committed_position == 2


async def test_a_batch_that_does_not_join_is_answered_by_resume(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    await stream.say(batch_message(0, [1, 2]))
    await stream.until(2)
    # Three batches under way that don't join: one answer, and the last two are dropped.
    await stream.say(batch_message(5, [6]), batch_message(6, [7]), batch_message(7, [8]))
    assert (await stream.hear()).resume.committed_position == 2
    # So is what was on its way when the answer was.
    await stream.say(batch_message(8, [9]), batch_message(2, [3]), batch_message(3, [4]))
    await stream.until(4)
    assert await steps_of(channel, run_id) == [1, 2, 3, 4]


async def test_entries_travel_with_points_and_refusals_come_back_one_by_one(
    channel: grpc.aio.Channel,
) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    entries = [
        ingest_pb2.Entry(position=1, param=runs_pb2.Param(key="lr", value="0.1")),
        ingest_pb2.Entry(position=2, param=runs_pb2.Param(key="lr", value="0.2")),
        ingest_pb2.Entry(position=3, tag=runs_pb2.Tag(key="../up", value="x")),
        ingest_pb2.Entry(position=4, tag=runs_pb2.Tag(key="kind", value="test")),
        ingest_pb2.Entry(position=5, status=ingest_pb2.StatusChange(status=3, end_time_ms=99)),
    ]
    await stream.say(batch_message(0, [1], end_position=6, entries=entries))
    (committed,) = await stream.until(6)
    assert sorted((each.position, each.key, each.error_code) for each in committed.rejected) == [
        (2, "lr", "INVALID_PARAMETER_VALUE"),
        (3, "../up", "INVALID_PARAMETER_VALUE"),
    ]
    assert (committed.points, committed.entries) == (1, 3)
    run = (await runs_pb2_grpc.RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(run_id=run_id))).run
    assert [(param.key, param.value) for param in run.params] == [("lr", "0.1")]
    assert ("kind", "test") in [(tag.key, tag.value) for tag in run.tags]
    assert (run.info.status, run.info.end_time_ms) == (runs_pb2.RUN_STATUS_FINISHED, 99)


async def test_points_with_an_impossible_key_are_refused_alone(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    points = ingest_pb2.Points(
        key=[0, 1], count=[2, 1], step=[1, 2, 3], timestamp_ms=[1, 2, 3], value=[1, 2, 3]
    )
    batch = ingest_pb2.Batch(first_position=0, end_position=3, new_keys=["k" * 251, "good"], points=points)
    await stream.say(ingest_pb2.StreamRequest(batch=batch))
    (committed,) = await stream.until(3)
    assert (committed.points, committed.rejected[0].count) == (1, 2)
    assert "250" in committed.rejected[0].reason
    assert await steps_of(channel, run_id, "good") == [3]


POINTS = ingest_pb2.Points


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        (ingest_pb2.Batch(first_position=4, end_position=4), "first 4 and end 4"),
        (ingest_pb2.Batch(first_position=-1, end_position=4), "first -1"),
        (ingest_pb2.Batch(end_position=1, dropped=2), "`dropped` is from 0 to 1"),
        (ingest_pb2.Batch(end_position=1, damaged=-1), "`damaged` from 0"),
        (ingest_pb2.Batch(end_position=1, damaged=2**40), "`damaged` from 0"),
        (ingest_pb2.Batch(end_position=1, points=POINTS(key=[7], count=[1], step=[1])), "key number 7"),
        (
            ingest_pb2.Batch(
                end_position=1, new_keys=["a"], points=POINTS(key=[0], count=[2], step=[1], value=[1])
            ),
            "lengths found",
        ),
        (ingest_pb2.Batch(end_position=1, entries=[ingest_pb2.Entry(position=1)]), "kind"),
        (
            ingest_pb2.Batch(
                end_position=1, entries=[ingest_pb2.Entry(position=9, tag=runs_pb2.Tag(key="a"))]
            ),
            r"positions in \[0, 1\)",
        ),
    ],
)
async def test_a_batch_that_contradicts_itself_ends_its_stream_and_no_other(
    channel: grpc.aio.Channel, batch: ingest_pb2.Batch, complaint: str
) -> None:
    run_id = uuid4().hex
    neighbour, stream = await opened(channel, run_id), await opened(channel, run_id)
    await stream.say(ingest_pb2.StreamRequest(batch=batch))
    code, details = await stream.failure()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert complaint.replace("\\", "") in details
    await neighbour.say(batch_message(0, [1]))
    await neighbour.until(1)


async def test_the_first_message_must_open(channel: grpc.aio.Channel) -> None:
    stream = Stream(channel)
    await stream.say(batch_message(0, [1]))
    code, details = await stream.failure()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "open" in details


async def test_bytes_that_are_no_message_and_too_large_messages_harm_nobody_else(
    channel: grpc.aio.Channel,
) -> None:
    neighbour = await opened(channel, uuid4().hex)
    raw = channel.stream_stream("/stepwell_api.v1.IngestService/Stream")
    for garbage in (b"\xff" * 100, b"\x12" + bytes(9 * 2**20)):
        call = raw()
        with suppress(grpc.aio.AioRpcError):
            await call.write(garbage)
        assert await call.code() is not grpc.StatusCode.OK
    await neighbour.say(batch_message(0, [1]))
    await neighbour.until(1)


async def test_what_came_before_an_error_is_committed(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    await stream.say(batch_message(0, [1, 2]), batch_message(2, [], end_position=2))
    assert (await stream.failure())[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert await steps_of(channel, run_id) == [1, 2]


async def test_two_writers_of_one_run_lose_nothing(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex

    async def write(rank: int) -> None:
        stream = await opened(channel, run_id, rank=rank)
        for start in range(0, 400, 20):
            await stream.say(batch_message(start, list(range(start, start + 20))))
        await stream.until(400)

    await asyncio.gather(*[write(rank) for rank in range(4)])
    assert await steps_of(channel, run_id) == sorted(list(range(400)) * 4)


async def test_a_large_batch_and_many_metrics(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    await stream.say(batch_message(0, list(range(100_000))))
    names = [f"metric {number}" for number in range(2_000)]
    numbers = list(range(1, 2_001))
    points = POINTS(key=numbers, count=[1] * 2_000, step=numbers, timestamp_ms=numbers, value=numbers)
    batch = ingest_pb2.Batch(first_position=100_000, end_position=102_000, new_keys=names, points=points)
    await stream.say(ingest_pb2.StreamRequest(batch=batch))
    await stream.until(102_000)
    assert await steps_of(channel, run_id) == list(range(100_000))
    assert await steps_of(channel, run_id, "metric 77") == [78]
    run = (await runs_pb2_grpc.RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(run_id=run_id))).run
    assert len(run.metrics) == 2_001
