"""Files that change are taken while the server runs: new connections see the new certificate, open ones stay."""

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import grpc.aio
import pytest

from tests.harness.servers.certificates import CertificateSet, make_certificates
from tests.harness.servers.processes import ServerProcess
from tests.tls.conftest import become
from tests.tls.test_serving import trained
from tests.wire.test_ingest import batch_message, opened, steps_of

StartServer = Callable[..., ServerProcess]
WAIT_S = 30.0


@pytest.fixture
def made(tmp_path: Path) -> CertificateSet:
    return make_certificates(tmp_path / "certificates")


def shown(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=WAIT_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)


@asynccontextmanager
async def trusted_channel(server: ServerProcess, made: CertificateSet) -> AsyncIterator[grpc.aio.Channel]:
    roots = (made.folder / "ca.pem").read_bytes()
    # Each its own connection: gRPC shares those of equal channels otherwise.
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(
        f"127.0.0.1:{server.port}", grpc.ssl_channel_credentials(roots), options
    ) as channel:
        yield channel


async def test_new_files_while_streams_are_open(
    database_url: str, start_server: StartServer, made: CertificateSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server("--store", database_url, "--workers", "2", *made.options)
    ports = [server.port, urlsplit(server.url).port]
    before = {shown(port) for port in ports}
    assert len(before) == 1
    trusted = ssl.create_default_context(cafile=str(made.folder / "ca.pem"))
    page = http.client.HTTPSConnection("127.0.0.1", ports[1], context=trusted)
    page.request("GET", "/health")
    assert page.getresponse().read() == b"OK"
    kept = page.sock
    run_id = uuid4().hex
    async with trusted_channel(server, made) as channel:
        stream = await opened(channel, run_id)
        await stream.say(batch_message(0, [1, 2]))
        await stream.until(2)

        make_certificates(made.folder)
        new = (made.folder / "server.pem").read_text().strip()
        # Each worker looks for itself: all of many connections have to see it.
        await until(lambda: all(shown(port).strip() == new for port in ports * 4))

        await stream.say(batch_message(2, [3]))
        await stream.until(3)
        assert await steps_of(channel, run_id) == [1, 2, 3]
        page.request("GET", "/health")
        assert page.getresponse().read() == b"OK"
        assert page.sock is kept
        page.close()
        async with trusted_channel(server, made) as another:
            assert await steps_of(another, run_id) == [1, 2, 3]

    (made.folder / "server-key.pem").write_bytes((made.folder / "client-key.pem").read_bytes())
    await until(lambda: server.log().count("are not used") == 2)
    lines = [json.loads(it) for it in server.log().splitlines() if "are not used" in it]
    assert all("is not the key of the certificate" in line["reason"] for line in lines)
    assert {shown(port).strip() for port in ports} == {new}
    become(monkeypatch, **made.trusting)
    for uri in (server.url, f"grpcs://{urlsplit(server.url).netloc}"):
        await asyncio.to_thread(trained, uri)
