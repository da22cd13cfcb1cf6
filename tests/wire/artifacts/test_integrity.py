"""Nobody can put other bytes in the place of what is announced, verified or visible; what was lost is stored again."""

import asyncio
import base64
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest
from botocore.exceptions import ClientError

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_server.app import RunningServer
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.artifacts import FileSpec, OpenUpload
from stepwell_server.store.content.artifacts import PostgresArtifactStore
from stepwell_server.store.content.buckets.s3 import S3Bucket, S3Client
from stepwell_server.store.content.buckets.s3_variants import checksums_of
from stepwell_server.store.content.buckets.store import BucketContentStore
from tests.harness.calls import invalid, not_found
from tests.harness.content.s3 import BUCKET
from tests.harness.content.uploads import (
    MIB,
    Place,
    begin,
    complete,
    create_run,
    log,
    messages,
    put,
    read,
    sign,
    spec_of,
)

on_s3 = pytest.mark.parametrize("place", ["s3"], indirect=True)


async def sent(
    stub: ArtifactServiceStub, run_id: str, plan: pb.UploadPlan, data: bytes
) -> Sequence[pb.PartTag]:
    """Send bytes straight to the bucket, whatever was announced; returns the tags if there are parts."""
    if plan.WhichOneof("way") == "put":
        await asyncio.to_thread(put, plan.put.url, data)
        return ()
    part = plan.parts.part_bytes
    tags = []
    for number, start in enumerate(range(0, len(data), part), 1):
        (url,) = await sign(stub, run_id, plan, [number])
        tags.append(
            pb.PartTag(number=number, etag=await asyncio.to_thread(put, url, data[start : start + part]))
        )
    return tags


@on_s3
@pytest.mark.parametrize("size", [2 * MIB, 20 * MIB])
async def test_bytes_that_were_not_announced_poison_nothing(
    artifacts: ArtifactServiceStub, run_id: str, channel: grpc.aio.Channel, place: Place, size: int
) -> None:
    good = os.urandom(size)
    plan = await begin(artifacts, run_id, "x", good, direct=True)
    tags = await sent(artifacts, run_id, plan, bytes(size))
    async with invalid("SHA-256"):
        await complete(artifacts, run_id, plan.upload_id, tags)
    assert place.files() == []
    victim = await create_run(channel)
    plan = await begin(artifacts, victim, "model", good, direct=True)
    assert plan.WhichOneof("way") != "already_there"
    await complete(artifacts, victim, plan.upload_id, await sent(artifacts, victim, plan, good))
    assert await read(artifacts, victim, "model") == good
    # Now that it is verified it is not sent again.
    again = await begin(artifacts, await create_run(channel), "model", good, direct=True)
    assert again.WhichOneof("way") == "already_there"


@on_s3
@pytest.mark.parametrize("size", [2 * MIB, 20 * MIB])
async def test_an_address_reaches_nothing_that_is_visible(
    artifacts: ArtifactServiceStub, run_id: str, size: int
) -> None:
    good = os.urandom(size)
    plan = await begin(artifacts, run_id, "x", good, direct=True)
    url = plan.put.url or (await sign(artifacts, run_id, plan, [1]))[0]
    await complete(artifacts, run_id, plan.upload_id, await sent(artifacts, run_id, plan, good))
    with pytest.raises(urllib.error.HTTPError):
        await asyncio.to_thread(put, url, b"evil" * 2_000)
    assert await read(artifacts, run_id, "x") == good


