"""The gRPC server: its options, the standard services beside ours, its start and its stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stepwell_api.v1 import (
    access_pb2,
    artifacts_pb2,
    ingest_pb2,
    models_pb2,
    registry_pb2,
    runs_pb2,
    search_pb2,
    series_pb2,
    webhooks_pb2,
)
from stepwell_server.config import (
    RECEIVE_BYTES_MAX,
    SEND_BYTES_MAX,
    STREAM_WINDOW_BYTES,
    HoldingLimits,
    host_and_port,
)
from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.holding import Holding
from stepwell_server.process.logger import get_logger
from stepwell_server.process.ports import require_bindable
from stepwell_server.process.tls.certificates import Certificate
from stepwell_server.process.tls.identity import Identity
from stepwell_server.services.access.calling import Authenticating
from stepwell_server.transport.interceptors import ErrorInterceptor

Registration: TypeAlias = Callable[[Any], None]  # adds a servicer to a server

KEEPALIVE_INTERVAL_MS = 30_000  # a client that vanished without a word is noticed after interval + timeout
KEEPALIVE_TIMEOUT_MS = 10_000
CLIENT_PING_INTERVAL_MIN_MS = 5_000  # clients may look after half-open connections themselves
STREAMS_PER_CONNECTION_MAX = 1_000
# From the first byte of a connection to the end of its greeting, TLS's and that of HTTP/2.
GREETING_MS = 15_000
# What gRPC lets in before it is looked which connections are too many.
CONNECTIONS_MAX = 2 * HoldingLimits().connections_max
# Of the shutdown's time, what calls get; closing the database needs the rest.
CALLS_SHARE = 0.7
TELLING_SHARE = 0.1

OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", RECEIVE_BYTES_MAX),
    ("grpc.max_send_message_length", SEND_BYTES_MAX),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", STREAM_WINDOW_BYTES),
    ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION_MAX),
    ("grpc.server_handshake_timeout_ms", GREETING_MS),
    ("grpc.http2.settings_timeout", GREETING_MS),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS_MAX),
    ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    (
        "grpc.http2.ping_timeout_ms",
        KEEPALIVE_TIMEOUT_MS,
    ),  # of pings that measure bandwidth and stand in for keepalive
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_INTERVAL_MIN_MS),
)

SERVICE_NAMES = tuple(
    service.full_name
    for file in (
        ingest_pb2.DESCRIPTOR,
        runs_pb2.DESCRIPTOR,
        models_pb2.DESCRIPTOR,
        registry_pb2.DESCRIPTOR,
        webhooks_pb2.DESCRIPTOR,
        search_pb2.DESCRIPTOR,
        series_pb2.DESCRIPTOR,
        artifacts_pb2.DESCRIPTOR,
        access_pb2.DESCRIPTOR,
    )
    for service in file.services_by_name.values()
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListeningServer:
    """A gRPC server that takes calls on a port."""

    port: int


@asynccontextmanager
async def listening(
    host: str,
    port: int,
    registrations: Sequence[Registration],
    draining: asyncio.Event,
    deadline: Deadline,
    holding: Holding,
    *,
    shares_port: bool = False,
    authenticator: Authenticating | None = None,
    identity: Identity | None = None,
    socket_path: str | None = None,
) -> AsyncIterator[ListeningServer]:
    """Serve until the context ends; then report NOT_SERVING, set `draining`, and let calls finish until the deadline.

    Port 0 takes any free port. With `shares_port`, other processes that say so may listen on it too. Where there are
    accounts, `authenticator` finds out who calls. With `identity`, the port speaks TLS; at `socket_path`, in a folder
    of ours alone, there is none. Long streams have to watch `draining` and end by themselves.

    Raises:
        StartupError: the address cannot be listened on.
    """
    server = grpc.aio.server(
        interceptors=[ErrorInterceptor(holding, authenticator)],
        options=[("grpc.so_reuseport", int(shares_port)), *OPTIONS],
    )
    for register in registrations:
        register(server)
    checks = _add_standard_services(server)
    if not shares_port:
        require_bindable(host.strip("[]"), port)  # a second server must not steal half of the calls
    bound = _bind(server, host, port, None if identity is None else _credentials(identity))
    if socket_path is not None:
        _bind_socket(server, socket_path)
    await server.start()
    for name in SERVICE_NAMES:
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        async with holding.unread.of_port(bound):
            yield ListeningServer(bound)
    finally:
        log.info("server stops", grace_s=deadline.start())
        with suppress(
            TimeoutError
        ):  # whoever watches the health and does not read keeps others from being told
            async with asyncio.timeout(deadline.remaining_s(TELLING_SHARE)):
                await checks.enter_graceful_shutdown()
        draining.set()
        await server.stop(deadline.remaining_s(CALLS_SHARE))


def _add_standard_services(server: Any) -> Any:
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = (*SERVICE_NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return checks


def _bind_socket(server: Any, path: str) -> None:
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise StartupError(f"cannot listen on {path}: {error}; TMPDIR names another folder for it") from error


def _credentials(identity: Identity) -> grpc.ServerCredentials:
    """Return credentials that show, from the next connection on, what the identity has by then."""

    def configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(certificate.key, certificate.chain)], certificate.client_ca
        )

    shown = identity.certificate

    def newer() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        if identity.certificate is shown:
            return None
        shown = identity.certificate
        return configuration(shown)

    return grpc.dynamic_ssl_server_credentials(
        configuration(shown),
        newer,  # type: ignore[arg-type]  # its types leave out None
        require_client_authentication=shown.client_ca is not None,
    )


def _bind(server: Any, host: str, port: int, credentials: grpc.ServerCredentials | None) -> int:
    address = host_and_port(host, port)
    try:
        bound: int = (
            server.add_insecure_port(address)
            if credentials is None
            else server.add_secure_port(address, credentials)
        )
    except RuntimeError as error:
        raise StartupError(f"cannot listen on {address}: {error}") from error
    if bound == 0:
        raise StartupError(f"cannot listen on {address}; choose another --host or --grpc-port")
    return bound
