"""Samples and watches on the wire: chosen columns, x of a metric, runs that are followed from now on."""

import uuid

import grpc
import grpc.aio
import pytest

from stepwell import Metric, StepwellClient
from stepwell_api.v1 import runs_pb2
from stepwell_api.v1 import series_pb2 as pb
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
def logged(shared_server: ServerProcess) -> tuple[StepwellClient, str]:
    """A run with y = step over x = step / 2."""
    client = StepwellClient(shared_server.tracking_uri)
    run_id = client.create_run(client.create_experiment(f"samples {uuid.uuid4().hex}")).info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric("y", float(step), step, step) for step in range(10)]
        + [Metric("x", step / 2, step, step) for step in range(10)],
    )
    client.flush()
    return client, run_id


async def sampled(server: ServerProcess, request: pb.SampleSeriesRequest) -> list[pb.SampleSeriesResponse]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return [answer async for answer in SeriesServiceStub(channel).SampleSeries(request)]


async def test_only_columns_that_are_wanted_come(
    shared_server: ServerProcess, logged: tuple[StepwellClient, str]
) -> None:
    _, run_id = logged
    wanted = [pb.SAMPLE_COLUMN_FIRST_X, pb.SAMPLE_COLUMN_MEAN]
    request = pb.SampleSeriesRequest(run_ids=[run_id], keys=["y"], buckets=5, columns=wanted)
    (answer,) = await sampled(shared_server, request)
    assert {field.name for field, _ in answer.ListFields()} == {"first_x", "mean"}
    assert list(answer.mean) == [0.5, 2.5, 4.5, 6.5, 8.5]
    request.columns.append(77)  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError, match="77 is not a column"):
        await sampled(shared_server, request)


async def test_x_is_another_metric(shared_server: ServerProcess, logged: tuple[StepwellClient, str]) -> None:
    _, run_id = logged
    request = pb.SampleSeriesRequest(
        run_ids=[run_id],
        keys=["y"],
        buckets=2,
        axis=pb.X_AXIS_METRIC,
        x_key="x",
        x_value_from=1.0,
        x_value_to=3.0,
    )
    (answer,) = await sampled(shared_server, request)
    assert (list(answer.first_x_value), list(answer.last_x_value)) == ([1.0, 2.0], [1.5, 3.0])
    assert (list(answer.mean), list(answer.first_x)) == ([2.5, 5.0], [])
    request.axis = pb.X_AXIS_STEP
    with pytest.raises(grpc.aio.AioRpcError, match="for the axis METRIC"):
        await sampled(shared_server, request)


async def test_points_that_a_resume_hides_count_when_asked_for(
    shared_server: ServerProcess, logged: tuple[StepwellClient, str]
) -> None:
    _, run_id = logged
    async with grpc.aio.insecure_channel(f"127.0.0.1:{shared_server.port}") as channel:
        await RunServiceStub(channel).RewindRun(runs_pb2.RewindRunRequest(run_id=run_id, from_step=4))
    request = pb.SampleSeriesRequest(run_ids=[run_id], keys=["y"], buckets=1)
    (visible,) = await sampled(shared_server, request)
    request.with_hidden = True
    (everything,) = await sampled(shared_server, request)
    assert (list(visible.count), list(everything.count)) == ([4], [10])
    request.axis, request.x_key = pb.X_AXIS_METRIC, "x"
    with pytest.raises(grpc.aio.AioRpcError, match="with_hidden"):
        await sampled(shared_server, request)


async def test_runs_are_followed_from_now_beside_those_with_positions(
    shared_server: ServerProcess, logged: tuple[StepwellClient, str]
) -> None:
    client, known = logged
    other = client.create_run(client.get_run(known).info.experiment_id).info.run_id
    client.log_metric(other, "y", 1.0, step=0)
    client.flush()
    request = pb.WatchRequest(
        run_ids=[known, other], keys=["y"], start=pb.WATCH_START_POSITIONS, from_now_run_ids=[other]
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{shared_server.port}") as channel:
        answers = SeriesServiceStub(channel).Watch(request)
        first = await answers.read()
        assert {at.run_id for at in first.positions} == {other}
        (everything,) = (await answers.read()).series
        assert (everything.run_id, len(everything.points.step)) == (known, 10)
        client.log_metric(other, "y", 2.0, step=1)
        client.flush()
        (news,) = (await answers.read()).series
        assert (news.run_id, list(news.points.step)) == (other, [1])
        answers.cancel()
