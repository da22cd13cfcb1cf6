"""ArtifactService over the wire, on a folder and on a real S3 server."""

import asyncio
import hashlib
import os
import stat
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config
from stepwell_server.model.artifacts import SMALL_BYTES_MAX
from stepwell_server.store.content.buckets.s3 import S3Bucket
from tests.harness.calls import invalid, invalid_state, not_found
from tests.harness.content.files import files_below
from tests.harness.content.s3 import BUCKET, S3Server, s3_server

MIB = 1024 * 1024
STOP_S = 5.0


class Place:
    """Where a server keeps bytes, and what lies there."""

    def __init__(self, folder: Path, artifacts: str | None, s3: S3Server | None) -> None:
        self.folder = folder
        self.artifacts = artifacts
        self.s3 = s3

    def files(self) -> list[Path]:
        return files_below(self.folder)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return Place(tmp_path / "data" / "artifacts", None, None)
    s3 = request.getfixturevalue("s3")
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    prefix = uuid4().hex
    return Place(s3.folder / BUCKET / prefix, f"s3://{BUCKET}/{prefix}", s3)


@asynccontextmanager
async def serving(
    database_url: str, place: Place, tmp_path: Path, **settings: float
) -> AsyncIterator[RunningServer]:
    config = Config(
        port=0,
        store=database_url,
        data=tmp_path / "data",
        artifacts=place.artifacts,
        shutdown_grace_s=STOP_S,
        **settings,
    )
    async with running_server(config) as running:
        yield running


@pytest.fixture
async def server(database_url: str, place: Place, tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(database_url, place, tmp_path) as running:
        yield running


@pytest.fixture
async def artifacts(channel: grpc.aio.Channel) -> ArtifactServiceStub:
    return ArtifactServiceStub(channel)


@pytest.fixture
async def run_id(channel: grpc.aio.Channel) -> str:
    return await create_run(channel)


async def create_run(channel: grpc.aio.Channel, experiment_id: int = 0) -> str:
    spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=experiment_id)
    return (await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run.info.run_id


def spec_of(path: str, data: bytes) -> pb.UploadSpec:
    return pb.UploadSpec(path=path, size_bytes=len(data), sha256=hashlib.sha256(data).digest())


async def begin(
    stub: ArtifactServiceStub, run_id: str, path: str, data: bytes, direct: bool = False
) -> pb.UploadPlan:
    request = pb.BeginUploadsRequest(run_id=run_id, files=[spec_of(path, data)], direct=direct)
    return (await stub.BeginUploads(request)).plans[0]


def messages(
    run_id: str, upload_id: str, data: bytes, offset: int = 0, piece: int = MIB
) -> Sequence[pb.UploadRequest]:
    first = pb.UploadRequest(run_id=run_id, upload_id=upload_id, offset_bytes=offset)
    return [first, *(pb.UploadRequest(data=data[at : at + piece]) for at in range(offset, len(data), piece))]


async def complete(
    stub: ArtifactServiceStub, run_id: str, upload_id: str, parts: Sequence[pb.PartTag] = ()
) -> None:
    finished = pb.FinishedUpload(upload_id=upload_id, parts=parts)
    await stub.CompleteUploads(pb.CompleteUploadsRequest(run_id=run_id, uploads=[finished]))


async def log(stub: ArtifactServiceStub, run_id: str, path: str, data: bytes) -> pb.UploadPlan:
    plan = await begin(stub, run_id, path, data)
    if plan.upload_id:
        await stub.Upload(iter(messages(run_id, plan.upload_id, data)))
        await complete(stub, run_id, plan.upload_id)
    return plan


async def read(stub: ArtifactServiceStub, run_id: str, path: str, offset: int = 0) -> bytes:
    request = pb.DownloadRequest(run_id=run_id, path=path, offset_bytes=offset)
    return b"".join([piece.data async for piece in stub.Download(request)])


async def listing(
    stub: ArtifactServiceStub, run_id: str, path: str = "", size: int = 0, recursive: bool = False
) -> list[str]:
    names, token = [], ""
    while True:
        page = await stub.ListArtifacts(
            pb.ListArtifactsRequest(
                run_id=run_id, path=path, page_size=size, page_token=token, recursive=recursive
            )
        )
        names += [found.path + ("/" if found.is_folder else "") for found in page.artifacts]
        token = page.next_page_token
        if not token:
            return names


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


async def test_uploads_of_equal_content_at_once_leave_one(
    artifacts: ArtifactServiceStub, run_id: str, server: RunningServer, place: Place
) -> None:
    await asyncio.gather(*(log(artifacts, run_id, f"copy {number}", b"x" * 1_000) for number in range(20)))
    assert len(await listing(artifacts, run_id)) == 20
    await artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id, path="copy 0"))
    assert len(place.files()) == 1
    async with server.pool.connection() as connection:
        assert await connection.fetchval("SELECT reference_count FROM artifact_content") == 19


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
    assert place.files() == []


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


