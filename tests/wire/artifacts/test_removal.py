"""Files that are removed leave nothing behind, those that were never finished included."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_server.app import RunningServer
from stepwell_server.model.artifacts import SMALL_BYTES_MAX
from stepwell_server.store.content.buckets.s3 import S3Bucket
from tests.harness.calls import not_found
from tests.harness.content.uploads import (
    MIB,
    Place,
    begin,
    complete,
    create_run,
    listing,
    log,
    messages,
    put,
    serving,
    sign,
)


async def test_abandoned_uploads_are_removed(database_url: str, place: Place, tmp_path: Path) -> None:
    async with (
        serving(database_url, place, tmp_path, artifact_upload_idle_s=2.0) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        run_id, stub = await create_run(channel), ArtifactServiceStub(channel)
        sent = await begin(stub, run_id, "a", b"abc")
        await stub.Upload(iter(messages(run_id, sent.upload_id, b"abc")))
        large = os.urandom(17 * MIB)
        begun = await begin(stub, run_id, "large", large, direct=True)
        if place.s3:
            await asyncio.to_thread(put, (await sign(stub, run_id, begun, [1]))[0], large[: 16 * MIB])
        given_up = await begin(stub, run_id, "b", b"b")
        await stub.Upload(iter(messages(run_id, given_up.upload_id, b"b")))
        await stub.AbandonUploads(pb.AbandonUploadsRequest(run_id=run_id, upload_ids=[given_up.upload_id]))
        async with asyncio.timeout(20):
            while place.files() or await left(server):  # noqa: ASYNC110 - the server does not tell
                await asyncio.sleep(0.05)
        async with not_found("not open"):
            await complete(stub, run_id, sent.upload_id)


async def left(server: RunningServer) -> int:
    return await rows(server, "artifact_upload") + await rows(server, "artifact_garbage")


async def rows(server: RunningServer, table: str) -> int:
    async with server.pool.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")


@pytest.mark.parametrize("place", ["s3"], indirect=True)
async def test_bytes_that_cannot_be_removed_now_are_removed_later(
    database_url: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(database_url, place, tmp_path, artifact_upload_idle_s=2.0) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        run_id, stub = await create_run(channel), ArtifactServiceStub(channel)
        await log(stub, run_id, "small", b"abc")
        await log(stub, run_id, "large", bytes(SMALL_BYTES_MAX + 1))
        # Which parts there are is asked for the large one alone.
        monkeypatch.setattr("stepwell_server.store.content.buckets.s3.S3Bucket.multipart_ids", broken)
        await stub.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id))
        assert await listing(stub, run_id) == []
        (left_over,) = place.files()
        assert (left_over.stat().st_size, await rows(server, "artifact_garbage")) == (SMALL_BYTES_MAX + 1, 1)
        # Others are not kept waiting by what is left.
        await log(stub, run_id, "later", b"later")
        await stub.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id))
        assert (place.files(), await rows(server, "artifact_garbage")) == ([left_over], 1)
        monkeypatch.undo()
        async with asyncio.timeout(20):
            while place.files() or await left(server):  # noqa: ASYNC110 - the server does not tell
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("place", ["s3"], indirect=True)
async def test_who_removes_at_once_asks_the_bucket_once_for_each_file(
    artifacts: ArtifactServiceStub,
    channel: grpc.aio.Channel,
    server: RunningServer,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And for none that is left over from before: that is the sweep's."""
    asked, delete = Counter[str](), S3Bucket.delete

    async def counted(bucket: S3Bucket, key: str) -> None:
        asked[key] += 1
        await asyncio.sleep(0.05)  # long enough for the others to look what there is to remove
        await delete(bucket, key)

    monkeypatch.setattr(S3Bucket, "delete", counted)
    run_ids = [await create_run(channel) for _ in range(4)]
    for number in range(20):
        await log(artifacts, run_ids[number % 4], f"{number}", b"%d" % number)
    async with server.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO artifact_garbage (root, key, multipart_id) "
            "SELECT root, 'left/over', '' FROM artifact_content LIMIT 1"
        )
    await asyncio.gather(
        *(artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id)) for run_id in run_ids)
    )
    assert place.files() == []
    assert list(asked.values()) == [1] * 20


async def broken(*_: object) -> None:
    from stepwell_server.errors import UnavailableError

    raise UnavailableError("the bucket is away")
