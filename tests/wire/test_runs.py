import asyncio
import math
from uuid import UUID, uuid4

import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_server.app import RunningServer
from tests.harness.calls import invalid, invalid_state, not_found

NAME_TAG = "mlflow.runName"


@pytest.fixture
def runs(channel: grpc.aio.Channel) -> RunServiceStub:
    return RunServiceStub(channel)


async def create(runs: RunServiceStub, **fields: object) -> pb.CreateRunResponse:
    spec = {"run_id": uuid4().hex, "experiment_id": 0, "start_time_ms": 1_000, **fields}
    return await runs.CreateRun(pb.CreateRunRequest(spec=pb.RunSpec(**spec)))


async def get(runs: RunServiceStub, run_id: str) -> pb.Run:
    return (await runs.GetRun(pb.GetRunRequest(run_id=run_id))).run


def tags_of(run: pb.Run) -> dict[str, str]:
    return {tag.key: tag.value for tag in run.tags}


async def test_a_created_run_is_read_back(runs: RunServiceStub) -> None:
    tags = [pb.Tag(key="mlflow.user", value="ada")]
    answer = await create(runs, name="first", user="ada", tags=tags)
    info = answer.run.info
    assert answer.created
    assert (info.name, info.user, info.status) == ("first", "ada", pb.RUN_STATUS_RUNNING)
    assert (info.start_time_ms, info.HasField("end_time_ms")) == (1_000, False)
    assert info.artifact_uri == f"stepwell-artifacts:/0/{info.run_id}/artifacts"
    assert info.lifecycle_stage == pb.LIFECYCLE_STAGE_ACTIVE
    assert tags_of(answer.run) == {"mlflow.user": "ada", NAME_TAG: "first"}
    assert await get(runs, info.run_id) == answer.run


async def test_creating_a_run_again_changes_nothing(runs: RunServiceStub) -> None:
    first = await create(runs, name="first")
    again = await create(runs, run_id=first.run.info.run_id, name="second")
    without_experiment = pb.RunSpec(run_id=first.run.info.run_id)
    joined = await runs.CreateRun(pb.CreateRunRequest(spec=without_experiment))
    assert (first.created, again.created, joined.created) == (True, False, False)
    assert first.run == again.run == joined.run


async def test_a_run_without_a_name_gets_one(runs: RunServiceStub) -> None:
    answer = await create(runs, start_time_ms=0)
    assert answer.run.info.name == tags_of(answer.run)[NAME_TAG] != ""
    assert answer.run.info.start_time_ms > 1_700_000_000_000


async def test_an_experiment_is_created_by_its_name_once(
    runs: RunServiceStub, channel: grpc.aio.Channel
) -> None:
    fields = {"experiment_id": None, "experiment_name": "new"}
    answers = await asyncio.gather(*(create(runs, **fields) for _ in range(20)))
    ids = {answer.run.info.experiment_id for answer in answers}
    request = pb.GetExperimentRequest(name="new")
    experiment = (await ExperimentServiceStub(channel).GetExperiment(request)).experiment
    assert ids == {experiment.experiment_id}


async def test_one_of_many_concurrent_calls_creates_the_run(runs: RunServiceStub) -> None:
    run_id = uuid4().hex
    answers = await asyncio.gather(*(create(runs, run_id=run_id, name="same") for _ in range(20)))
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.run.SerializeToString() for answer in answers}) == 1


async def experiment_named(channel: grpc.aio.Channel, name: str) -> pb.Experiment:
    return (await ExperimentServiceStub(channel).GetExperiment(pb.GetExperimentRequest(name=name))).experiment


async def test_what_a_run_needs_must_exist(
    runs: RunServiceStub, channel: grpc.aio.Channel, server: RunningServer
) -> None:
    async with not_found("experiment with id 77"):
        await create(runs, experiment_id=77)
    run_id = uuid4().hex
    async with not_found(run_id):
        await runs.CreateRun(pb.CreateRunRequest(spec=pb.RunSpec(run_id=run_id)))
    async with not_found(run_id):
        await get(runs, run_id)
    await create(runs, experiment_id=None, experiment_name="gone")
    async with server.pool.connection() as connection:
        await connection.execute("UPDATE experiment SET lifecycle_stage = 'deleted' WHERE name = 'gone'")
    async with invalid_state("deleted"):
        await create(runs, experiment_id=(await experiment_named(channel, "gone")).experiment_id)
    again = (await create(runs, experiment_id=None, experiment_name="gone")).run
    assert (await experiment_named(channel, "gone")).experiment_id == again.info.experiment_id


@pytest.mark.parametrize(
    "fields",
    [
        {"run_id": ""},
        {"run_id": "xyz"},
        {"run_id": str(uuid4())},
        {"run_id": "{" + uuid4().hex[:30] + "}"},
        {"name": "x" * 501},
        {"name": "a", "tags": [pb.Tag(key=NAME_TAG, value="b")]},
        {"tags": [pb.Tag(key="a//b", value="c")]},
        {"tags": [pb.Tag(key="a", value="\0")]},
        {"start_time_ms": -5},
        {"user": "u" * 257},
        {"experiment_id": None, "experiment_name": ""},
    ],
)
async def test_wrong_input_is_refused(runs: RunServiceStub, fields: dict[str, object]) -> None:
    async with invalid():
        await create(runs, **fields)


