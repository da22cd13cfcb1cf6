"""Searching and changing many runs over the wire."""

from uuid import UUID, uuid4

import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1 import search_pb2
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_api.v1.search_pb2_grpc import SearchServiceStub
from stepwell_server.app import RunningServer
from stepwell_server.services import search as search_module
from stepwell_server.services.exploring import keys as keys_module
from tests.harness.calls import invalid


@pytest.fixture
def search(channel: grpc.aio.Channel) -> SearchServiceStub:
    return SearchServiceStub(channel)


async def new_run(
    channel: grpc.aio.Channel, name: str, experiment_id: int = 0, *, start_time_ms: int = 0, **tags: str
) -> str:
    given = [pb.Tag(key=key, value=value) for key, value in tags.items()]
    spec = pb.RunSpec(
        run_id=uuid4().hex, experiment_id=experiment_id, name=name, tags=given, start_time_ms=start_time_ms
    )
    return (await RunServiceStub(channel).CreateRun(pb.CreateRunRequest(spec=spec))).run.info.run_id


async def names(search: SearchServiceStub, filter_: str = "", **fields: object) -> list[str]:
    """The names of all runs that are found, page by page."""
    found: list[str] = []
    token = ""
    while True:
        request = search_pb2.SearchRunsRequest(
            experiment_ids=[0], filter=filter_, page_token=token, order_by=["run_name"], **fields
        )
        answer = await search.SearchRuns(request)
        found += [run.info.name for run in answer.runs]
        token = answer.next_page_token
        if not token:
            return found


async def change(search: SearchServiceStub, filter_: str, experiment_id: int = 0, **what: object) -> int:
    request = search_pb2.ChangeRunsRequest(experiment_ids=[experiment_id], filter=filter_, **what)
    return (await search.ChangeRuns(request)).runs


async def test_children_are_found_by_their_parent(
    channel: grpc.aio.Channel, search: SearchServiceStub
) -> None:
    parent = await new_run(channel, "parent")
    for number in range(3):
        await new_run(channel, f"child {number}", **{"mlflow.parentRunId": parent})
    children = await names(search, f"tags.mlflow.parentRunId = '{parent}'")
    assert children == ["child 0", "child 1", "child 2"]
    assert await names(search, "tags.mlflow.parentRunId IS NULL") == ["parent"]


async def test_no_experiment_is_not_all_experiments(
    channel: grpc.aio.Channel, search: SearchServiceStub
) -> None:
    await new_run(channel, "only")
    nowhere = await search.SearchRuns(search_pb2.SearchRunsRequest())
    everywhere = await search.SearchRuns(search_pb2.SearchRunsRequest(all_experiments=True))
    assert (len(nowhere.runs), len(everywhere.runs)) == (0, 1)


async def test_an_answer_that_would_be_too_large_is_cut(
    channel: grpc.aio.Channel, search: SearchServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await new_run(channel, f"run {number}", note="x" * 3_000)
    monkeypatch.setattr(search_module, "ANSWER_BYTES_MAX", 7_500)
    first = await search.SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=[0], page_size=100))
    assert len(first.runs) == 2
    assert await names(search, page_size=100) == [f"run {number}" for number in range(5)]
    monkeypatch.setattr(search_module, "ANSWER_BYTES_MAX", 1)
    assert len(await names(search)) == 5


async def test_many_runs_change_at_once(channel: grpc.aio.Channel, search: SearchServiceStub) -> None:
    for number in range(6):
        await new_run(channel, f"run {number}", half=str(number % 2))
    tags = search_pb2.TagRuns(tags=[pb.Tag(key="seen", value="yes"), pb.Tag(key="half", value="2")])
    assert await change(search, "tags.half = '1'", tag=tags) == 3
    assert await names(search, "tags.seen = 'yes' AND tags.half = '2'") == ["run 1", "run 3", "run 5"]
    assert await change(search, "tags.seen = 'yes'", delete=search_pb2.DeleteRuns()) == 3
    assert await change(search, "tags.seen = 'yes'", delete=search_pb2.DeleteRuns()) == 0
    assert await names(search) == ["run 0", "run 2", "run 4"]
    assert len(await names(search, view_type=pb.VIEW_TYPE_DELETED_ONLY)) == 3
    assert await change(search, "run_name = 'run 3'", restore=search_pb2.RestoreRuns()) == 1
    assert await names(search) == ["run 0", "run 2", "run 3", "run 4"]
    experiments = ExperimentServiceStub(channel)
    answer = await experiments.CreateExperiment(pb.CreateExperimentRequest(name="gone"))
    gone = answer.experiment.experiment_id
    await new_run(channel, "run 6", gone)
    await experiments.DeleteExperiment(pb.DeleteExperimentRequest(experiment_id=gone))
    assert await change(search, "run_id IS NOT NULL", gone, restore=search_pb2.RestoreRuns()) == 0


