"""The composition root: builds the server from its parts, bottom up, and stops them in reverse.

config -> PostgreSQL -> migrations -> pool -> stores -> services -> gRPC
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from stepwell_server.composition import build_services
from stepwell_server.config import (
    INGEST_CONNECTIONS_MAX,
    Config,
    host_and_port,
    url_host,
    without_password,
)
from stepwell_server.entrance import Entrance, build_entrance
from stepwell_server.process.collector import spare_what_stays
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.free_memory import FreeMemory
from stepwell_server.process.limits import allow_all_files, bound_free_memory, favour_the_loop
from stepwell_server.process.logger import get_logger
from stepwell_server.process.ports import require_bindable
from stepwell_server.process.tls.identity import Identity
from stepwell_server.process.watchdog import watched_loop
from stepwell_server.running import RunningServer, grpc_uri, http_url, open_store
from stepwell_server.services.together import Services
from stepwell_server.store.ingest.commit_news import CommitNews
from stepwell_server.store.ingest.rehearsal import rehearse_commit
from stepwell_server.store.postgres.capacity import tell_what_is_short
from stepwell_server.store.postgres.distribution import require_whole
from stepwell_server.store.postgres.listening import listening_pool
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import open_pool, open_upkeep_pool
from stepwell_server.transport.connect.routes import connect_routes
from stepwell_server.transport.handlers import collect
from stepwell_server.transport.registrations import registrations
from stepwell_server.transport.server import Registration, listening
from stepwell_server.web.artifacts.routes import artifact_routes
from stepwell_server.web.carrying import Carrier
from stepwell_server.web.door import DoorPolicy, door
from stepwell_server.web.hosts import own_names
from stepwell_server.web.listening import HttpServer, http_listening
from stepwell_server.web.metrics import metrics_page
from stepwell_server.web.mlflow.routes import mlflow_routes
from stepwell_server.web.pages import ServerFacts, open_paths, pages
from stepwell_server.web.runs_csv import runs_csv_routes

# What clients may ask the HTTP address for, besides the pages.
FEATURES = ("connect", "mlflow", "artifacts")
# What clients replace by the host that they asked; nobody listens there.
ANY_HOST = "0.0.0.0"  # noqa: S104

log = get_logger(__name__)


@asynccontextmanager
async def running_server(config: Config) -> AsyncIterator[RunningServer]:
    """Run a server while the context lasts.

    On leaving: health goes NOT_SERVING, what was received is finished, then everything stops in reverse
    order, all within `config.shutdown_grace_s`.

    Raises:
        StartupError: it cannot start; the message says why and what to do.
    """
    bound_free_memory()
    favour_the_loop()
    allow_all_files()
    deadline = Deadline(config.shutdown_grace_s)
    draining = asyncio.Event()
    async with AsyncExitStack() as stack:
        identity = None if config.tls is None else await stack.enter_async_context(Identity(config.tls))
        if not config.shares_port:
            _require_free_ports(config)  # early, because it is quick
        metrics_port = None
        if config.metrics_port is not None:
            metrics_port = stack.enter_context(metrics_page(config.metrics_host, config.metrics_port))
        store = await open_store(config, deadline, stack)
        database = await migrate(store, pooler=config.pooler if config.store else "none")
        await require_whole(database)
        if not config.shares_port:  # else the parent of the workers looks
            await tell_what_is_short(database, 1)
        limit_s = config.statement_timeout_s
        pool = await stack.enter_async_context(open_pool(database, deadline, statement_timeout_s=limit_s))
        # Commits have connections of their own, so that nothing that is read can hold them up.
        ingest_pool = await stack.enter_async_context(
            open_pool(database, deadline, size=INGEST_CONNECTIONS_MAX, rehearse=rehearse_commit)
        )
        upkeep_pool = await stack.enter_async_context(open_upkeep_pool(database, deadline))
        ear = await stack.enter_async_context(listening_pool(database, pool, config.listen_store, deadline))
        news = await stack.enter_async_context(CommitNews(pool, ear))
        services = await build_services(config, pool, ingest_pool, upkeep_pool, news, draining, stack)
        entrance = await build_entrance(config, pool, services)
        servicers = registrations(entrance.services)
        # Before gRPC, so that it goes on while gRPC stops: that one says that the server is draining.
        http = await _listen_to_http(config, draining, deadline, stack, identity)
        folder = (
            stack.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-"))
            if identity and http
            else None
        )
        socket_path = None if folder is None else str(Path(folder, "grpc"))
        server = await stack.enter_async_context(
            listening(
                config.host,
                config.port,
                servicers,
                draining,
                deadline,
                services.holding,
                shares_port=config.shares_port,
                authenticator=entrance.authenticator,
                identity=identity,
                socket_path=socket_path,
            )
        )
        if http is not None:
            carrier = Carrier(url_host(config.host).strip("[]"), server.port, socket_path)
            await http.start(await _door(config, server.port, entrance, servicers), carrier)
        spare_what_stays()
        await stack.enter_async_context(FreeMemory())
        if config.log_level == "debug":
            stack.enter_context(watched_loop())
        url = http_url(config, http.port, identity) if http else None
        log.info("server ready", host=config.host, port=server.port, url=url, store=without_password(store))
        uri = grpc_uri(config, server.port, identity)
        yield RunningServer(config.host, server.port, store, pool, metrics_port, url, services.holding, uri)


def _require_free_ports(config: Config) -> None:
    require_bindable(config.host, config.port)
    if config.http_port is not None:
        require_bindable(config.http_host or config.host, config.http_port, "--port")


async def _listen_to_http(
    config: Config,
    draining: asyncio.Event,
    deadline: Deadline,
    stack: AsyncExitStack,
    identity: Identity | None,
) -> HttpServer | None:
    if config.http_port is None:
        return None
    host = config.http_host or config.host
    listening_there = http_listening(
        host,
        config.http_port,
        config.http_limits,
        draining,
        deadline,
        shares_port=config.shares_port,
        tls=None if identity is None else identity.context,
    )
    return await stack.enter_async_context(listening_there)


async def _door(
    config: Config, grpc_port: int, entrance: Entrance, servicers: Sequence[Registration]
) -> ASGIApp:
    """Build all that is answered over HTTP."""
    about = pages(told_facts(config, grpc_port), config.allowed_origins)
    services = entrance.services
    policy = DoorPolicy(
        config.http_limits,
        [*await own_names(config.http_host or config.host), *config.allowed_hosts],
        config.allowed_origins,
        config.static_prefix,
        services.holding,
        entrance.authenticator,
        open_paths(about) | entrance.open_paths,
        entrance.browsers,
    )
    return door(http_routes([*about, *entrance.routes], services, servicers), policy)


def http_routes(
    about: Sequence[BaseRoute], services: Services, servicers: Sequence[Registration]
) -> Sequence[BaseRoute]:
    """Join all that is answered over HTTP; `about` are the pages about the server itself."""
    return [
        *about,
        *connect_routes(collect(servicers, services.holding)),
        *artifact_routes(services.artifacts),
        *runs_csv_routes(services.search),
        *mlflow_routes(services),
    ]


def told_facts(config: Config, grpc_port: int) -> ServerFacts:
    """Return what the server's address says of it."""
    # Certificates are for names, and the one that a client asked for HTTP is right for gRPC, too.
    same_name = config.tls is not None and config.http_host in (None, config.host)
    told = config.advertise_grpc or host_and_port(ANY_HOST if same_name else config.host, grpc_port)
    scheme, _, address = told.rpartition("://")
    tls = scheme == "grpcs" if scheme else config.tls is not None
    return ServerFacts(version("stepwell"), address, grpc_tls=tls, auth=config.auth, features=FEATURES)
