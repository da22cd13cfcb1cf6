"""Files that are logged and read: whole or not at all, sent once, and on from where they were cut."""

import asyncio
import hashlib
import os
import urllib.request
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_server.app import RunningServer
from tests.harness.calls import invalid, not_found
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
    read,
    sign,
    spec_of,
)

# What a busy machine takes for a sweep, many times over.
SWEPT_S = 60.0


@pytest.mark.parametrize("size", [0, 5, MIB, 8 * MIB, 9 * MIB + 1])
async def test_what_goes_in_comes_out(artifacts: ArtifactServiceStub, run_id: str, size: int) -> None:
    data = os.urandom(size)
    await log(artifacts, run_id, "models/wüst und leer.bin", data)
    assert await read(artifacts, run_id, "models/wüst und leer.bin") == data
    assert await read(artifacts, run_id, "models/wüst und leer.bin", size // 2) == data[size // 2 :]
    found = (
        await artifacts.GetArtifact(pb.GetArtifactRequest(run_id=run_id, path="models/wüst und leer.bin"))
    ).artifact
    assert (found.size_bytes, found.sha256) == (size, hashlib.sha256(data).digest())


async def test_nothing_is_visible_before_it_is_complete(artifacts: ArtifactServiceStub, run_id: str) -> None:
    plan = await begin(artifacts, run_id, "a", b"abc")
    async with invalid("nothing arrived"):
        await complete(artifacts, run_id, plan.upload_id)
    await artifacts.Upload(iter(messages(run_id, plan.upload_id, b"abc")))
    assert await listing(artifacts, run_id) == []
    async with not_found("no artifact 'a'"):
        await read(artifacts, run_id, "a")
    await complete(artifacts, run_id, plan.upload_id)
    assert await listing(artifacts, run_id) == ["a"]
    async with not_found("not open"):
        await complete(artifacts, run_id, plan.upload_id)


async def test_other_bytes_than_announced_are_refused(
    artifacts: ArtifactServiceStub, run_id: str, place: Place
) -> None:
    for sent, problem in ((b"abd", "SHA-256"), (b"abcd", "were sent"), (b"ab", "")):
        plan = await begin(artifacts, run_id, "a", b"abc")
        async with invalid(problem):
            await artifacts.Upload(iter(messages(run_id, plan.upload_id, sent)))
        async with invalid("arrived; send it again"):
            await complete(artifacts, run_id, plan.upload_id)
    await log(artifacts, run_id, "a", b"abc")
    assert await read(artifacts, run_id, "a") == b"abc"
    assert len(place.files()) == 1


async def test_equal_content_is_not_sent_twice(
    artifacts: ArtifactServiceStub, channel: grpc.aio.Channel, place: Place
) -> None:
    first, second = await create_run(channel), await create_run(channel, 0)
    await log(artifacts, first, "a", b"same")
    for run_id, path in ((first, "a"), (first, "b/c"), (second, "d")):
        assert (await log(artifacts, run_id, path, b"same")).WhichOneof("way") == "already_there"
        assert await read(artifacts, run_id, path) == b"same"
    assert len(place.files()) == 1
    for run_id in (first, second):
        await artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id))
        assert len(place.files()) == (1 if run_id == first else 0)


async def files_left(place: Place, count: int) -> None:
    """Wait until so many lie there."""
    async with asyncio.timeout(SWEPT_S):
        while len(place.files()) != count:  # noqa: ASYNC110 - a folder tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("sweeps_often")
async def test_uploads_of_equal_content_at_once_leave_one(
    artifacts: ArtifactServiceStub, run_id: str, server: RunningServer, place: Place
) -> None:
    await asyncio.gather(*(log(artifacts, run_id, f"copy {number}", b"x" * 1_000) for number in range(20)))
    assert len(await listing(artifacts, run_id)) == 20
    await artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id, path="copy 0"))
    await files_left(place, 1)
    async with server.pool.connection() as connection:
        assert await connection.fetchval("SELECT reference_count FROM artifact_content") == 19


@pytest.mark.usefixtures("sweeps_often")
async def test_replacing_shows_the_old_or_the_new(
    artifacts: ArtifactServiceStub, run_id: str, place: Place
) -> None:
    versions = [bytes([number]) * 300_000 for number in range(6)]
    await log(artifacts, run_id, "a", versions[0])
    seen = []

    async def watch() -> None:
        while True:
            try:
                seen.append(await read(artifacts, run_id, "a"))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:  # replaced between look-up and reading
                    raise

    watcher = asyncio.create_task(watch())
    while not seen and not watcher.done():  # noqa: ASYNC110 - it may end without having seen anything
        await asyncio.sleep(0.01)
    for version in versions[1:]:
        await log(artifacts, run_id, "a", version)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    assert all(found in versions for found in seen)
    assert await read(artifacts, run_id, "a") == versions[-1]
    await artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id))
    await files_left(place, 0)


async def cut_upload(artifacts: ArtifactServiceStub, run_id: str, upload_id: str, data: bytes) -> int:
    """Send all but the last byte, cut the call when 4 MiB are held, and return how much is held then."""

    async def all_but_one() -> AsyncIterator[pb.UploadRequest]:
        for message in messages(run_id, upload_id, data[:-1], piece=4 * MIB):
            yield message
        await asyncio.sleep(60)

    call = artifacts.Upload(all_but_one())
    request = pb.GetUploadRequest(run_id=run_id, upload_id=upload_id)
    while (await artifacts.GetUpload(request)).held_bytes < 4 * MIB:
        pass
    call.cancel()
    return (await artifacts.GetUpload(request)).held_bytes