async def test_wrong_searches_are_refused(channel: grpc.aio.Channel, search: SearchServiceStub) -> None:
    async with invalid("unexpected '='"):
        await names(search, "metrics.a = = 1")
    async with invalid("page size"):
        await names(search, page_size=50_001)
    async with invalid("view type"):
        await names(search, view_type=9)
    async with invalid("invalid (character 17):\nrun_name REGEXP '*'\n                ^"):
        await names(search, "run_name REGEXP '*'")
    async with invalid("no regular expression"):
        await change(search, "run_name REGEXP '*'", delete=search_pb2.DeleteRuns())
    async with invalid("run_id IS NOT NULL"):
        await change(search, " ", delete=search_pb2.DeleteRuns())
    async with invalid("set delete, restore or tag"):
        await change(search, "run_name = 'x'")
    async with invalid("renamed one by one"):
        await change(
            search, "run_name = 'x'", tag=search_pb2.TagRuns(tags=[pb.Tag(key="mlflow.runName", value="y")])
        )
    for number in range(2):
        await new_run(channel, f"run {number}")
    request = search_pb2.SearchRunsRequest(experiment_ids=[0], page_size=1)
    token = (await search.SearchRuns(request)).next_page_token
    async with invalid("not one of this search"):
        await search.SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=[0, 1], page_token=token))


async def test_experiments_are_searched(channel: grpc.aio.Channel, search: SearchServiceStub) -> None:
    stub = ExperimentServiceStub(channel)
    for number in range(4):
        tags = [pb.Tag(key="team", value="a" if number % 2 else "b")]
        await stub.CreateExperiment(pb.CreateExperimentRequest(name=f"e{number}", tags=tags))
    found: list[str] = []
    token = ""
    while True:
        request = search_pb2.SearchExperimentsRequest(
            filter="tags.team IN ('a', 'b') AND NOT name = 'e2'",
            order_by=["tags.team DESC", "name"],
            page_size=1,
            page_token=token,
        )
        answer = await search.SearchExperiments(request)
        found += [experiment.name for experiment in answer.experiments]
        token = answer.next_page_token
        if not token:
            break
    assert found == ["e0", "e1", "e3"]
    assert {tag.key: tag.value for tag in answer.experiments[0].tags} == {"team": "a"}
    everything = await search.SearchExperiments(search_pb2.SearchExperimentsRequest())
    assert len(everything.experiments) == 5


async def test_the_parser_is_in_front_of_the_database(
    search: SearchServiceStub, server: RunningServer
) -> None:
    """What looks like SQL is text, in every place where text may be."""
    evil = "'; DROP TABLE run; --"
    quoted = "'" + evil.replace("'", "''") + "'"
    request = search_pb2.SearchRunsRequest(
        experiment_ids=[0],
        filter=f"params.`{evil}` = {quoted} OR tags.x LIKE {quoted} OR run_name IN ({quoted})",
        order_by=[f"tags.`{evil}` DESC", f"metrics.`{evil}`"],
        metrics=search_pb2.Keys(key=[evil]),
    )
    assert len((await search.SearchRuns(request)).runs) == 0
    async with server.pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM run WHERE run_id = $1", UUID(int=0)) == 0


async def test_hits_are_counted(channel: grpc.aio.Channel, search: SearchServiceStub) -> None:
    async def count(filter_: str = "", **fields: object) -> int:
        request = search_pb2.CountRunsRequest(experiment_ids=[0], filter=filter_, **fields)
        return (await search.CountRuns(request)).runs

    for number in range(4):
        await new_run(channel, f"run {number}", half=str(number % 2))
    assert await count() == 4
    assert await count("tags.half = '1'") == 2
    assert await count("params.none IS NULL AND run_name != 'run 0'") == 3
    await change(search, "run_name = 'run 1'", delete=search_pb2.DeleteRuns())
    assert (await count(), await count(view_type=pb.VIEW_TYPE_ALL)) == (3, 4)
    assert await count(view_type=pb.VIEW_TYPE_DELETED_ONLY) == 1
    assert (await search.CountRuns(search_pb2.CountRunsRequest())).runs == 0
    assert (await search.CountRuns(search_pb2.CountRunsRequest(all_experiments=True))).runs == 3
    async with invalid("unexpected"):
        await count("= 3")
    async with invalid("no regular expression"):
        await count("run_name REGEXP '*'")


async def test_keys_of_the_latest_runs(
    channel: grpc.aio.Channel, search: SearchServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        tags = {f"only {number}": "x", "shared": "y"}
        await new_run(channel, f"run {number}", start_time_ms=number + 1, **tags)

    async def tags(**fields: object) -> tuple[dict[str, int], bool]:
        answer = await search.ListKeys(search_pb2.ListKeysRequest(experiment_ids=[0], **fields))
        return {it.key: it.runs for it in answer.tags if not it.key.startswith("mlflow.")}, answer.complete

    assert await tags() == ({"shared": 3, "only 0": 1, "only 1": 1, "only 2": 1}, True)
    assert await tags(pattern="^ONLY [01]$") == ({"only 0": 1, "only 1": 1}, True)
    assert await tags(pattern="only", limit=2) == ({"only 0": 1, "only 1": 1}, False)
    monkeypatch.setattr(keys_module, "KEY_RUNS_MAX", 1)
    assert await tags(pattern="only") == ({"only 2": 1}, False)
    for pattern, reason in (
        ("(a)\\1", "back-references"),
        ("(", "no regular expression"),
        ("x" * 201, "200"),
    ):
        async with invalid(reason):
            await tags(pattern=pattern)
    async with invalid("limit"):
        await tags(limit=10_001)
