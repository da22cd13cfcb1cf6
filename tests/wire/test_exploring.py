"""What a page of runs asks beside the runs, over the wire: summaries of metrics, values, groups, kin."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import grpc.aio
import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.entities import Dataset, DatasetInput
from stepwell_api.v1 import runs_pb2, search_pb2
from stepwell_api.v1.search_pb2_grpc import SearchServiceStub
from stepwell_server import composition
from stepwell_server.app import RunningServer
from stepwell_server.store import sql
from stepwell_server.store.postgres import migrations
from stepwell_server.store.postgres.engines import Engine
from stepwell_server.store.search import group_query
from tests.harness.calls import already_exists, invalid, not_found
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
async def search(shared_server: ServerProcess) -> AsyncIterator[SearchServiceStub]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{shared_server.port}") as channel:
        yield SearchServiceStub(channel)


@pytest.fixture
def client(shared_server: ServerProcess) -> StepwellClient:
    return StepwellClient(shared_server.tracking_uri)


@pytest.fixture
def experiment_id(client: StepwellClient) -> int:
    return int(client.create_experiment(f"explored {uuid4().hex}"))


def add_run(
    client: StepwellClient,
    experiment_id: int,
    name: str,
    losses: list[float],
    tags: dict[str, str],
    **params: str,
) -> str:
    run_id = client.create_run(str(experiment_id), run_name=name, tags=tags).info.run_id
    client.log_batch(
        run_id,
        metrics=[stepwell.Metric("loss", loss, 0, step) for step, loss in enumerate(losses)],
        params=[stepwell.Param(key, value) for key, value in params.items()],
        synchronous=True,
    )
    return run_id


async def found(search: SearchServiceStub, experiment_id: int, **fields: object) -> list[runs_pb2.Run]:
    request = search_pb2.SearchRunsRequest(experiment_ids=[experiment_id], **fields)
    return list((await search.SearchRuns(request)).runs)


async def test_metrics_come_with_what_all_their_points_have_in_common(
    client: StepwellClient, search: SearchServiceStub, experiment_id: int
) -> None:
    add_run(client, experiment_id, "walk", [4.0, 1.0, math.nan, 2.5], {})
    add_run(client, experiment_id, "lost", [math.nan], {})
    asked = {"metrics": search_pb2.Keys(key=["loss"]), "order_by": ["min(metrics.loss)"]}
    walk, lost = await found(search, experiment_id, metric_summaries=True, **asked)
    summary = walk.metrics[0].summary
    assert (summary.min, summary.max, summary.mean) == (1.0, 4.0, 2.5)
    assert (summary.count, summary.non_finite_count, walk.metrics[0].value) == (4, 1, 2.5)
    empty = lost.metrics[0].summary
    assert not any(map(empty.HasField, ("min", "max", "mean")))
    assert (empty.count, empty.non_finite_count) == (1, 1)
    plain = await found(search, experiment_id, **asked)
    assert not any(run.metrics[0].HasField("summary") for run in plain)


@pytest.fixture
def nodes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server take its database for one node or for several."""

    async def engine_of(*_: object) -> Engine:
        return Engine(is_distributed=request.param > 1, is_coordinator=True)

    monkeypatch.setattr(migrations, "engine_of", engine_of)
    monkeypatch.setattr(composition, "ShardPlaces", lambda _: None)  # there are none to ask for
    monkeypatch.setattr(sql.Queries, "is_distributed", False)  # put back at the end


@pytest.mark.parametrize("nodes", [1, 2], indirect=True)
@pytest.mark.usefixtures("nodes")
async def test_values_of_texts_are_told_those_of_most_runs_first(
    server: RunningServer, channel: grpc.aio.Channel
) -> None:
    search = SearchServiceStub(channel)

    def log() -> None:
        client = StepwellClient(server.tracking_uri)
        for number, optimizer in enumerate(["adam", "AdamW", "sgd", "adam"]):
            add_run(client, 0, f"run {number}", [], {"team": "it's"}, opt=optimizer, long="x" * 501)

    await asyncio.to_thread(log)

    async def values(field: str, **fields: object) -> list[tuple[str, int]]:
        request = search_pb2.ListValuesRequest(experiment_ids=[0], field=field, **fields)
        return [(it.value, it.runs) for it in (await search.ListValues(request)).values]

    assert await values("params.opt") == [("adam", 2), ("AdamW", 1), ("sgd", 1)]
    assert await values("params.opt", contains="ADAM", limit=1) == [("adam", 2)]
    assert await values("tags.team") == [("it's", 4)]
    assert await values("status") == [("RUNNING", 4)]
    assert await values("params.long") == await values("params.none") == await values("datasets.name") == []
    for field, reason in (("metrics.loss", "is a number"), ("nothing", "no attribute"), ("params.", "")):
        async with invalid(reason):
            await values(field)
    async with invalid("limit"):
        await values("params.opt", limit=1_001)


