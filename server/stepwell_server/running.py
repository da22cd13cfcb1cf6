"""What a running server is for who started it: its addresses and its database.

The parent of workers needs no more; so nothing heavy is imported here.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stepwell_server.config import Config, embedded_connections, url_host
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.tls.identity import Identity
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.folder_lock import folder_lock

if TYPE_CHECKING:
    from stepwell_server.process.holding import Holding
    from stepwell_server.store.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that takes calls. `store` is the URL of its database and may hold a password."""

    host: str
    port: int
    store: str
    pool: "Pool | None" = None  # None where workers hold the connections
    metrics_port: int | None = None
    http_url: str | None = None  # the one address that people use; None without the HTTP door
    holding: "Holding | None" = None  # None where workers hold it
    grpc_uri: str = ""  # where gRPC is, for a client on this machine

    @property
    def tracking_uri(self) -> str:
        """What a client on this machine passes to `set_tracking_uri`."""
        return self.http_url or self.grpc_uri


def http_url(config: Config, port: int, identity: Identity | None) -> str:
    """Return the address that people on this machine use."""
    host = _told_host(config.http_host or config.host, identity)
    return f"http{'s' if identity else ''}://{host}:{port}{config.static_prefix}"


def grpc_uri(config: Config, port: int, identity: Identity | None) -> str:
    """Return where gRPC is, for a client on this machine."""
    return f"grpc{'s' if identity else ''}://{_told_host(config.host, identity)}:{port}"


def _told_host(host: str, identity: Identity | None) -> str:
    return url_host(host) if identity is None else identity.host_to_tell(host)


async def open_store(config: Config, deadline: Deadline, stack: AsyncExitStack) -> str:
    """Return the URL of the database; without one in the config, start the embedded PostgreSQL."""
    if config.store is not None:
        return config.store
    stack.enter_context(folder_lock(config.data))
    postgres = EmbeddedPostgres(
        config.data,
        deadline,
        fsync=config.embedded_fsync,
        connections_max=embedded_connections(config.workers),
    )
    return (await stack.enter_async_context(postgres)).url
