"""Buckets that speak S3's protocol and lack some of it, behind path-style addresses and certificates of their own."""

import asyncio
import hashlib
import http.client
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stepwell import StepwellClient
from stepwell_server.app import running_server
from stepwell_server.config import Config
from stepwell_server.store.content.buckets import s3, s3_variants
from stepwell_server.store.content.locations import Locations, default_root
from stepwell_server.store.content.roots import OpenContentStores
from stepwell_server.store.ports.artifacts import ContentStore
from tests.content.conftest import MIB, file_of, pieces_of, whole
from tests.harness.content.s3 import BUCKET, S3Server, s3_server
from tests.harness.servers.certificates import make_certificates

pytestmark = pytest.mark.xdist_group("store-s3")
REFUSED = b"<Error><Code>NotImplemented</Code><Message>A header is not implemented</Message></Error>"


class Variant(ThreadingHTTPServer):
    """A server before a bucket's, which does not know some headers."""

    daemon_threads = True

    def __init__(self, target: int, unknown: tuple[str, ...], folder: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.unknown, self.hosts = target, unknown, set[str]()
        if folder is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def __enter__(self) -> "Variant":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Variant

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.hosts.add(self.headers["Host"])
        if any(name in self.headers for name in self.server.unknown):
            self._answer(501, {}, REFUSED)
            return
        onward = http.client.HTTPConnection("127.0.0.1", self.server.target)
        onward.request(self.command, self.path, body, dict(self.headers))
        answer = onward.getresponse()
        data = answer.read()
        self._answer(answer.status, dict(answer.getheaders()), data)
        onward.close()

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


async def opened(tmp_path: Path) -> tuple[OpenContentStores, ContentStore]:
    root = default_root(f"s3://{BUCKET}/variant")
    stores = await OpenContentStores(tmp_path / "data", Locations(root)).__aenter__()
    return stores, await stores.open(root)


@pytest.mark.parametrize(
    ("unknown", "lacks", "signs"),
    [
        (("x-amz-checksum-algorithm", "x-amz-checksum-sha256"), s3_variants.SIGNED_PARTS, False),
        (("If-None-Match",), s3_variants.CONDITIONS, True),
    ],
)
async def test_what_a_bucket_lacks_is_said_and_done_without(
    bucket: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unknown: tuple[str, ...],
    lacks: str,
    signs: bool,
) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(
        s3, "log", type("Log", (), {"info": lambda self, text, **facts: said.append((text, facts))})()
    )
    with Variant(bucket.port, unknown) as variant:
        # A name, which could have that of the bucket before it.
        for name, value in bucket.environment(f"http://localhost:{variant.server_port}").items():
            monkeypatch.setenv(name, value)
        stores, content = await opened(tmp_path)
        assert any(lacks in str(facts.get("lacks")) for _, facts in said)
        assert content.direct is not None
        assert content.direct.checks_sha256 is signs
        for size in (100, 9 * MIB):
            data = os.urandom(size)
            key = f"ab/{size}"
            await content.write(key, 0, pieces_of(data), file_of(data))
            assert await content.verify(key, file_of(data)) == ""
            assert await whole(content, key) == data
            await content.remove(key, None)
        assert variant.hosts == {f"localhost:{variant.server_port}"}
        await stores.__aexit__()
    assert not [name for name in bucket.objects() if s3_variants.PROBE in name]


async def test_a_bucket_with_a_certificate_of_its_own(
    bucket: S3Server, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_certificates(tmp_path / "tls")
    with Variant(bucket.port, (), made.folder) as variant:
        address = f"https://localhost:{variant.server_port}"
        for name, value in bucket.environment(address).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(made.folder / "ca.pem"))
        monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", "direct")  # the client, too, has to believe it
        config = Config(
            port=0,
            store=database_url,
            data=tmp_path / "data",
            artifacts=f"s3://{BUCKET}/tls",
            shutdown_grace_s=5,
        )
        async with running_server(config) as running:

            def there_and_back(data: bytes) -> bytes:
                client = StepwellClient(running.grpc_uri)
                run_id = client.create_run("0").info.run_id
                (tmp_path / "a.bin").write_bytes(data)
                client.log_artifact(run_id, str(tmp_path / "a.bin"))
                return Path(client.download_artifacts(run_id, "a.bin", str(tmp_path / "out"))).read_bytes()

            # The second goes straight, and the server reads it again.
            for data in (b"over TLS", os.urandom(3 * MIB)):
                assert await asyncio.to_thread(there_and_back, data) == data
                assert hashlib.sha256(data).hexdigest() in " ".join(bucket.objects())
