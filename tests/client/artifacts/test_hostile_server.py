"""A server that lies about artifacts: its client writes no more than was said, and knocks at no door but known ones."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from stepwell import StepwellException
from stepwell.files import downloads, uploads
from stepwell.files.addresses import is_trusted
from stepwell.files.bucket import CHECKSUM_HEADER
from stepwell.files.downloads import Downloader
from stepwell.files.local import LocalFile
from stepwell.files.uploads import Uploader
from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceServicer, add_ArtifactServiceServicer_to_server

MIB = 1024 * 1024
DATA = b"four"


class Liar(ArtifactServiceServicer):
    """Has one artifact of four bytes, and says `url` where clients ask for an address."""

    def __init__(self) -> None:
        self.url = ""
        self.pieces = 1
        self.sent = 0
        self.received = b""

    def GetArtifact(self, request: pb.GetArtifactRequest, context: Any) -> pb.GetArtifactResponse:
        artifact = pb.Artifact(path=request.path, size_bytes=len(DATA), sha256=hashlib.sha256(DATA).digest())
        return pb.GetArtifactResponse(artifact=artifact, url=self.url if request.direct else "")

    def Download(self, request: pb.DownloadRequest, context: Any) -> Iterator[pb.DownloadResponse]:
        for number in range(self.pieces):
            self.sent += 1
            yield pb.DownloadResponse(data=bytes(MIB) if number else DATA)

    def BeginUploads(self, request: pb.BeginUploadsRequest, context: Any) -> pb.BeginUploadsResponse:
        plan = pb.UploadPlan(upload_id=uuid4().hex, through_server=pb.ThroughServer())
        if request.direct:
            plan = pb.UploadPlan(upload_id=uuid4().hex, put=pb.PutAddress(url=self.url))
        return pb.BeginUploadsResponse(plans=[plan])

    def UploadSmall(self, request: pb.UploadSmallRequest, context: Any) -> pb.UploadSmallResponse:
        self.received = request.files[0].data
        return pb.UploadSmallResponse()

    def CompleteUploads(self, request: pb.CompleteUploadsRequest, context: Any) -> pb.CompleteUploadsResponse:
        return pb.CompleteUploadsResponse()


class Door:
    """An HTTP server that notes who knocks, and sends them on to `location` if it has one."""

    def __init__(self) -> None:
        self.knocks: list[dict[str, str]] = []
        self.location = ""
        self.port = 0

    @contextmanager
    def opened(self) -> "Iterator[Door]":
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                door.knocks.append(dict(self.headers))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(307 if door.location else 200)
                if door.location:
                    self.send_header("Location", door.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_HEAD = answer  # noqa: N815 - names of http.server

            def log_message(self, *arguments: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port = server.server_port
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/latest/meta-data?token=1"


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Liar, str]]:
    """Such a server and its URI."""
    monkeypatch.setattr(uploads, "_out_of_reach_until", {})
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "2")
    servicer, server = Liar(), grpc.server(ThreadPoolExecutor(4))
    add_ArtifactServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield servicer, f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None)


@pytest.fixture
def door() -> Iterator[Door]:
    with Door().opened() as opened:
        yield opened


def test_no_more_is_written_than_the_size_that_was_said(
    liar: tuple[Liar, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    real = downloads._write_all

    def counted(descriptor: int, data: memoryview, offset: int) -> None:
        written.append(len(data))
        real(descriptor, data, offset)

    monkeypatch.setattr(downloads, "_write_all", counted)
    servicer, uri = liar
    servicer.pieces = 100
    with (
        Downloader(uri, uuid4().hex) as downloader,
        pytest.raises(StepwellException, match="than the 4 bytes"),
    ):
        downloader.download("x", tmp_path)
    assert sum(written) == len(DATA)
    assert list(tmp_path.iterdir()) == []


def test_addresses_that_nobody_here_has_named_are_not_fetched_from(
    liar: tuple[Liar, str], door: Door, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    servicer, uri = liar
    servicer.url = door.url
    with Downloader(uri, uuid4().hex) as downloader:
        assert downloader.download("x", tmp_path).read_bytes() == DATA  # through the server
    assert door.knocks == []
    assert f"STEPWELL_ARTIFACT_HOSTS=127.0.0.1:{door.port}" in caplog.text


def test_addresses_that_nobody_here_has_named_are_not_sent_to(
    liar: tuple[Liar, str], door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, uri = liar
    servicer.url = door.url
    (tmp_path / "x").write_bytes(b"secret")
    Uploader(uri, uuid4().hex).upload([LocalFile("x", tmp_path / "x")])
    assert (door.knocks, servicer.received) == ([], b"secret")
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", "direct")
    with pytest.raises(StepwellException, match="STEPWELL_ARTIFACT_HOSTS") as refusal:
        Uploader(uri, uuid4().hex).upload([LocalFile("x", tmp_path / "x")])
    assert (refusal.value.error_code, door.knocks) == ("PERMISSION_DENIED", [])


def test_redirections_are_not_followed(
    liar: tuple[Liar, str], door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, uri = liar
    with Door().opened() as known:
        servicer.url, known.location = known.url, door.url
        monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", f"127.0.0.1:{known.port}")
        (tmp_path / "x").write_bytes(b"secret")
        with pytest.raises(StepwellException, match="307"):
            Uploader(uri, uuid4().hex).upload([LocalFile("x", tmp_path / "x")])
        with Downloader(uri, uuid4().hex) as downloader, pytest.raises(StepwellException, match="307"):
            downloader.download("x", tmp_path / "out")
        assert known.knocks
    assert door.knocks == []
    # This server did not sign for a checksum; then the MD5 travels.
    assert CHECKSUM_HEADER not in {name.lower() for name in known.knocks[0]}


@pytest.mark.parametrize(
    ("url", "is_known"),
    [
        ("https://bucket.s3.eu-central-1.amazonaws.com/x?y", True),
        ("https://s3.amazonaws.com/bucket/x", True),
        ("https://s3.cn-north-1.amazonaws.com.cn/bucket/x", True),
        ("http://bucket.s3.eu-central-1.amazonaws.com/x", False),
        ("https://bucket.s3.eu-central-1.amazonaws.com:8443/x", False),
        ("https://s3.amazonaws.com.evil.example/x", False),
        ("https://evils3.amazonaws.com/x", False),
        ("https://ec2.eu-central-1.amazonaws.com/x", False),
        ("http://tracker.example.org:50051/x", True),
        ("http://tracker.example.org/x", False),
        ("http://minio.example.org:9000/x", True),
        ("http://minio.example.org:9001/x", False),
        ("https://a.storage.example.org/x", True),
        ("https://storage.example.org.evil.example/x", False),
        ("http://endpoint.example.org:1234/x", True),
        ("http://me@minio.example.org:9000/x", False),
        ("ftp://minio.example.org:9000/x", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://127.0.0.1:6379/x", False),
        ("file:///etc/passwd", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_whose_addresses_are_used(url: str, is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", "minio.example.org:9000, *.storage.example.org")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://endpoint.example.org:1234")
    assert is_trusted(url, "grpc://tracker.example.org:50051") == is_known
