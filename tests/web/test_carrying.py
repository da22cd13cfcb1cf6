"""gRPC at the port of HTTP: one address is enough, whichever way it is written."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import grpc
import pytest

import stepwell
from stepwell_api.v1 import ingest_pb2, runs_pb2
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_server.web import carrying
from tests.harness.servers.processes import ServerProcess

StartServer = Callable[..., ServerProcess]


async def is_there(channel: grpc.aio.Channel) -> bool:
    """Whether gRPC answers: nobody has this run."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(run_id="0" * 32), timeout=20)
    return caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("workers", [1, 2])
def test_the_client_logs_to_the_page_address_by_grpc(
    database_url: str, start_server: StartServer, workers: int
) -> None:
    server = start_server("--store", database_url, "--workers", str(workers))
    stepwell.set_tracking_uri(f"grpc://{urlsplit(server.url).netloc}")
    with stepwell.start_run() as run:
        for step in range(20_000):
            stepwell.log_metric("loss", 0.5, step=step)
        stepwell.log_text("x" * 3_000_000, "long.txt")
    assert len(stepwell.get_metric_history(run.info.run_id, "loss")) == 20_000
    assert len(stepwell.artifacts.load_text(f"{run.info.artifact_uri}/long.txt")) == 3_000_000


async def test_what_is_carried_ends_with_the_server(server_process: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(urlsplit(server_process.url).netloc) as channel:
        assert await is_there(channel)
        stream = IngestServiceStub(channel).Stream(iter([ingest_pb2.StreamRequest()]))
        await asyncio.to_thread(server_process.terminate)
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.read()


async def test_only_so_many_are_carried(server_process: ServerProcess) -> None:
    host, port = urlsplit(server_process.url).hostname, urlsplit(server_process.url).port
    opened = [await asyncio.open_connection(host, port) for _ in range(carrying.CARRIED_MAX)]
    for reader, writer in opened:
        writer.write(carrying.PREFACE + b"\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert await reader.readexactly(9)  # gRPC's settings
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(carrying.PREFACE + b"\r\nSM\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()
    for _, other in opened:
        other.close()
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        while True:  # those that were closed are forgotten in a moment
            try:
                assert await is_there(channel)
                break
            except AssertionError:
                await asyncio.sleep(0.1)