@pytest.mark.parametrize(("nodes", "probed_max"), [(1, 0), (1, 2_000), (2, 0)], indirect=["nodes"])
@pytest.mark.usefixtures("nodes")
async def test_runs_are_grouped_with_mean_and_spread(
    server: RunningServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch, probed_max: int
) -> None:
    """Few runs are looked up one by one, many are joined with the indexes: both know the same."""
    monkeypatch.setattr(group_query, "PROBED_RUNS_MAX", probed_max)
    search = SearchServiceStub(channel)

    def log() -> None:
        client = StepwellClient(server.tracking_uri)
        for number, (optimizer, losses) in enumerate(
            [("adam", [3.0, 1.0]), ("adam", [2.0, 3.0]), ("sgd", [math.nan]), ("adam", []), ("", [1e200])]
        ):
            params = {"opt": optimizer} if optimizer else {}
            run_id = add_run(
                client, 0, f"run {number}", losses, {"team": "a" if number < 2 else "b"}, **params
            )
            names = ["train", "test"] if number == 0 else ["train"] if number == 1 else []
            for name in names:
                client.log_inputs(run_id, [DatasetInput(Dataset(name, "d1", "local", "{}"), [])])

    await asyncio.to_thread(log)

    async def groups(*by: str, **fields: object) -> list[tuple[list[str | None], int, list[float]]]:
        request = search_pb2.GroupRunsRequest(experiment_ids=[0], by=by, **fields)
        answer = await search.GroupRuns(request)
        return [
            (
                [it.value if it.HasField("value") else None for it in group.values],
                group.runs,
                [
                    round(it, 3)
                    for one in group.metrics
                    for it in (one.count, one.mean, one.deviation, one.min, one.max)
                ],
            )
            for group in answer.groups
        ]

    last, least = [2, 2.0, 1.414, 1.0, 3.0], [2, 1.5, 0.707, 1.0, 2.0]
    nothing = [0, 0.0, 0.0, 0.0, 0.0]
    assert await groups("params.opt", metrics=["metrics.loss", "min(metrics.loss)"]) == [
        (["adam"], 3, last + least),
        (["sgd"], 1, nothing * 2),
        ([None], 1, nothing * 2),
    ]
    assert await groups("tags.team", "params.opt", filter="params.opt = 'adam'") == [
        (["a", "adam"], 2, []),
        (["b", "adam"], 1, []),
    ]
    assert await groups("datasets.name", metrics=["metrics.loss"]) == [
        ([None], 3, nothing),
        (["train"], 2, last),
        (["test"], 1, [1, 1.0, 0.0, 1.0, 1.0]),
    ]
    request = search_pb2.GroupRunsRequest(experiment_ids=[0], by=["params.opt"], limit=2)
    answer = await search.GroupRuns(request)
    assert (len(answer.groups), answer.complete) == (2, False)
    for by, fields, reason in (
        ([], {}, "1 to 4"),
        (["metrics.loss"], {}, "is a number"),
        (["params.opt"], {"metrics": ["params.opt"]}, "is no metric"),
        (["params.opt"], {"filter": "run_name REGEXP '*'"}, "no regular expression"),
    ):
        async with invalid(reason):
            await groups(*by, **fields)


async def test_kin_of_runs_of_any_depth(
    client: StepwellClient, search: SearchServiceStub, experiment_id: int
) -> None:
    ids = [add_run(client, experiment_id, "0", [], {})]
    for depth in range(1, 4):
        ids.append(add_run(client, experiment_id, str(depth), [], {"mlflow.parentRunId": ids[-1]}))
    hostile = add_run(client, experiment_id, "x", [], {"mlflow.parentRunId": "'; DROP TABLE run"})
    loop = [add_run(client, experiment_id, name, [], {}) for name in ("a", "b")]
    for one, other in (loop, loop[::-1]):
        client.set_tag(one, "mlflow.parentRunId", other, synchronous=True)
    gone = add_run(client, experiment_id, "gone", [], {"mlflow.parentRunId": ids[0]})
    client.delete_run(gone)
    request = search_pb2.ListKinRequest(run_ids=[*ids, hostile, loop[0], uuid4().hex])
    kin = (await search.ListKin(request)).kin
    assert [it.run_id for it in kin] == [*ids, hostile, loop[0]]
    assert [list(it.ancestor_ids) for it in kin] == [[], ids[:1], ids[1::-1], ids[2::-1], [], [loop[1]]]
    assert [it.children for it in kin] == [1, 1, 1, 0, 0, 1]
    roots = await found(search, experiment_id, roots_only=True, order_by=["run_name"])
    assert [run.info.name for run in roots] == ["0", "x"]
    client.delete_run(ids[0])
    roots = await found(search, experiment_id, roots_only=True, order_by=["run_name"])
    assert [run.info.name for run in roots] == ["1", "x"]  # its parent is not there to be shown below


