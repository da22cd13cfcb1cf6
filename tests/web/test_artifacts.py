"""Artifacts over HTTP, by MLflow's routes and by our own, on a folder and on a real S3 server."""

import asyncio
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config, HttpLimits
from stepwell_server.services.content import uploads
from tests.harness.content.files import files_below
from tests.harness.content.s3 import BUCKET, S3Server, s3_server
from tests.harness.network.raw_http import Answer, Place, head
from tests.harness.network.rest import Rest
from tests.harness.servers.processes import ServerProcess

MIB = 1024 * 1024
STOP_S = 5.0
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@dataclass
class Store:
    """A server with a run, and where its bytes lie."""

    server: RunningServer
    http: Place
    folder: Path
    run_id: str

    @property
    def proxy(self) -> str:
        return f"{PROXY}/0/{self.run_id}/artifacts"

    @property
    def own(self) -> str:
        return f"/api/stepwell/v1/runs/{self.run_id}/artifacts"

    async def put(self, path: str, data: bytes) -> Answer:
        return await self.http.ask("PUT", f"{self.proxy}/{path}", data)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.http.ask("GET", path, **headers)

    async def names(self, folder: str = "") -> list[str]:
        found = await self.get(f"/api/2.0/mlflow/artifacts/list?run_id={self.run_id}&path={folder}")
        return [it["path"] + "/" * it["is_dir"] for it in found.json.get("files", [])]

    async def rows(self, table: str) -> int:
        connection = await asyncpg.connect(self.server.store)
        try:
            return await connection.fetchval(f"SELECT count(*) FROM {table}")
        finally:
            await connection.close()

    def files(self) -> list[Path]:
        return files_below(self.folder)