async def go_on(
    artifacts: ArtifactServiceStub, run_id: str, upload_id: str, data: bytes, offset: int
) -> None:
    while True:
        try:
            await artifacts.Upload(iter(messages(run_id, upload_id, data, offset)))
            return
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:  # the cut call is not quite over yet
                raise


@pytest.mark.parametrize("back", [0, 100, MIB])
async def test_an_upload_goes_on_where_it_was_cut(
    artifacts: ArtifactServiceStub, run_id: str, place: Place, back: int
) -> None:
    data = os.urandom(20 * MIB)
    plan = await begin(artifacts, run_id, "a", data)
    held = await cut_upload(artifacts, run_id, plan.upload_id, data)
    assert held >= 4 * MIB
    again = await begin(artifacts, run_id, "a", data)
    assert again.upload_id == plan.upload_id
    await go_on(artifacts, run_id, plan.upload_id, data, held - back)
    await complete(artifacts, run_id, plan.upload_id)
    assert await read(artifacts, run_id, "a") == data
    assert len(place.files()) == 1


async def test_what_goes_on_with_other_bytes_is_refused_and_gone(
    artifacts: ArtifactServiceStub, run_id: str, place: Place
) -> None:
    data = os.urandom(20 * MIB)
    plan = await begin(artifacts, run_id, "a", data)
    held = await cut_upload(artifacts, run_id, plan.upload_id, data)
    other = data[:-5] + b"other"
    async with invalid("the file changed while it was sent"):
        await go_on(artifacts, run_id, plan.upload_id, other, held)
    async with invalid("cannot go on at offset"):
        await go_on(artifacts, run_id, plan.upload_id, data, 20 * MIB)
    assert sum(path.stat().st_size for path in place.files()) == 0
    await artifacts.Upload(iter(messages(run_id, plan.upload_id, data)))
    await complete(artifacts, run_id, plan.upload_id)
    assert await read(artifacts, run_id, "a") == data


async def test_many_small_files_at_once(artifacts: ArtifactServiceStub, run_id: str) -> None:
    files = {f"f/{number}": os.urandom(number) for number in range(1, 200)}
    specs = [spec_of(path, data) for path, data in files.items()]
    plans = (await artifacts.BeginUploads(pb.BeginUploadsRequest(run_id=run_id, files=specs))).plans
    small = [
        pb.SmallFile(upload_id=plan.upload_id, data=data)
        for plan, data in zip(plans, files.values(), strict=True)
    ]
    await artifacts.UploadSmall(pb.UploadSmallRequest(run_id=run_id, files=small))
    finished = [pb.FinishedUpload(upload_id=plan.upload_id) for plan in plans]
    await artifacts.CompleteUploads(pb.CompleteUploadsRequest(run_id=run_id, uploads=finished))
    assert sorted(await listing(artifacts, run_id, "f", size=37)) == sorted(files)
    assert await read(artifacts, run_id, "f/77") == files["f/77"]
    async with invalid("not those that were announced"):
        plan = await begin(artifacts, run_id, "wrong", b"right")
        small = [pb.SmallFile(upload_id=plan.upload_id, data=b"wrong")]
        await artifacts.UploadSmall(pb.UploadSmallRequest(run_id=run_id, files=small))


async def test_straight_to_the_bucket(artifacts: ArtifactServiceStub, run_id: str, place: Place) -> None:
    tiny, small, large = os.urandom(MIB), os.urandom(MIB + 1), os.urandom(40 * MIB)
    plan = await begin(artifacts, run_id, "tiny", tiny, direct=True)
    # One request of the server's to the bucket, and not one for each step.
    assert plan.WhichOneof("way") == "through_server"
    plan = await begin(artifacts, run_id, "small", small, direct=True)
    if place.s3 is None:
        assert plan.WhichOneof("way") == "through_server"
        return
    await asyncio.to_thread(put, plan.put.url, small)
    await complete(artifacts, run_id, plan.upload_id)
    plan = await begin(artifacts, run_id, "large", large, direct=True)
    await asyncio.to_thread(put, (await sign(artifacts, run_id, plan, [1]))[0], large[: 16 * MIB])
    plan = await begin(artifacts, run_id, "large", large, direct=True)
    assert [part.number for part in plan.parts.held] == [1]
    assert plan.parts.held[0].etag == hashlib.md5(large[: 16 * MIB]).hexdigest()
    tags = [*plan.parts.held]
    for number, url in enumerate(await sign(artifacts, run_id, plan, [2, 3]), 2):
        part = large[(number - 1) * plan.parts.part_bytes : number * plan.parts.part_bytes]
        tags.append(pb.PartTag(number=number, etag=await asyncio.to_thread(put, url, part)))
    await complete(artifacts, run_id, plan.upload_id, tags)
    assert await read(artifacts, run_id, "large") == large
    found = await artifacts.GetArtifact(pb.GetArtifactRequest(run_id=run_id, path="small", direct=True))
    assert await asyncio.to_thread(lambda: urllib.request.urlopen(found.url).read()) == small
