"""Rights that are taken back: for calls within the named time, and for streams that are open."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import grpc
import grpc.aio
import pytest

import stepwell
from stepwell import StepwellClient
from stepwell_api.v1 import (
    access_pb2,
    access_pb2_grpc,
    artifacts_pb2,
    artifacts_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    series_pb2,
    series_pb2_grpc,
)
from stepwell_server.model.access import Level
from stepwell_server.store.access.tokens import PostgresTokenStore
from tests.harness.access import DENIED, UNAUTHENTICATED, GuardedServer, experiment, new_run
from tests.harness.calls import refused
from tests.wire.test_ingest import Stream, batch_message, open_message, opened

# In the place of ten seconds each.
QUICK_S = 0.2

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is believed, and between two looks, be short."""
    access = "stepwell_server.services.access"
    for name in ("authentication.CREDENTIAL_CACHE_S", "permissions.RIGHTS_CACHE_S", "guard.STREAM_RECHECK_S"):
        monkeypatch.setattr(f"{access}.{name}", QUICK_S)
    monkeypatch.setattr("stepwell_server.transport.stream_rights.STREAM_RECHECK_S", QUICK_S)


async def _refused_at_last(call: Callable[[], Awaitable[object]], status: grpc.StatusCode) -> None:
    """Make a call until it is refused: another process of the server has taken a right back."""
    found = grpc.StatusCode.OK
    while found is grpc.StatusCode.OK:
        await asyncio.sleep(QUICK_S / 4)
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            found = error.code()
    assert found is status


async def test_a_stream_ends_when_its_right_is_taken_back(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.WRITE)
    run_id = uuid4().hex
    async with guarded.calls_of(await guarded.add("ann")) as channel:
        stream = await opened(channel, run_id)
        await stream.say(batch_message(0, [1, 2]))
        await stream.until(2)
        await guarded.grant("ann", experiment(0), Level.NONE)
        status, details = await stream.failure()
        assert (status, "taken back" in details) == (grpc.StatusCode.PERMISSION_DENIED, True)
    async with guarded.calls_of(await guarded.add("eve")) as channel:
        name = series_pb2.SeriesName(run_id=run_id, key="loss")
        request = series_pb2.GetHistoryRequest(series=[name])
        pieces = [it async for it in series_pb2_grpc.SeriesServiceStub(channel).GetHistory(request)]
        assert len(pieces) == 1


async def test_a_revoked_token_ends_its_calls_and_streams(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.WRITE)
    ann, run_id = await guarded.add("ann"), uuid4().hex
    async with guarded.calls_of(ann) as channel:
        stream = await opened(channel, run_id)
        watch = series_pb2_grpc.SeriesServiceStub(channel).Watch(series_pb2.WatchRequest(run_ids=[run_id]))
        await watch.read()
        assert guarded.running.pool is not None
        await PostgresTokenStore(guarded.running.pool).revoke(1, None)
        runs = runs_pb2_grpc.RunServiceStub(channel)
        await _refused_at_last(lambda: runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id)), UNAUTHENTICATED[0])
        assert (await stream.failure())[0] is UNAUTHENTICATED[0]


async def test_a_token_that_was_revoked_here_is_refused_at_once(guarded: GuardedServer) -> None:
    async with guarded.calls_of(await guarded.add("ann")) as channel:
        access = access_pb2_grpc.AccessServiceStub(channel)
        await access.WhoAmI(access_pb2.WhoAmIRequest())
        await access.RevokeToken(access_pb2.RevokeTokenRequest(token_id=1))
        async with refused(*UNAUTHENTICATED, "revoked"):
            await access.WhoAmI(access_pb2.WhoAmIRequest())


async def test_a_writer_is_that_of_who_opened_it(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.WRITE)
    run_id, writer = uuid4().hex, {"writer_id": uuid4().hex, "secret": b"0123456789abcdef"}
    async with (
        guarded.calls_of(await guarded.add("ann")) as of_ann,
        guarded.calls_of(await guarded.add("ben")) as of_ben,
        guarded.calls_of(await guarded.add("chief", is_admin=True)) as of_admin,
    ):
        await opened(of_ann, run_id, **writer)
        stolen = Stream(of_ben)
        await stolen.say(open_message(run_id, **writer))
        assert (await stolen.failure())[0] is DENIED[0]
        await opened(of_admin, run_id, **writer)
        await opened(of_ann, run_id, **writer)


async def test_what_a_refused_client_logged_comes_when_it_is_let_in_again(
    guarded: GuardedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await guarded.set_default(Level.WRITE)
    ann = await guarded.add("ann")
    monkeypatch.setenv("STEPWELL_TRACKING_URI", guarded.running.tracking_uri)
    monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", ann)

    def train() -> str:
        with stepwell.start_run() as run:
            stepwell.log_metric("loss", 1.0, step=0)
            stepwell.flush()
            monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", "stepwell_made_up")
            asyncio.run_coroutine_threadsafe(_revoke(guarded), loop).result(10)
            for step in range(1, 10_000):
                stepwell.log_metric("loss", 0.5, step=step)
                if "does not know who this process is" in caplog.text:
                    break
                time.sleep(0.01)
            assert "stepwell login" in caplog.text
            assert ann not in caplog.text
            monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", again)
        assert [it.step for it in StepwellClient().get_metric_history(run.info.run_id, "loss")] == list(
            range(step + 1)
        )
        return run.info.run_id

    loop, again = asyncio.get_running_loop(), await guarded.token("ann", experiment_ids=[0])
    await asyncio.to_thread(train)


async def _revoke(guarded: GuardedServer) -> None:
    assert guarded.running.pool is not None
    await PostgresTokenStore(guarded.running.pool).revoke(1, None)


async def test_the_hash_of_a_file_does_not_stand_for_the_file(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.WRITE)
    data = b"of ann"
    sha256 = hashlib.sha256(data).digest()
    file = artifacts_pb2.UploadSpec(path="a.txt", size_bytes=len(data), sha256=sha256)
    async with guarded.calls_of(await guarded.add("ann")) as of_ann:
        run_id = await new_run(of_ann, 0)
        artifacts = artifacts_pb2_grpc.ArtifactServiceStub(of_ann)
        (plan,) = (
            await artifacts.BeginUploads(artifacts_pb2.BeginUploadsRequest(run_id=run_id, files=[file]))
        ).plans
        small = artifacts_pb2.SmallFile(upload_id=plan.upload_id, data=data)
        await artifacts.UploadSmall(artifacts_pb2.UploadSmallRequest(run_id=run_id, files=[small]))
        finished = artifacts_pb2.FinishedUpload(upload_id=plan.upload_id)
        await artifacts.CompleteUploads(
            artifacts_pb2.CompleteUploadsRequest(run_id=run_id, uploads=[finished])
        )
        again = await artifacts.BeginUploads(artifacts_pb2.BeginUploadsRequest(run_id=run_id, files=[file]))
        assert again.plans[0].HasField("already_there")
    async with guarded.calls_of(await guarded.add("ben")) as of_ben:
        artifacts = artifacts_pb2_grpc.ArtifactServiceStub(of_ben)
        own = await new_run(of_ben, 0)
        planned = await artifacts.BeginUploads(artifacts_pb2.BeginUploadsRequest(run_id=own, files=[file]))
        assert planned.plans[0].HasField("through_server")