@on_s3
async def test_an_attempt_that_begins_anew_does_not_change_what_another_has_verified(
    artifacts: ArtifactServiceStub, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = b"good" * MIB
    real = PostgresArtifactStore.complete

    async def late(self: PostgresArtifactStore, run: object, uploads: Sequence[OpenUpload]) -> None:
        monkeypatch.setattr(PostgresArtifactStore, "complete", real)
        # The first attempt's bytes are verified, and not visible yet.
        plan = await begin(artifacts, run_id, "x", good, direct=True)
        await sent(artifacts, run_id, plan, b"evil" * MIB)
        await real(self, run, uploads)  # type: ignore[arg-type]

    plan = await begin(artifacts, run_id, "x", good, direct=True)
    await sent(artifacts, run_id, plan, good)
    monkeypatch.setattr(PostgresArtifactStore, "complete", late)
    async with not_found("not open"):
        await complete(artifacts, run_id, plan.upload_id)
    async with invalid("SHA-256"):
        await complete(artifacts, run_id, plan.upload_id)
    plan = await begin(artifacts, run_id, "x", good, direct=True)
    await sent(artifacts, run_id, plan, good)
    await complete(artifacts, run_id, plan.upload_id)
    assert await read(artifacts, run_id, "x") == good


@on_s3
async def test_an_upload_to_the_bucket_may_end_through_the_server(
    artifacts: ArtifactServiceStub, run_id: str, place: Place, server: RunningServer
) -> None:
    data = os.urandom(20 * MIB)
    plan = await begin(artifacts, run_id, "x", data, direct=True)
    await asyncio.to_thread(put, (await sign(artifacts, run_id, plan, [1]))[0], bytes(16 * MIB))
    await log(artifacts, run_id, "x", data)
    assert await read(artifacts, run_id, "x") == data
    # What went straight is garbage.
    async with server.pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM artifact_garbage") == 1


async def lose(place: Place, instead: bytes | None) -> None:
    """Remove the only content behind the server's back, or put other bytes in its place."""
    (stored,) = place.files()
    if place.s3 is None:
        stored.unlink()
        if instead is not None:
            stored.write_bytes(instead)
        return
    # Not in its folder: rclone remembers what lies there.
    name = {"Bucket": BUCKET, "Key": stored.relative_to(place.s3.folder / BUCKET).as_posix()}
    async with S3Client(60) as client:
        await client.calls.delete_object(**name)
        if instead is not None:
            await client.calls.put_object(**name, Body=instead)


@pytest.mark.parametrize("is_cut", [False, True])
async def test_lost_content_is_stored_again_and_heals_what_shows_it(
    artifacts: ArtifactServiceStub, run_id: str, place: Place, is_cut: bool
) -> None:
    text = os.urandom(1_000)
    await log(artifacts, run_id, "first", text)
    await lose(place, b"cut" if is_cut else None)
    plan = await log(artifacts, run_id, "second", text)
    assert plan.WhichOneof("way") != "already_there"
    for path in ("first", "second"):
        assert await read(artifacts, run_id, path) == text
    # From then on it is not sent again.
    assert (await begin(artifacts, run_id, "third", text)).WhichOneof("way") == "already_there"


async def test_content_that_was_never_verified_is_sent_once_more(
    artifacts: ArtifactServiceStub, run_id: str, place: Place, server: RunningServer
) -> None:
    text = b"from a bucket, before it was verified"
    await log(artifacts, run_id, "first", text)
    (old,) = place.files()
    async with server.pool.connection() as connection:
        await connection.execute("UPDATE artifact_content SET is_verified = false")
    old.write_bytes(b"E" * len(text))
    plan = await log(artifacts, run_id, "second", text)
    assert plan.WhichOneof("way") != "already_there"
    assert await read(artifacts, run_id, "first") == await read(artifacts, run_id, "second") == text
    async with server.pool.connection() as connection:
        keys = [row["key"] for row in await connection.fetch("SELECT key FROM artifact_garbage")]
    assert [Path(key).name for key in keys] == [old.name]


async def begin_checked(stub: ArtifactServiceStub, run_id: str, path: str, data: bytes) -> pb.UploadPlan:
    request = pb.BeginUploadsRequest(
        run_id=run_id, files=[spec_of(path, data)], direct=True, sends_checksums=True
    )
    return (await stub.BeginUploads(request)).plans[0]


def put_checked(url: str, data: bytes, sha256: bytes) -> None:
    headers = {"x-amz-checksum-sha256": base64.b64encode(sha256).decode()}
    request = urllib.request.Request(url, data=data, method="PUT", headers=headers)
    with urllib.request.urlopen(request):
        pass


@on_s3
async def test_addresses_are_signed_for_the_checksum_of_what_they_take(
    artifacts: ArtifactServiceStub, run_id: str
) -> None:
    small, large = os.urandom(2 * MIB), os.urandom(17 * MIB)
    plan = await begin_checked(artifacts, run_id, "small", small)
    assert plan.put.checksum_signed
    other = hashlib.sha256(b"other").digest()
    for refused in (lambda: put(plan.put.url, small), lambda: put_checked(plan.put.url, b"other", other)):
        # 403, which may come before all is sent.
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            await asyncio.to_thread(refused)
    await asyncio.to_thread(put_checked, plan.put.url, small, hashlib.sha256(small).digest())
    await complete(artifacts, run_id, plan.upload_id)
    assert await read(artifacts, run_id, "small") == small

    plan = await begin_checked(artifacts, run_id, "large", large)
    async with invalid("needs its SHA-256"):
        await sign(artifacts, run_id, plan, [1])
    pieces = [large[: 16 * MIB], large[16 * MIB :]]
    digests = [hashlib.sha256(piece).digest() for piece in pieces]
    request = pb.SignPartsRequest(run_id=run_id, upload_id=plan.upload_id, numbers=[1, 2], sha256=digests)
    answer = await artifacts.SignParts(request)
    assert answer.checksums_signed
    for url, piece, digest in zip(answer.urls, pieces, digests, strict=True):
        await asyncio.to_thread(put_checked, url, piece, digest)
    await complete(artifacts, run_id, plan.upload_id)
    assert await read(artifacts, run_id, "large") == large


@on_s3
async def test_a_client_that_sends_no_checksums_begins_anew(
    artifacts: ArtifactServiceStub, run_id: str
) -> None:
    data = os.urandom(2 * MIB)
    await begin_checked(artifacts, run_id, "x", data)
    plan = await begin(artifacts, run_id, "x", data, direct=True)
    assert not plan.put.checksum_signed
    await asyncio.to_thread(put, plan.put.url, data)
    await complete(artifacts, run_id, plan.upload_id)
    assert await read(artifacts, run_id, "x") == data


@on_s3
@pytest.mark.parametrize("what", ["whole", "part", "other", "nothing"])
async def test_what_a_bucket_vouches_for_is_not_read(
    place: Place, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """rclone has no checksums; so its answers get those that S3 would give. Smaller files are always read."""
    data, reads = os.urandom(MIB + 1), []
    file = FileSpec("x", len(data), hashlib.sha256(data).digest())
    whole, part = checksums_of(file.sha256)
    said = {"whole": whole, "part": part, "other": checksums_of(bytes(32))[0]}.get(what)
    async with S3Client(60) as client:
        bucket = S3Bucket(str(place.artifacts), client)
        store = BucketContentStore(bucket)
        await store.write_small([("x", data)])
        real_head, real_hashed = client.calls.head_object, bucket.hashed

        async def head(**arguments: object) -> dict[str, object]:
            answer = await real_head(**arguments)
            return {**answer, "ChecksumSHA256": said} if "ChecksumMode" in arguments and said else answer

        async def hashed(key: str, size_bytes: int) -> tuple[int, bytes]:
            reads.append(key)
            return await real_hashed(key, size_bytes)

        monkeypatch.setattr(client.calls, "head_object", head)
        monkeypatch.setattr(bucket, "hashed", hashed)
        assert await store.verify("x", file) == ""
        assert len(reads) == (what in ("other", "nothing"))
        if not said:
            assert "SHA-256" in await store.verify("x", replace(file, sha256=bytes(32)))
        assert f"{len(data)} bytes" in await store.verify("x", replace(file, size_bytes=len(data) - 1))
        assert await store.verify("y", file) == "nothing is there"


@on_s3
async def test_what_is_there_and_begins_with_a_file_is_not_the_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that is repeated finds what it stored; this one finds more, in the piece behind its own."""
    data = os.urandom(1_000)

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    async def read(key: str, offset: int) -> AsyncIterator[bytes]:
        yield data
        yield b"more"

    async with S3Client(60) as client:
        bucket = S3Bucket(str(place.artifacts), client)
        monkeypatch.setattr(bucket, "read", read)
        store = BucketContentStore(bucket)
        await store.write_small([("x", data + b"more")])
        with pytest.raises(InvalidArgumentError, match="does not have the SHA-256"):
            await store.write("x", 0, pieces(), FileSpec("x", len(data), hashlib.sha256(data).digest()))
        assert await store.size_bytes("x") is None


@on_s3
async def test_what_is_still_checked_does_not_become_visible(
    artifacts: ArtifactServiceStub, run_id: str, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload through the server that goes on with other bytes: they are in the bucket before they are hashed."""
    good, evil = os.urandom(20 * MIB), bytes(20 * MIB)
    plan = await begin(artifacts, run_id, "x", good)

    async def cut() -> AsyncIterator[pb.UploadRequest]:
        for message in messages(run_id, plan.upload_id, evil)[:11]:
            yield message
        await asyncio.Event().wait()

    call = artifacts.Upload(cut())
    request = pb.GetUploadRequest(run_id=run_id, upload_id=plan.upload_id)
    while not (held := (await artifacts.GetUpload(request)).held_bytes):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    call.cancel()

    real, completed = BucketContentStore._check_stored, []

    async def late(self: BucketContentStore, key: str, file: FileSpec) -> None:
        completed.append(key)
        async with invalid("SHA-256"):
            await complete(artifacts, run_id, plan.upload_id)
        await real(self, key, file)

    monkeypatch.setattr(BucketContentStore, "_check_stored", late)
    with pytest.raises(grpc.aio.AioRpcError):
        await artifacts.Upload(iter(messages(run_id, plan.upload_id, evil, held)))
    assert completed
    again = await begin(artifacts, await create_run(channel), "x", good)
    assert again.WhichOneof("way") != "already_there"


async def test_lost_content_is_also_replaced_by_what_nobody_announced(
    artifacts: ArtifactServiceStub, run_id: str, place: Place, server: RunningServer
) -> None:
    text = os.urandom(1_000)
    await log(artifacts, run_id, "first", text)
    # Both are on their way when the content is lost.
    plan = await begin(artifacts, run_id, "second", text)
    assert plan.WhichOneof("way") == "already_there"
    request = pb.BeginUploadsRequest(run_id=run_id, files=[spec_of("third", text)], hidden=True)
    (hidden,) = (await artifacts.BeginUploads(request)).plans
    await lose(place, None)
    await artifacts.Upload(iter(messages(run_id, hidden.upload_id, text)))
    await complete(artifacts, run_id, hidden.upload_id)
    for path in ("first", "second", "third"):
        assert await read(artifacts, run_id, path) == text


@on_s3
async def test_a_bucket_without_conditions_takes_parts_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rclone ignores the condition; other buckets refuse it."""
    async with S3Client(60) as client:
        store = BucketContentStore(S3Bucket(str(place.artifacts), client))
        multipart_id = await store.begin_parts("x")
        (url,) = await store.part_urls("x", multipart_id, [1])
        await asyncio.to_thread(put, url, b"data")
        patient = await client.patient()
        real, refusals = patient.complete_multipart_upload, []

        async def refuse(**arguments: object) -> object:
            if "IfNoneMatch" in arguments:
                refusals.append(arguments)
                raise ClientError({"Error": {"Code": "NotImplemented"}}, "CompleteMultipartUpload")
            return await real(**arguments)

        monkeypatch.setattr(patient, "complete_multipart_upload", refuse)
        await store.complete_parts("x", multipart_id, [])
        assert len(refusals) == 1
        assert await store.size_bytes("x") == 4


@on_s3
async def test_parts_that_are_put_together_twice_are_there_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request of which the answer was lost is made again: rclone has forgotten the parts by then."""
    async with S3Client(60) as client:
        store = BucketContentStore(S3Bucket(str(place.artifacts), client))
        patient = await client.patient()
        real = patient.complete_multipart_upload

        async def repeated(**arguments: object) -> object:
            if arguments["Key"].endswith("/x"):  # type: ignore[attr-defined]
                await real(**arguments)
            raise ClientError({"Error": {"Code": "InvalidPart"}}, "CompleteMultipartUpload")

        monkeypatch.setattr(patient, "complete_multipart_upload", repeated)
        for key in ("x", "y"):
            multipart_id = await store.begin_parts(key)
            (url,) = await store.part_urls(key, multipart_id, [1])
            await asyncio.to_thread(put, url, b"data")
            if key == "x":
                await store.complete_parts(key, multipart_id, [])
                assert await store.size_bytes(key) == 4
                continue
            with pytest.raises(InvalidArgumentError, match="does not take the parts"):
                await store.complete_parts(key, multipart_id, [])
