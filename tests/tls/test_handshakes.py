"""Connections that never greet: those who do are not kept out by them, and they do not stay for ever."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config, HoldingLimits, HttpLimits
from stepwell_server.transport import server as grpc_server
from tests.harness.servers.certificates import CertificateSet

SILENT = 60


@asynccontextmanager
async def served(
    store: str, data: Path, certificates: CertificateSet, **config: object
) -> AsyncIterator[RunningServer]:
    """Run a server that speaks TLS in this process."""
    settings = Config(
        port=0, http_port=0, store=store, data=data, shutdown_grace_s=5, tls=certificates.files, **config
    )
    async with running_server(settings) as server:
        yield server


def trusting(certificates: CertificateSet) -> ssl.SSLContext:
    """Return what believes the server."""
    return ssl.create_default_context(cafile=certificates.trusting["STEPWELL_TLS_CA"])


async def test_http(database_url: str, tmp_path: Path, certificates: CertificateSet) -> None:
    limits = HttpLimits(handshakes_max=10, head_s=1.5)
    async with served(database_url, tmp_path, certificates, http_limits=limits) as server:
        port = int(server.http_url.rpartition(":")[2])
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(SILENT)]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting(certificates), server_hostname="127.0.0.1"
        )
        writer.write(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n")
        # All but the last ones were closed for others; those are when their time is over, and that one is not.
        gone = [asyncio.create_task(_end(reader)) for reader, _ in silent]
        await asyncio.wait(gone[: SILENT - 10], timeout=30)
        assert all(it.done() for it in gone[: SILENT - 10])
        await asyncio.gather(*gone)
        writer.write(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"OK")
        assert b" 200 " in await reader.readuntil(b"\r\n")
        for _, silent_writer in silent:
            silent_writer.close()
        writer.close()


@pytest.fixture
def credentials(certificates: CertificateSet) -> grpc.ChannelCredentials:
    """What believes the server."""
    return grpc.ssl_channel_credentials(Path(certificates.trusting["STEPWELL_TLS_CA"]).read_bytes())


async def test_grpc(
    database_url: str,
    tmp_path: Path,
    certificates: CertificateSet,
    credentials: grpc.ChannelCredentials,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sooner = [("grpc.server_handshake_timeout_ms", 1_000)]  # of two, the first counts
    monkeypatch.setattr(grpc_server, "OPTIONS", [*sooner, *grpc_server.OPTIONS])
    limits = HoldingLimits(connections_max=10)
    async with served(database_url, tmp_path, certificates, holding_limits=limits) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(SILENT)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{server.port}", credentials) as channel:
            experiments = ExperimentServiceStub(channel)
            request = runs_pb2.GetExperimentRequest(experiment_id=0)
            await experiments.GetExperiment(request)
            await asyncio.gather(*(_end(reader) for reader, _ in silent))
            assert (await experiments.GetExperiment(request)).experiment.name == "Default"
        for _, writer in silent:
            writer.close()


async def _end(reader: asyncio.StreamReader) -> None:
    try:
        async with asyncio.timeout(30):
            assert not await reader.read()
    except ConnectionError:
        pass
