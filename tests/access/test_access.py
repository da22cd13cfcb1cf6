"""What callers with different rights see, and what they are refused."""

from uuid import uuid4

import grpc
import pytest

from stepwell_api.v1 import runs_pb2, runs_pb2_grpc, search_pb2, search_pb2_grpc
from stepwell_server.model.access import Level, Scope
from tests.harness.calls import not_found, refused
from tests.harness.network.rest import Rest
from tests.harness.servers.access import (
    ADMIN_PASSWORD,
    DENIED,
    UNAUTHENTICATED,
    GuardedServer,
    basic,
    experiment,
    new_experiment,
    new_run,
)


async def _found(channel: grpc.aio.Channel) -> set[str]:
    request = search_pb2.SearchRunsRequest(all_experiments=True)
    answer = await search_pb2_grpc.SearchServiceStub(channel).SearchRuns(request)
    return {run.info.run_id for run in answer.runs}


async def test_nobody_is_told_anything(guarded: GuardedServer) -> None:
    async with guarded.calls_of("") as channel:
        stub = runs_pb2_grpc.ExperimentServiceStub(channel)
        async with refused(*UNAUTHENTICATED, "stepwell login"):
            await stub.ListExperiments(runs_pb2.ListExperimentsRequest())
    async with guarded.calls_of("stepwell_made_up") as channel:
        stub = runs_pb2_grpc.ExperimentServiceStub(channel)
        async with refused(*UNAUTHENTICATED, "not known"):
            await stub.ListExperiments(runs_pb2.ListExperimentsRequest())


async def test_what_is_forbidden_is_not_there(guarded: GuardedServer) -> None:
    ann, ben = await guarded.add("ann"), await guarded.add("ben")
    async with guarded.calls_of(ann) as of_ann, guarded.calls_of(ben) as of_ben:
        shared, hidden = await new_experiment(of_ann, "shared"), await new_experiment(of_ann, "hidden")
        await guarded.grant("", experiment(hidden), Level.NONE)
        seen, secret = await new_run(of_ann, shared), await new_run(of_ann, hidden)
        assert await _found(of_ann) == {seen, secret}
        assert await _found(of_ben) == {seen}
        runs = runs_pb2_grpc.RunServiceStub(of_ben)
        await runs.GetRun(runs_pb2.GetRunRequest(run_id=seen))
        texts = []
        for run_id in (secret, uuid4().hex):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id))
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            texts.append(caught.value.details().replace(run_id, "…"))
        assert texts[0] == texts[1]
        async with refused(*DENIED, "'ben' may not write to experiment"):
            await runs.DeleteRun(runs_pb2.DeleteRunRequest(run_id=seen))
        async with not_found():
            await runs.DeleteRun(runs_pb2.DeleteRunRequest(run_id=secret))
        await guarded.grant("ben", experiment(hidden), Level.WRITE)
        await runs.DeleteRun(runs_pb2.DeleteRunRequest(run_id=secret))


async def test_where_everybody_has_nothing_only_grants_count(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.NONE)
    ann, ben = await guarded.add("ann"), await guarded.add("ben")
    async with guarded.calls_of(ann) as of_ann, guarded.calls_of(ben) as of_ben:
        made = await new_experiment(of_ann, "of ann")
        run_id = await new_run(of_ann, made)
        assert (await _found(of_ann), await _found(of_ben)) == ({run_id}, set())
        listed = await runs_pb2_grpc.ExperimentServiceStub(of_ben).ListExperiments(
            runs_pb2.ListExperimentsRequest()
        )
        assert not listed.experiments


async def test_a_token_may_less_than_its_account(guarded: GuardedServer) -> None:
    ann = await guarded.add("ann")
    async with guarded.calls_of(ann) as channel:
        first, second = await new_experiment(channel, "first"), await new_experiment(channel, "second")
        of_first, of_second = await new_run(channel, first), await new_run(channel, second)
    async with guarded.calls_of(await guarded.token("ann", Scope.READ)) as channel:
        assert await _found(channel) == {of_first, of_second}
        async with refused(*DENIED, "the token's scope is read"):
            await new_run(channel, first)
        async with refused(*DENIED, "limited to reading"):
            await new_experiment(channel, "third")
    async with guarded.calls_of(await guarded.token("ann", Scope.WRITE, [first])) as channel:
        assert await _found(channel) == {of_first}
        async with not_found():
            await new_run(channel, second)


async def test_rest_takes_passwords_and_tokens(guarded: GuardedServer) -> None:
    token = await guarded.add("ann")
    assert guarded.running.http_url is not None
    rest = Rest(guarded.running.http_url)
    assert (await rest.send("GET", "/health")).status == 200
    assert (await rest.get("/api/stepwell/v1/server"))["auth"] is True
    for header, status in (
        ("", 401),
        (f"Bearer {token}", 200),
        (basic("ann", token), 200),
        (basic("admin", ADMIN_PASSWORD), 200),
        (basic("admin", "wrong"), 401),
        (basic("nobody", "wrong"), 401),
        ("Digest x", 401),
        ("Basic \xff", 401),
    ):
        shown = {"authorization": header} if header else {}
        answer = await rest.send("GET", "experiments/get", {"experiment_id": 0}, **shown)
        assert (header, answer.status) == (header, status)