@asynccontextmanager
async def opened(
    database_url: str, data: Path, artifacts: str | None, folder: Path, **settings: Any
) -> AsyncIterator[Store]:
    config = Config(
        port=0,
        http_port=0,
        store=database_url,
        data=data,
        artifacts=artifacts,
        shutdown_grace_s=STOP_S,
        **settings,
    )
    async with running_server(config) as server:
        http = Place(int(server.http_url.rpartition(":")[2]), None)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0)
            run = (await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run
        yield Store(server, http, folder, run.info.run_id)
        http.close()


@pytest.fixture(params=["folder", "s3"])
async def store(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    if request.param == "folder":
        place = (None, tmp_path / "data" / "artifacts")
    else:
        server = request.getfixturevalue("s3")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        prefix = uuid4().hex
        place = (f"s3://{BUCKET}/{prefix}", server.folder / BUCKET / prefix)
    async with opened(database_url, tmp_path / "data", *place) as running:
        yield running


@pytest.fixture
async def folder_store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(database_url, tmp_path / "data", None, tmp_path / "data" / "artifacts") as running:
        yield running


@pytest.mark.parametrize("size", [0, 5, 8 * MIB, 20 * MIB + 1])
async def test_what_was_put_comes_back(store: Store, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    assert (await store.put("model/weights.bin", data)).status == 200
    found = await store.get(f"{store.proxy}/model/weights.bin")
    assert found.status == 200
    assert found.body == data
    assert found.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert found.headers["content-length"] == str(size)
    assert await store.names("model") == ["model/weights.bin"]


async def test_an_upload_without_a_length_is_taken(store: Store) -> None:
    peer = await store.http.connect()
    await peer.send(
        f"PUT {store.proxy}/a.bin HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )
    for piece in (b"first ", b"second"):
        await peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    await peer.send(b"0\r\n\r\n")
    assert (await peer.answer()).status == 200
    assert (await store.get(f"{store.proxy}/a.bin")).body == b"first second"


@pytest.mark.parametrize("sent", [0, 3 * MIB, 19 * MIB])
async def test_a_client_that_vanishes_leaves_nothing(store: Store, sent: int) -> None:
    await store.put("a.bin", b"the former content")
    before = store.files()
    peer = await store.http.connect()
    await peer.send(head("PUT", f"{store.proxy}/a.bin", **{"content-length": str(20 * MIB)}))
    await peer.send(bytes(sent))
    await until(lambda: store.rows("artifact_upload"), 1)
    peer.close()
    await until(lambda: store.rows("artifact_upload"), 0)
    assert (await store.get(f"{store.proxy}/a.bin")).body == b"the former content"
    assert store.files() == before


async def test_a_client_that_falls_silent_leaves_nothing_and_holds_nothing(
    database_url: str, tmp_path: Path
) -> None:
    """As one does that is gone without a word: the connection stays open."""
    place = (tmp_path / "data", None, tmp_path / "data" / "artifacts")
    async with opened(database_url, *place, http_limits=HttpLimits(stall_s=1.0)) as store:
        before = store.files()
        peer = await store.http.connect()
        await peer.send(head("PUT", f"{store.proxy}/a.bin", **{"content-length": str(20 * MIB)}))
        await peer.send(bytes(9 * MIB))
        await until(lambda: store.rows("artifact_upload"), 1)
        assert store.server.holding is not None
        assert store.server.holding.bytes_held > 0
        answer = await peer.answer()
        assert (answer.status, answer.json["error_code"]) == (408, "BAD_REQUEST")
        await until(lambda: store.rows("artifact_upload"), 0)
        assert store.files() == before
        assert store.server.holding.bytes_held == 0


async def test_clients_that_vanish_leave_nothing_with_any_worker(
    database_url: str, tmp_path: Path, start_server: Callable[..., ServerProcess]
) -> None:
    server = start_server("--store", database_url, "--data", str(tmp_path / "data"), "--workers", "2")
    folder = tmp_path / "data" / "artifacts"
    rest = Rest(server.url)
    address = f"{PROXY}/0/{await rest.new_run()}/artifacts/a.bin"
    peers = [await rest.place.connect() for _ in range(6)]
    for peer in peers:
        await peer.send(head("PUT", address, **{"content-length": str(20 * MIB)}) + bytes(3 * MIB))
    async with asyncio.timeout(30):
        while len(files_below(folder)) < len(peers):  # noqa: ASYNC110 - other processes write them
            await asyncio.sleep(0.02)
    rest.place.close()
    async with asyncio.timeout(30):
        while files_below(folder):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await rest.place.ask("PUT", address, b"the whole")).status == 200
    assert (await rest.place.ask("GET", address)).body == b"the whole"


async def test_a_slow_upload_is_not_given_up(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "NOTE_INTERVAL_S", 0.1)
    place = (tmp_path / "data", None, tmp_path / "data" / "artifacts")
    # Bytes are written, and noted, in blocks of 2 MiB: every 0.6 s here.
    async with opened(database_url, *place, artifact_upload_idle_s=1.8) as store:
        peer = await store.http.connect()
        await peer.send(head("PUT", f"{store.proxy}/a.bin", **{"content-length": str(12 * MIB)}))
        for _ in range(12):
            await peer.send(bytes(MIB))
            await asyncio.sleep(0.3)
        assert (await peer.answer()).status == 200


async def test_a_server_that_is_killed_leaves_nothing_for_long(
    database_url: str, tmp_path: Path, start_server: Callable[..., ServerProcess]
) -> None:
    options = ("--store", database_url, "--data", str(tmp_path / "data"), "--artifact-idle", "1")
    folder = tmp_path / "data" / "artifacts"
    server = start_server(*options)
    rest = Rest(server.url)
    run_id = await rest.new_run()
    peer = await rest.place.connect()
    address = f"{PROXY}/0/{run_id}/artifacts/a.bin"
    await peer.send(head("PUT", address, **{"content-length": str(20 * MIB)}))
    await peer.send(bytes(3 * MIB))
    async with asyncio.timeout(30):
        while not files_below(folder):  # noqa: ASYNC110 - another process writes them
            await asyncio.sleep(0.02)
    server.kill()
    rest.place.close()
    start_server(*options)
    async with asyncio.timeout(30):
        while files_below(folder):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_equal_content_is_kept_once(folder_store: Store) -> None:
    for name in ("a.bin", "b.bin", "a.bin"):
        assert (await folder_store.put(name, b"the same")).status == 200
    assert await folder_store.rows("artifact_content") == 1
    assert (await folder_store.get(f"{folder_store.proxy}/b.bin")).body == b"the same"


async def test_two_uploads_of_one_path_at_once(store: Store) -> None:
    contents = [bytes([number]) * 9 * MIB for number in range(3)]
    answers = await asyncio.gather(*(store.put("a.bin", content) for content in contents))
    assert [found.status for found in answers] == [200] * 3
    assert (await store.get(f"{store.proxy}/a.bin")).body in contents
    assert await store.rows("artifact_content") == 1


@pytest.mark.parametrize(
    ("header", "status", "body"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-99", 206, b"89"),
        (f"bytes=8-{2**64 - 1}", 206, b"89"),
        (f"bytes=-{2**63 - 1}", 206, b"0123456789"),
        (f"bytes=0-{'9' * 50}", 400, None),
        ("bytes=10-", 416, None),
        ("bytes=5-2", 400, None),
        ("lines=0-3", 200, b"0123456789"),
        ("bytes=0-1,4-5", 200, b"0123456789"),
    ],
)
async def test_ranges(store: Store, header: str, status: int, body: bytes | None) -> None:
    await store.put("digits.bin", b"0123456789")
    for path in (f"{store.proxy}/digits.bin", f"{store.own}/digits.bin"):
        found = await store.get(path, range=header)
        assert found.status == status
        if body is not None:
            assert found.body == body
    if status == 416:
        assert found.headers["content-range"] == "bytes */10"


async def test_conditions(folder_store: Store) -> None:
    store = folder_store
    await store.put("a.txt", b"one")
    path = f"{store.own}/a.txt"
    first = await store.get(path)
    etag, time = first.headers["etag"], first.headers["last-modified"]
    assert (await store.get(path, if_none_match=etag)).status == 304
    assert (await store.get(path, if_none_match=f'"x", W/{etag}')).status == 304
    assert (await store.get(path, if_modified_since=time)).status == 304
    assert (await store.get(path, if_match=etag)).status == 200
    assert (await store.get(path, range="bytes=1-", if_range=etag)).status == 206
    await store.put("a.txt", b"two")
    assert (await store.get(path, if_none_match=etag)).body == b"two"
    assert (await store.get(path, if_match=etag)).status == 412
    assert (await store.get(path, range="bytes=1-", if_range=etag)).body == b"two"
    assert (await store.get(path, if_unmodified_since="Thu, 01 Jan 1970 00:00:00 GMT")).status == 412


@pytest.mark.parametrize(
    "header", [{"if_none_match": "*"}, {"if_match": '"x"'}, {"content_range": "bytes 0-1/10"}]
)
async def test_what_would_be_taken_under_conditions_or_in_part_is_not_taken(
    folder_store: Store, header: dict[str, str]
) -> None:
    store = folder_store
    await store.put("a.txt", b"whole")
    for method in ("PUT", "DELETE"):
        body = b"new" if method == "PUT" else b""
        refused = await store.http.ask(method, f"{store.proxy}/a.txt", body, **header)
        assert (refused.status, "leave it out" in refused.json["message"]) == (400, True)
    assert (await store.get(f"{store.own}/a.txt")).body == b"whole"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("page.html", "text/html; charset=utf-8"),
        ("drawing.svg", "image/svg+xml"),
        ("data.json", "text/plain; charset=utf-8"),
        ("MLmodel", "text/plain; charset=utf-8"),
        ("model.pkl", "application/octet-stream"),
        ("image.webp", "image/webp"),
    ],
)
async def test_nothing_runs_as_a_page_of_ours(folder_store: Store, name: str, kind: str) -> None:
    await folder_store.put(name, b"<script>alert(1)</script>")
    for path in (
        f"{folder_store.proxy}/{name}",
        f"/get-artifact?run_id={folder_store.run_id}&path={name}",
        f"/ajax-api/2.0/mlflow/get-artifact?run_uuid={folder_store.run_id}&path={name}",
        f"{folder_store.own}/{name}",
    ):
        found = await folder_store.get(path)
        assert found.status == 200
        assert found.headers["content-type"] == kind
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["content-security-policy"].startswith("sandbox;")
        shown = "inline" if path.startswith(folder_store.own) else "attachment"
        assert found.headers["content-disposition"] == f"{shown}; filename={name}"


async def test_names_that_headers_cannot_hold(folder_store: Store) -> None:
    await folder_store.put("a%20%22b%22.txt", b"x")
    await folder_store.put("%C3%BC%20b.txt", b"x")
    quoted = await folder_store.get(f"{folder_store.own}/a%20%22b%22.txt")
    assert quoted.headers["content-disposition"] == 'inline; filename="a \\"b\\".txt"'
    encoded = await folder_store.get(f"{folder_store.own}/%C3%BC%20b.txt")
    assert encoded.headers["content-disposition"] == "inline; filename*=UTF-8''%C3%BC%20b.txt"
    logged = await folder_store.put("two%0Alines%0A", b"x")
    assert logged.status == 200, logged.body
    of_lines = await folder_store.get(f"{folder_store.own}/two%0Alines%0A")
    assert (of_lines.status, of_lines.body) == (200, b"x")
    assert of_lines.headers["content-disposition"] == "inline; filename*=UTF-8''two%0Alines%0A"


@pytest.mark.parametrize(
    "path", ["..", "../x", "a/../../x", "%2e%2e/x", "%2Fetc/passwd", "a//b", "./a", "a%5Cb", "C:/x", "a%00b"]
)
async def test_paths_that_lead_elsewhere_are_refused(folder_store: Store, path: str) -> None:
    for found in (
        await folder_store.put(path, b"x"),
        await folder_store.get(f"{folder_store.proxy}/{path}"),
        await folder_store.http.ask("DELETE", f"{folder_store.proxy}/{path}"),
        await folder_store.get(f"{folder_store.own}/{path}"),
        await folder_store.get(f"/get-artifact?run_id={folder_store.run_id}&path={path}"),
        await folder_store.get(f"/api/2.0/mlflow/artifacts/list?run_id={folder_store.run_id}&path={path}"),
    ):
        assert found.status == 400
        assert found.json["error_code"] == "INVALID_PARAMETER_VALUE"
    assert await folder_store.rows("artifact") == 0


async def test_what_cannot_be_put_says_why(folder_store: Store) -> None:
    store = folder_store
    await store.put("a.txt", b"x")
    for path, status in {
        f"{store.proxy}/a.txt/below": 400,
        f"{PROXY}/0/{uuid4().hex}/artifacts/a.txt": 404,
        f"{PROXY}/somewhere/else.txt": 400,
        store.proxy: 400,
    }.items():
        found = await store.http.ask("PUT", path, b"x")
        assert (found.status, bool(found.json["message"])) == (status, True)
    assert await store.names() == ["a.txt"]


@pytest.mark.parametrize("size", [5, MIB // 2, 3 * MIB])
async def test_what_is_refused_only_at_its_end_is_answered_at_once(folder_store: Store, size: int) -> None:
    peer = await folder_store.http.connect()
    await peer.send(
        head("PUT", f"{folder_store.proxy}/a.txt/below", **{"content-length": str(size)}) + bytes(size - 1)
    )
    await until(lambda: folder_store.rows("artifact_upload"), 1)
    assert (await folder_store.put("a.txt", b"came between")).status == 200
    await peer.send(b"x")
    found = await peer.answer()
    assert (found.status, found.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert await folder_store.rows("artifact_upload") == 0


async def test_who_sends_much_in_vain_learns_why(folder_store: Store) -> None:
    await folder_store.put("a.txt", b"x")
    found = await folder_store.put("a.txt/below", bytes(80 * MIB))
    assert (found.status, found.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    peer = await folder_store.http.connect()
    await peer.send(head("PUT", f"{folder_store.proxy}/a.txt/below", b"x", expect="100-continue"))
    assert (await peer.answer()).status == 400


async def test_listings_of_the_proxy_and_removals(folder_store: Store) -> None:
    store = folder_store
    for path in ("a.txt", "m/one.txt", "m/deep/two.txt", "empty"):
        await store.put(path, b"" if path == "empty" else b"content")
    listed = (await store.get(f"{PROXY}?path=0/{store.run_id}/artifacts/m")).json
    assert listed == {
        "files": [{"path": "deep", "is_dir": True}, {"path": "one.txt", "is_dir": False, "file_size": 7}]
    }
    root = (await store.get(f"/api/2.0/mlflow/artifacts/list?run_id={store.run_id}")).json
    assert root["root_uri"] == f"mlflow-artifacts:/0/{store.run_id}/artifacts"
    assert {"path": "empty", "is_dir": False} in root["files"]
    assert (await store.http.ask("DELETE", f"{store.proxy}/m")).json == {}
    assert (await store.http.ask("DELETE", f"{store.proxy}/m")).json == {}
    assert await store.names() == ["a.txt", "empty"]
    assert (await store.get(f"{store.proxy}/m/one.txt")).status == 404
    await store.put("m/one.txt", b"x")
    assert (await store.get(f"{store.proxy}/m")).json["error_code"] == "INVALID_PARAMETER_VALUE"


async def test_a_folder_as_an_archive(store: Store) -> None:
    contents = {"m/one.txt": b"1" * 700_000, "m/deep/two.txt": b"2", "m/empty": b"", "other.txt": b"3"}
    for path, data in contents.items():
        await store.put(path, data)
    found = await store.get(f"{store.own}/m?zip=1")
    assert found.headers["content-type"] == "application/zip"
    assert found.headers["content-disposition"] == "attachment; filename=m.zip"
    with zipfile.ZipFile(io.BytesIO(found.body)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name.removeprefix("m/"): data for name, data in contents.items() if name.startswith("m/")
        }
    whole = await store.get(f"{store.own}?zip=1")
    with zipfile.ZipFile(io.BytesIO(whole.body)) as archive:
        assert set(archive.namelist()) == set(contents)
    assert (await store.get(f"{store.own}/none?zip=1")).status == 404


async def test_an_archive_of_what_was_logged_by_a_lost_clock(folder_store: Store) -> None:
    await folder_store.put("a.txt", b"a")
    connection = await asyncpg.connect(folder_store.server.store)
    await connection.execute("UPDATE artifact SET logged_time_ms = 5")
    await connection.close()
    found = await folder_store.get(f"{folder_store.own}?zip=1")
    with zipfile.ZipFile(io.BytesIO(found.body)) as archive:
        assert [(it.filename, it.date_time[0]) for it in archive.infolist()] == [("a.txt", 1980)]


async def test_small_files_of_pages(folder_store: Store) -> None:
    store = folder_store
    route = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={store.run_id}"
    assert (await store.http.ask("POST", f"{route}&path=m/a.txt", b"x")).status == 200
    assert await store.names("m") == ["m/a.txt"]
    assert (await store.http.ask("POST", f"{route}&path=a.txt", b"")).status == 400
    assert (await store.http.ask("POST", f"{route}&path=a.txt", bytes(10 * MIB + 1))).status == 400


async def test_files_of_versions(folder_store: Store) -> None:
    store = folder_store
    await store.put("model/MLmodel", b"flavors: {}")
    rest = Rest(store.server.http_url)
    await rest.post("registered-models/create", {"name": "m"})
    source = f"mlflow-artifacts:/0/{store.run_id}/artifacts/model"
    version = {"name": "m", "source": source, "run_id": store.run_id}
    made = await rest.post("model-versions/create", version)
    assert made["model_version"]["source"] == source
    found = await rest.get("model-versions/search", filter=f"source_path = '{source}'")
    assert [it["version"] for it in found["model_versions"]] == ["1"]
    version["source"] = f"{source}/../other"
    assert source[:40] in (await rest.refused("POST", "model-versions/create", version))[2]
    address = "/model-versions/get-artifact?name=m&version=1&path="
    found = await store.get(f"{address}MLmodel")
    assert (found.status, found.body) == (200, b"flavors: {}")
    assert "sandbox" in found.headers["content-security-policy"]
    for path, status in (("none", 404), ("../MLmodel", 400), ("", 400)):
        assert (await store.get(address + path)).status == status
    assert (await store.get(address.replace("=1", "=2") + "MLmodel")).status == 404


async def test_a_reader_that_leaves_ends_the_reading(folder_store: Store) -> None:
    await folder_store.put("large.bin", bytes(40 * MIB))
    for _ in range(5):
        peer = await folder_store.http.connect()
        await peer.send(head("GET", f"{folder_store.proxy}/large.bin"))
        await peer.reader.readexactly(1_000)
        peer.close()
    found = await folder_store.get(f"{folder_store.proxy}/large.bin", range="bytes=-5")
    assert found.body == bytes(5)


async def test_content_that_is_gone_is_an_error_and_not_half_an_answer(folder_store: Store) -> None:
    await folder_store.put("a.txt", b"content")
    for path in folder_store.files():
        path.unlink()
    assert (await folder_store.get(f"{folder_store.proxy}/a.txt")).status == 404


async def until(question: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Ask until this is the answer."""
    async with asyncio.timeout(30):
        while await question() != wanted:  # noqa: ASYNC110 - the database sets no event
            await asyncio.sleep(0.02)


async def test_parts_go_straight_to_the_bucket(
    s3: S3Server, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    prefix = uuid4().hex
    place = (f"s3://{BUCKET}/{prefix}", s3.folder / BUCKET / prefix)
    async with opened(database_url, tmp_path / "data", *place) as store:
        base = f"/api/2.0/mlflow-artifacts/mpu/{{}}/0/{store.run_id}/artifacts/m"
        begun = await ask_json(store, base.format("create"), {"path": "/tmp/big.bin", "num_parts": 2})
        parts = [b"a" * 6 * MIB, b"b" * MIB]
        tags = [
            {"part_number": it["part_number"], "etag": await put_part(it["url"], data)}
            for it, data in zip(begun["credentials"], parts, strict=True)
        ]
        assert await store.names("m") == []
        content = {"path": "big.bin", "upload_id": begun["upload_id"], "parts": tags}
        with hashing_elsewhere(monkeypatch):
            assert await ask_json(store, base.format("complete"), content) == {}
        found = await store.get(f"{store.proxy}/m/big.bin")
        assert found.body == b"".join(parts)
        assert found.headers["etag"] == f'"{hashlib.sha256(found.body).hexdigest()}"'
        signed = (
            await store.get(f"/api/2.0/mlflow-artifacts/presigned/0/{store.run_id}/artifacts/m/big.bin")
        ).json
        assert signed["file_size"] == len(found.body)

        other = await ask_json(store, base.format("create"), {"path": "other.bin", "num_parts": 1})
        await put_part(other["credentials"][0]["url"], parts[0])
        content = {"path": "other.bin", "upload_id": other["upload_id"]}
        assert await ask_json(store, base.format("abort"), content) == {}
        assert await store.rows("artifact_upload") == 0
        assert len(store.files()) == 1


async def test_parts_keep_to_quotas(
    s3: S3Server, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    prefix = uuid4().hex
    place = (f"s3://{BUCKET}/{prefix}", s3.folder / BUCKET / prefix)
    async with opened(database_url, tmp_path / "data", *place, artifact_run_quota_gib=8 / 1024) as store:
        base = f"/api/2.0/mlflow-artifacts/mpu/{{}}/0/{store.run_id}/artifacts"

        async def status(action: str, **content: object) -> tuple[int, Any]:
            body = json.dumps(content).encode()
            found = await store.http.ask("POST", base.format(action), body, content_type="application/json")
            return found.status, found.json

        async def sent(sizes: Sequence[int]) -> tuple[int, Any]:
            code, begun = await status("create", path="a", num_parts=len(sizes))
            assert code == 200
            # What was begun counts with what its parts have at least.
            assert (await status("create", path="b", num_parts=2))[0] == 429
            parts = [
                {"part_number": it["part_number"], "etag": await put_part(it["url"], bytes(size * MIB))}
                for it, size in zip(begun["credentials"], sizes, strict=True)
            ]
            return await status("complete", path="a", upload_id=begun["upload_id"], parts=parts)

        # Three parts have 10 MiB at least, two may have as much.
        assert (await status("create", path="a", num_parts=3))[0] == 429
        code, refusal = await sent([6, 4])
        assert (code, refusal["error_code"]) == (429, "RESOURCE_EXHAUSTED")
        assert f"the quota of run {store.run_id}" in refusal["message"]
        assert (await store.names(), store.files(), await store.rows("artifact_upload")) == ([], [], 0)
        assert await sent([6, 1]) == (200, {})
        assert await store.names() == ["a"]


async def test_files_that_do_not_say_how_large_they_are_keep_to_quotas(
    database_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with opened(database_url, data, None, data / "artifacts", artifact_run_quota_gib=2 / 1024) as store:
        chunk = b"80000\r\n" + bytes(2**19) + b"\r\n"
        for path, count, status in (("large", 5, 429), ("small", 3, 200), ("more", 2, 429)):
            peer = await store.http.connect()
            request = head("PUT", f"{store.proxy}/{path}", **{"transfer-encoding": "chunked"})
            request = request.replace(b"content-length: 0\r\n", b"")
            await peer.send(request + chunk * count + b"0\r\n\r\n")
            assert (await peer.answer("PUT")).status == status
        assert await store.names() == ["small"]
        assert (len(store.files()), await store.rows("artifact_upload")) == (1, 0)


async def test_parts_need_a_bucket(folder_store: Store) -> None:
    path = f"/api/2.0/mlflow-artifacts/mpu/create/0/{folder_store.run_id}/artifacts"
    content = json.dumps({"path": "a.bin", "num_parts": 2}).encode()
    found = await folder_store.http.ask("POST", path, content, content_type="application/json")
    assert (found.status, found.json["error_code"]) == (501, "NOT_IMPLEMENTED")


@contextmanager
def hashing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail when the loop's thread hashes more than a little."""
    loop = threading.get_ident()
    hashed_here = 0

    class Sha256:
        def __init__(self, data: bytes = b"") -> None:
            self._digest = sha256(data)

        def update(self, data: Any) -> None:
            nonlocal hashed_here
            hashed_here += len(data) if threading.get_ident() == loop else 0
            self._digest.update(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._digest, name)

    sha256 = hashlib.sha256
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "sha256", Sha256)
        yield
    assert hashed_here < MIB


async def ask_json(store: Store, path: str, content: dict[str, object]) -> dict[str, object]:
    found = await store.http.ask("POST", path, json.dumps(content).encode(), content_type="application/json")
    assert found.status == 200, found.body
    return found.json


async def put_part(url: str, data: bytes) -> str:
    host, _, path = url.removeprefix("http://").partition("/")
    bucket = Place(int(host.rpartition(":")[2]), None)
    found = await bucket.ask("PUT", f"/{path}", data, host=host)
    assert found.status == 200, found.body
    return found.headers["etag"]
