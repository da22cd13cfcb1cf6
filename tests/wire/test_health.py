import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from stepwell_server.transport.server import SERVICE_NAMES


async def test_every_service_reports_health(channel: grpc.aio.Channel) -> None:
    checks = health_pb2_grpc.HealthStub(channel)
    for name in ("", *SERVICE_NAMES):
        answer = await checks.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_every_service(channel: grpc.aio.Channel) -> None:
    async def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests())
    answers = [answer async for answer in call]
    listed = {service.name for service in answers[0].list_services_response.service}
    assert {"grpc.health.v1.Health", *SERVICE_NAMES} <= listed
