"""Rights that are taken back: for calls within the named time, and for streams that are open."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
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
from stepwell_server.access import build_access
from stepwell_server.errors import UnauthenticatedError
from stepwell_server.model.access import ANONYMOUS, Caller, Level
from stepwell_server.services.access.calling import Presented, admit
from stepwell_server.services.access.guard import Guarded
from stepwell_server.services.access.rules import anybody
from stepwell_server.store.access.tokens import PostgresTokenStore
from tests.harness.calls import refused
from tests.harness.network.raw_http import Place, head
from tests.harness.network.rest import Rest
from tests.harness.servers.access import DENIED, UNAUTHENTICATED, GuardedServer, experiment, new_run
from tests.wire.test_ingest import Stream, batch_message, open_message, opened

# In the place of ten seconds each.
QUICK_S = 0.2

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is believed, and between two looks, be short."""
    access = "stepwell_server.services.access"
    for name in (
        "authentication.CREDENTIAL_CACHE_S",
        "permissions.RIGHTS_CACHE_S",
        "guard.RECHECK_S",
        "calling.RECHECK_S",
    ):
        monkeypatch.setattr(f"{access}.{name}", QUICK_S)
    monkeypatch.setattr("stepwell_server.transport.stream_rights.RECHECK_S", QUICK_S)


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


async def test_a_remembered_chart_is_for_those_who_may_read(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.WRITE)
    token = {name: await guarded.add(name) for name in ("ann", "eve")}
    rest = Rest(guarded.running.http_url)
    async with guarded.calls_of(token["ann"]) as channel:
        run_id = await new_run(channel, 0)
    point = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1, "step": 1}
    await rest.post("runs/log-metric", point, authorization=f"Bearer {token['ann']}")
    query = {"run_ids": [run_id], "metric_key": "loss"}

    async def chart_of(name: str) -> Any:
        headers = {"authorization": f"Bearer {token[name]}"}
        return (await rest.send("GET", "metrics/get-history-bulk-interval", query, **headers)).json

    chart = {"metrics": [{key: point[key] for key in ("key", "value", "timestamp", "step", "run_id")}]}
    assert [await chart_of(name) for name in ("ann", "eve", "ann")] == [chart] * 3
    await guarded.grant("eve", experiment(0), Level.NONE)
    await asyncio.sleep(QUICK_S)
    assert [await chart_of(name) for name in ("ann", "eve")] == [chart, {}]


async def test_a_revoked_token_ends_its_calls_and_streams(guarded: GuardedServer) -> None:
    await guarded.set_default(Level.WRITE)
    ann, run_id = await guarded.add("ann"), uuid4().hex
    async with guarded.calls_of(ann) as channel:
        stream = await opened(channel, run_id)
        watch = series_pb2_grpc.SeriesServiceStub(channel).Watch(series_pb2.WatchRequest(run_ids=[run_id]))
        await watch.read()
        assert guarded.running.pool is not None
        await PostgresTokenStore(guarded.running.pool).revoke(1)
        runs = runs_pb2_grpc.RunServiceStub(channel)
        await _refused_at_last(lambda: runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id)), UNAUTHENTICATED[0])
        assert (await stream.failure())[0] is UNAUTHENTICATED[0]


async def test_a_long_upload_ends_with_its_token(guarded: GuardedServer) -> None:
    """Over gRPC and HTTP: what comes after that is not taken, and nothing of it is to be seen."""
    await guarded.set_default(Level.WRITE)
    ann, admin = await guarded.add("ann"), await guarded.add("chief", is_admin=True)
    assert guarded.running.pool is not None
    file = artifacts_pb2.UploadSpec(path="a.bin", size_bytes=2**24, sha256=bytes(32))
    async with guarded.calls_of(ann) as channel:
        run_id = await new_run(channel, 0)
        artifacts = artifacts_pb2_grpc.ArtifactServiceStub(channel)
        request = artifacts_pb2.BeginUploadsRequest(run_id=run_id, files=[file])
        (plan,) = (await artifacts.BeginUploads(request)).plans
        uploading = artifacts.Upload()
        first = artifacts_pb2.UploadRequest(run_id=run_id, upload_id=plan.upload_id, data=b"x")
        await uploading.write(first)
        place = Place(int(guarded.running.http_url.rpartition(":")[2]), lambda: asyncio.sleep(0))
        peer = await place.connect()
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/b.bin"
        sent = {"authorization": f"Bearer {ann}", "content-length": str(2**24)}
        await peer.send(head("PUT", path, **sent))
        await PostgresTokenStore(guarded.running.pool).revoke(1)

        async def go_on() -> None:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # it has ended meanwhile
                while not uploading.done():
                    await uploading.write(artifacts_pb2.UploadRequest(data=b"x"))
                    await asyncio.sleep(QUICK_S / 4)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.gather(go_on(), uploading)
        assert caught.value.code() is UNAUTHENTICATED[0]
        for _ in range(16):  # what comes at once may be taken before the server looks again
            await peer.send(bytes(2**20))
            await asyncio.sleep(QUICK_S / 4)
        assert (await peer.answer()).status == 401
    async with guarded.calls_of(admin) as channel:
        listing = artifacts_pb2.ListArtifactsRequest(run_id=run_id)
        assert not (await artifacts_pb2_grpc.ArtifactServiceStub(channel).ListArtifacts(listing)).artifacts
    place.close()


async def test_a_call_that_does_many_things_ends_with_its_token(guarded: GuardedServer) -> None:
    assert guarded.running.pool is not None
    looked = 0

    class Revoking:
        async def caller(self, presented: Presented) -> Caller:
            nonlocal looked
            looked += 1
            if looked > 2:
                raise UnauthenticatedError("the token was revoked")
            return ANONYMOUS

    many = build_access(guarded.running.pool).guard.around(_Many(), {"one": Guarded(anybody)})

    async def call() -> None:
        await admit(Revoking(), Presented("", lambda _: None, ""))
        for _ in range(1_000):
            await many.one()
            await asyncio.sleep(QUICK_S / 10)

    with pytest.raises(UnauthenticatedError):
        await asyncio.create_task(call())
    assert looked == 3


class _Many:
    async def one(self) -> None:
        """Do one of many things."""


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
            asyncio.run_coroutine_threadsafe(_revoke(guarded), loop).result(60)
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
    await PostgresTokenStore(guarded.running.pool).revoke(1)


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