async def test_whoever_looks_is_told_which_runs_changed(
    server: RunningServer, channel: grpc.aio.Channel
) -> None:
    search = SearchServiceStub(channel)
    client = StepwellClient(server.tracking_uri)

    async def changed(since_ms: int) -> list[str]:
        request = search_pb2.ListChangedRunsRequest(experiment_ids=[0], since_ms=since_ms)
        answer = await search.ListChangedRuns(request)
        assert answer.complete
        return [change.run_id for change in answer.changes]

    async def grow_old() -> int:
        async with server.pool.connection() as connection:
            await connection.execute("UPDATE run SET changed_time_ms = 1000")
        return (await search.ListChangedRuns(search_pb2.ListChangedRunsRequest(experiment_ids=[0]))).now_ms

    run_id = await asyncio.to_thread(add_run, client, 0, "run", [], {})
    assert await changed(await grow_old()) == []
    assert await changed(1) == [run_id]
    acts: list[Callable[[], object]] = [
        lambda: client.update_run(run_id, name="again"),
        lambda: client.set_tag(run_id, "mlflow.runName", "renamed", synchronous=True),
        lambda: client.set_terminated(run_id),
        lambda: client.delete_run(run_id),
        lambda: client.restore_run(run_id),
    ]
    for act in acts:
        now_ms = await grow_old()
        await asyncio.to_thread(act)
        await asyncio.to_thread(client.flush)
        assert await changed(now_ms) == [run_id]
    for change in ({"delete": search_pb2.DeleteRuns()}, {"restore": search_pb2.RestoreRuns()}):
        now_ms = await grow_old()
        by_filter = search_pb2.ChangeRunsRequest(experiment_ids=[0], filter="run_id IS NOT NULL", **change)
        await search.ChangeRuns(by_filter)
        assert await changed(now_ms) == [run_id]
    now_ms = await grow_old()
    new = await asyncio.to_thread(add_run, client, 0, "new", [], {})
    assert await changed(now_ms) == [new]
    async with invalid("milliseconds"):
        await changed(-1)


async def test_experiments_are_told_with_the_numbers_of_their_runs(
    client: StepwellClient, search: SearchServiceStub, experiment_id: int
) -> None:
    empty = int(client.create_experiment(f"empty {uuid4().hex}"))
    ids = [add_run(client, experiment_id, str(number), [], {}) for number in range(3)]
    client.set_terminated(ids[0])
    client.flush()
    client.delete_run(ids[1])
    request = search_pb2.SummarizeExperimentsRequest(experiment_ids=[empty, experiment_id, 2**40])
    one, other = sorted((await search.SummarizeExperiments(request)).experiments, key=lambda it: it.runs)
    assert (one.experiment_id, one.runs, one.running, one.last_change_ms) == (empty, 0, 0, 0)
    assert (other.experiment_id, other.runs, other.running) == (experiment_id, 2, 1)
    assert other.last_change_ms > 1_700_000_000_000


async def test_views_are_kept_under_names(
    client: StepwellClient, search: SearchServiceStub, experiment_id: int
) -> None:
    other = int(client.create_experiment(f"other {uuid4().hex}"))

    async def save(name: str, address: str, *ids: int, replace: bool = False) -> search_pb2.View:
        request = search_pb2.SaveViewRequest(
            experiment_ids=ids or [experiment_id], name=name, address=address, replace=replace
        )
        return (await search.SaveView(request)).view

    async def views(*ids: int) -> list[tuple[str, str]]:
        answer = await search.ListViews(search_pb2.ListViewsRequest(experiment_ids=ids or [experiment_id]))
        return [(view.name, view.address) for view in answer.views]

    kept = await save("<b>losses", "q=1")
    assert await views() == [("<b>losses", "q=1")]
    async with already_exists("<b>losses"):
        await save("<b>losses", "q=2")
    assert (await save("<b>losses", "q=2", replace=True)).view_id == kept.view_id
    assert (await save("both", "x", other, experiment_id)).experiment_ids == sorted([experiment_id, other])
    assert await views(experiment_id, other) == [("both", "x")]
    await search.DeleteView(search_pb2.DeleteViewRequest(view_id=kept.view_id))
    assert await views() == []
    async with not_found(str(kept.view_id)):
        await search.DeleteView(search_pb2.DeleteViewRequest(view_id=kept.view_id))
    for name, address in (("", "x"), ("x" * 201, "x"), ("a\0", "x"), ("x", "x" * 16_385)):
        async with invalid():
            await save(name, address)
    for number in range(200):
        await save(str(number), "x")
    async with invalid("200 views"):
        await save("one more", "x")