async def sign(
    stub: ArtifactServiceStub, run_id: str, plan: pb.UploadPlan, numbers: Sequence[int]
) -> Sequence[str]:
    request = pb.SignPartsRequest(run_id=run_id, upload_id=plan.upload_id, numbers=numbers)
    return (await stub.SignParts(request)).urls


def put(url: str, data: bytes) -> str:
    request = urllib.request.Request(url, data=data, method="PUT")
    with urllib.request.urlopen(request) as answer:
        return answer.headers["ETag"].strip('"')


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
async def test_runs_that_cannot_get_artifacts(
    artifacts: ArtifactServiceStub, run_id: str, server: RunningServer, channel: grpc.aio.Channel
) -> None:
    async with not_found("no run"):
        await begin(artifacts, uuid4().hex, "a", b"")
    async with not_found("no run"):
        await listing(artifacts, uuid4().hex)
    plan = await begin(artifacts, run_id, "a", b"a")
    await artifacts.Upload(iter(messages(run_id, plan.upload_id, b"a")))
    async with server.pool.connection() as connection:
        await connection.execute("UPDATE run SET lifecycle_stage = 'deleted'")
    async with invalid_state("deleted"):
        await begin(artifacts, run_id, "b", b"")
    async with invalid_state("deleted"):
        await complete(artifacts, run_id, plan.upload_id)
    # A location from before, when none was checked.
    for location, problem in (("file:///etc", "not in a folder"), ("ftp://x/y", "are not served")):
        request = runs_pb2.CreateExperimentRequest(name=location)
        experiment = (await ExperimentServiceStub(channel).CreateExperiment(request)).experiment
        async with server.pool.connection() as connection:
            await connection.execute(
                "UPDATE experiment SET artifact_location = $2 WHERE experiment_id = $1",
                experiment.experiment_id,
                location,
            )
        async with invalid(problem):
            await begin(artifacts, await create_run(channel, experiment.experiment_id), "a", b"")


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_nobody_else_of_the_machine_reads_the_files(
    artifacts: ArtifactServiceStub, run_id: str, place: Place
) -> None:
    await log(artifacts, run_id, "small", b"1")
    await begin(artifacts, run_id, "unfinished", b"1")
    for path in (place.folder, *place.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if path.is_file() else 0o700), path


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_an_experiment_has_a_location_of_its_own(
    database_url: str, tmp_path: Path, place: Place
) -> None:
    own = tmp_path / "shared disk" / "own"
    settings = {"artifact_folders": (str(tmp_path / "shared disk"),)}
    async with (
        serving(database_url, place, tmp_path, **settings) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        request = runs_pb2.CreateExperimentRequest(name="own", artifact_location=own.as_uri())
        experiment = (await ExperimentServiceStub(channel).CreateExperiment(request)).experiment
        run_id, stub = await create_run(channel, experiment.experiment_id), ArtifactServiceStub(channel)
        await log(stub, run_id, "a", b"here")
        assert await read(stub, run_id, "a") == b"here"
        assert len([path for path in own.rglob("*") if path.is_file()]) == 1
        assert place.files() == []


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
        serving(database_url, place, tmp_path) as server,
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
        monkeypatch.undo()
        await stub.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id))
        assert (len(place.files()), await rows(server, "artifact_garbage")) == (0, 0)


@pytest.mark.parametrize("place", ["s3"], indirect=True)
async def test_who_removes_at_once_asks_the_bucket_once_for_each_file(
    artifacts: ArtifactServiceStub, channel: grpc.aio.Channel, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, delete = Counter[str](), S3Bucket.delete

    async def counted(bucket: S3Bucket, key: str) -> None:
        asked[key] += 1
        await asyncio.sleep(0.05)  # long enough for the others to look what there is to remove
        await delete(bucket, key)

    monkeypatch.setattr(S3Bucket, "delete", counted)
    run_ids = [await create_run(channel) for _ in range(4)]
    for number in range(20):
        await log(artifacts, run_ids[number % 4], f"{number}", b"%d" % number)
    await asyncio.gather(
        *(artifacts.DeleteArtifacts(pb.DeleteArtifactsRequest(run_id=run_id)) for run_id in run_ids)
    )
    assert place.files() == []
    assert list(asked.values()) == [1] * 20


async def broken(*_: object) -> None:
    from stepwell_server.errors import UnavailableError

    raise UnavailableError("the bucket is away")
