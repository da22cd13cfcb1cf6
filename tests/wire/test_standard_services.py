"""Health and reflection: everybody may ask, and nobody can fill the server by asking."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from stepwell_server.app import running_server
from stepwell_server.config import Config
from stepwell_server.transport import standard


async def test_so_many_at_once(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard, "STANDARD_CALLS_OF_ADDRESS_MAX", 3)
    config = Config(port=0, http_port=None, store=database_url, data=tmp_path, shutdown_grace_s=5)
    async with (
        running_server(config) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        watching = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
        for watch in watching:
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        reflecting = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
        await reflecting.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        assert "stepwell_api.v1.RunService" in str(await reflecting.read())
        for call in (
            health.Check(health_pb2.HealthCheckRequest()),
            health.Watch(health_pb2.HealthCheckRequest()).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        watching[0].cancel()
        async with asyncio.timeout(30):
            while True:
                try:
                    await health.Check(health_pb2.HealthCheckRequest())
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.02)
