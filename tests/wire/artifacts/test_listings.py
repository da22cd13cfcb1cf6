"""Paths and listings of files."""

import asyncio
import urllib.request

import pytest

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_server.app import RunningServer
from tests.harness.calls import invalid
from tests.harness.content.uploads import (
    Place,
    begin,
    complete,
    listing,
    log,
    messages,
    read,
    spec_of,
)


async def test_a_listing_gives_addresses_to_those_who_fetch(
    artifacts: ArtifactServiceStub, run_id: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell_server.services.content.artifacts.ADDRESSED_PAGE_SIZE_MAX", 2)
    for path in ("a", "folder/b", "folder/c"):
        await log(artifacts, run_id, path, path.encode())
    request = pb.ListArtifactsRequest(run_id=run_id, recursive=True, page_size=1_000, direct=True)
    page = await artifacts.ListArtifacts(request)
    assert [it.path for it in page.artifacts] == ["a", "folder/b"]
    request.page_token = page.next_page_token
    found = [*page.artifacts, *(await artifacts.ListArtifacts(request)).artifacts]
    if place.s3 is None:
        assert [it.url for it in found] == ["", "", ""]
        return
    for it in found:
        assert (
            await asyncio.to_thread(lambda url: urllib.request.urlopen(url).read(), it.url)
            == it.path.encode()
        )


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../up", r"'..'"),
        ("a/../b", r"'..'"),
        ("a/./b", r"'.'"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("C:/x", "drive letter"),
        ("c:x", "drive letter"),
        ("a\\b", "backslash"),
        ("a\0b", "NUL"),
        ("x" * 256, "256 bytes"),
        ("ü" * 128, "256 bytes"),
        ("/".join(["x" * 200] * 6), "1,205 bytes"),
    ],
)
async def test_bad_paths_are_refused(
    artifacts: ArtifactServiceStub, run_id: str, path: str, problem: str
) -> None:
    async with invalid(problem):
        await begin(artifacts, run_id, path, b"")
    async with invalid(problem):
        await read(artifacts, run_id, path)
    if path:
        async with invalid(problem):
            await listing(artifacts, run_id, path)
        async with invalid(problem):
            await artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id, path=path))


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_path_is_a_file_or_a_folder(artifacts: ArtifactServiceStub, run_id: str) -> None:
    await log(artifacts, run_id, "a/b", b"1")
    for path in ("a", "a/b/c"):
        async with invalid("does not go together"):
            await begin(artifacts, run_id, path, b"2")
    files = [spec_of("x", b"1"), spec_of("x/y", b"2")]
    async with invalid("at once"):
        await artifacts.BeginUploads(pb.BeginUploadsRequest(run_id=run_id, files=files))
    async with invalid("twice"):
        await artifacts.BeginUploads(pb.BeginUploadsRequest(run_id=run_id, files=files[:1] * 2))
    first, second = await begin(artifacts, run_id, "p", b"p"), await begin(artifacts, run_id, "p/q", b"q")
    for plan, data in ((first, b"p"), (second, b"q")):
        await artifacts.Upload(iter(messages(run_id, plan.upload_id, data)))
    await complete(artifacts, run_id, first.upload_id)
    async with invalid("does not go together"):
        await complete(artifacts, run_id, second.upload_id)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_listings_show_folders_once_and_page(artifacts: ArtifactServiceStub, run_id: str) -> None:
    paths = ["a", "a-b", "b/1", "b/2/x", "b/2/y", "b.txt", "b0", "c/d/e/f", "ü/ö"]
    for path in paths:
        await log(artifacts, run_id, path, b"same")
    top = ["a", "a-b", "b.txt", "b/", "b0", "c/", "ü/"]
    for size in (0, 1, 2, 3, 7):
        assert await listing(artifacts, run_id, size=size) == top
        assert await listing(artifacts, run_id, "b", size=size) == ["b/1", "b/2/"]
        assert await listing(artifacts, run_id, size=size, recursive=True) == sorted(paths, key=str.encode)
    assert await listing(artifacts, run_id, "c/d", recursive=True) == ["c/d/e/f"]
    assert await listing(artifacts, run_id, "a") == []
    assert await listing(artifacts, run_id, "nowhere") == []
    async with invalid("page token"):
        await artifacts.ListArtifacts(pb.ListArtifactsRequest(run_id=run_id, page_token="?"))
    async with invalid("page size"):
        await artifacts.ListArtifacts(pb.ListArtifactsRequest(run_id=run_id, page_size=10_001))


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_folder_of_100_000_files_pages(
    artifacts: ArtifactServiceStub, run_id: str, server: RunningServer
) -> None:
    await log(artifacts, run_id, "first", b"same")
    async with server.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO artifact SELECT run_id, 'many/' || lpad(n::text, 6, '0'), content_id, size_bytes, 0"
            " FROM artifact, generate_series(1, 100000) AS n"
        )
        await connection.execute("UPDATE artifact_content SET reference_count = 100001")
    assert await listing(artifacts, run_id) == ["first", "many/"]
    assert len(set(await listing(artifacts, run_id, "many", size=10_000))) == 100_000
    removed, more = 0, True
    while more:
        step = await artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id, path="many"))
        removed, more = removed + step.deleted_count, step.more
        if removed > 3_000:
            break  # bounded steps; the rest goes as before
    assert (removed, more) == (4_000, True)
    async with server.pool.connection() as connection:
        assert await connection.fetchval("SELECT reference_count FROM artifact_content") == 96_001