async def test_what_was_logged_comes_in_key_order(runs: RunServiceStub, server: RunningServer) -> None:
    run_id = (await create(runs, name="n")).run.info.run_id
    async with server.pool.connection() as connection:
        await connection.execute("INSERT INTO metric (name) VALUES ('b'), ('a'), ('B')")
        await connection.execute(
            "INSERT INTO metric_latest (run_id, metric_id, step, timestamp_ms, value, count, non_finite_count)"
            " SELECT $1, metric_id, -(2::numeric ^ 63), row_number() OVER (ORDER BY metric_id), 'NaN', 1, 1"
            " FROM metric",
            UUID(hex=run_id),
        )
        await connection.execute(
            "INSERT INTO param (run_id, key, value) VALUES ($1, 'b', ''), ($1, 'a', 'ß'), ($1, 'B', '1')",
            UUID(hex=run_id),
        )
    run = await get(runs, run_id)
    assert [(param.key, param.value) for param in run.params] == [("B", "1"), ("a", "ß"), ("b", "")]
    assert [(metric.key, metric.step, metric.timestamp_ms) for metric in run.metrics] == [
        ("B", -(2**63), 3),
        ("a", -(2**63), 2),
        ("b", -(2**63), 1),
    ]
    assert all(math.isnan(metric.value) for metric in run.metrics)


async def test_an_update_changes_what_is_set(runs: RunServiceStub) -> None:
    created = (await create(runs, name="old")).run
    run_id = created.info.run_id
    unchanged = await runs.UpdateRun(pb.UpdateRunRequest(run_id=run_id))
    assert unchanged.info == created.info
    ended = pb.UpdateRunRequest(run_id=run_id, status=pb.RUN_STATUS_FAILED, end_time_ms=2_000)
    info = (await runs.UpdateRun(ended)).info
    assert (info.status, info.end_time_ms, info.name) == (pb.RUN_STATUS_FAILED, 2_000, "old")
    resumed = pb.UpdateRunRequest(run_id=run_id, status=pb.RUN_STATUS_RUNNING)
    assert (await runs.UpdateRun(resumed)).info.end_time_ms == 2_000


async def test_renaming_a_run_also_sets_its_tag(runs: RunServiceStub) -> None:
    run_id = (await create(runs, name="old")).run.info.run_id
    await runs.UpdateRun(pb.UpdateRunRequest(run_id=run_id, name="new"))
    run = await get(runs, run_id)
    assert (run.info.name, tags_of(run)[NAME_TAG]) == ("new", "new")


async def test_wrong_updates_are_refused(runs: RunServiceStub) -> None:
    run_id = (await create(runs)).run.info.run_id
    for fields in ({"status": 9}, {"end_time_ms": -1}, {"name": ""}, {"name": "\0"}):
        async with invalid():
            await runs.UpdateRun(pb.UpdateRunRequest(run_id=run_id, **fields))
    async with not_found():
        await runs.UpdateRun(pb.UpdateRunRequest(run_id=uuid4().hex, name="x"))


async def test_a_tag_can_be_deleted_once(runs: RunServiceStub) -> None:
    tags = [pb.Tag(key="a", value="1"), pb.Tag(key="b", value="2")]
    run_id = (await create(runs, name="n", tags=tags)).run.info.run_id
    await runs.DeleteTag(pb.DeleteTagRequest(run_id=run_id, key="a"))
    assert tags_of(await get(runs, run_id)) == {"b": "2", NAME_TAG: "n"}
    async with not_found("no tag 'a'"):
        await runs.DeleteTag(pb.DeleteTagRequest(run_id=run_id, key="a"))
    async with not_found("no run"):
        await runs.DeleteTag(pb.DeleteTagRequest(run_id=uuid4().hex, key="a"))


async def test_a_deleted_run_does_not_change(runs: RunServiceStub, server: RunningServer) -> None:
    run_id = (await create(runs, tags=[pb.Tag(key="a", value="1")])).run.info.run_id
    async with server.pool.connection() as connection:
        await connection.execute("UPDATE run SET lifecycle_stage = 'deleted'")
    async with invalid_state("deleted"):
        await runs.UpdateRun(pb.UpdateRunRequest(run_id=run_id, name="x"))
    async with invalid_state("deleted"):
        await runs.DeleteTag(pb.DeleteTagRequest(run_id=run_id, key="a"))
    assert (await get(runs, run_id)).info.lifecycle_stage == pb.LIFECYCLE_STAGE_DELETED


async def test_a_message_that_is_none_harms_nobody(channel: grpc.aio.Channel, runs: RunServiceStub) -> None:
    raw = channel.unary_unary("/stepwell_api.v1.RunService/GetRun")
    with pytest.raises(grpc.aio.AioRpcError):
        await raw(b"\xff\xff\xff")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(b"\0" * (8 * 1024 * 1024 + 1))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await create(runs)).created


async def test_calls_survive_that_connections_are_cut(runs: RunServiceStub, server: RunningServer) -> None:
    run_id = (await create(runs)).run.info.run_id
    async with server.pool.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert (await get(runs, run_id)).info.run_id == run_id
