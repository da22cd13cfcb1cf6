"""The composition root: builds the server from its parts, bottom up, and stops them in reverse.

config -> PostgreSQL -> migrations -> pool -> stores -> services -> gRPC
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from stepwell_api.v1 import (
    ingest_pb2_grpc,
    runs_pb2_grpc,
    search_pb2_grpc,
    series_pb2_grpc,
)
from stepwell_server.config import Config, embedded_connections, without_password
from stepwell_server.process.collector import spare_what_stays
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.limits import allow_all_files, bound_free_memory
from stepwell_server.services.artifact_sweeper import ArtifactSweeper
from stepwell_server.services.artifacts import ArtifactService
from stepwell_server.services.experiments import ExperimentService
from stepwell_server.services.ingest import IngestService
from stepwell_server.services.leases import LeaseService
from stepwell_server.services.runs import RunService
from stepwell_server.services.search import SearchService
from stepwell_server.services.series import SeriesService
from stepwell_server.services.uploads import UploadService
from stepwell_server.services.watching import WatchService
from stepwell_server.store.content.artifacts import PostgresArtifactStore
from stepwell_server.store.content.roots import OpenContentStores, default_root
from stepwell_server.store.ingest.commit_news import CommitNews
from stepwell_server.store.ingest.leases import PostgresLeaseStore
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.ingest.value_index import Settler
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.folder_lock import folder_lock
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.store.postgres.pool import Pool, open_pool
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.series.watching import PostgresWatchStore
from stepwell_server.store.tracking.experiments import PostgresExperimentStore
from stepwell_server.store.tracking.inputs import PostgresInputStore
from stepwell_server.store.tracking.runs import PostgresRunStore
from stepwell_server.store.tracking.searches import PostgresSearchStore
from stepwell_server.store.upkeep.compactor import Compactor
from stepwell_server.transport.artifacts import ArtifactServicer, add_artifact_service
from stepwell_server.transport.experiments import ExperimentServicer
from stepwell_server.transport.ingest import IngestServicer
from stepwell_server.transport.runs import RunServicer
from stepwell_server.transport.search import SearchServicer
from stepwell_server.transport.series import SeriesServicer
from stepwell_server.transport.server import Registration, listening, require_bindable
from stepwell_server.web.metrics import metrics_page

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that takes calls. `store` is the URL of its database and may hold a password."""

    host: str
    port: int
    store: str
    pool: Pool | None = None  # None where workers hold the connections
    metrics_port: int | None = None

    @property
    def tracking_uri(self) -> str:
        """What a client on this machine passes to `set_tracking_uri`."""
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - only compared
        host = f"[{reachable}]" if ":" in reachable and not reachable.startswith("[") else reachable
        return f"grpc://{host}:{self.port}"


@asynccontextmanager
async def running_server(config: Config) -> AsyncIterator[RunningServer]:
    """Run a server while the context lasts.

    On leaving: health goes NOT_SERVING, what was received is finished, then everything stops in reverse
    order, all within `config.shutdown_grace_s`.

    Raises:
        StartupError: it cannot start; the message says why and what to do.
    """
    bound_free_memory()
    allow_all_files()
    deadline = Deadline(config.shutdown_grace_s)
    draining = asyncio.Event()
    async with AsyncExitStack() as stack:
        if not config.shares_port:
            require_bindable(config.host, config.port)  # first, because it is quick
        metrics_port = None
        if config.metrics_port is not None:
            metrics_port = stack.enter_context(metrics_page(config.metrics_host, config.metrics_port))
        store = await open_store(config, deadline, stack)
        await migrate(store)
        pool = await stack.enter_async_context(open_pool(store, deadline))
        registrations = await _build(config, pool, draining, stack)
        server = await stack.enter_async_context(
            listening(
                config.host, config.port, registrations, draining, deadline, shares_port=config.shares_port
            )
        )
        spare_what_stays()
        log.info("server ready", host=config.host, port=server.port, store=without_password(store))
        yield RunningServer(config.host, server.port, store, pool, metrics_port)


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


async def _build(
    config: Config, pool: Pool, draining: asyncio.Event, stack: AsyncExitStack
) -> Sequence[Registration]:
    """Build stores, services and servicers, and return how each servicer is added to the gRPC server.

    What has a lifetime (the batch writer, the leases) goes on the stack: it stops after the last call and before
    the pool. A servicer of long streams watches `draining`, which is set when the server begins to stop.
    """
    experiments = PostgresExperimentStore(pool)
    runs = PostgresRunStore(pool)
    await experiments.locate_default()
    experiment_servicer = ExperimentServicer(ExperimentService(experiments))
    search_servicer = SearchServicer(SearchService(PostgresSearchStore(pool)))
    run_servicer = RunServicer(RunService(runs, PostgresRewindStore(pool), PostgresInputStore(pool)))
    news = await stack.enter_async_context(CommitNews(pool))
    points = PointStore(pool, MetricIds(pool), news.committed)
    writer = await stack.enter_async_context(GroupCommitWriter(points))
    await stack.enter_async_context(Compactor(pool))
    await stack.enter_async_context(Settler(pool))
    leases = await stack.enter_async_context(LeaseService(PostgresLeaseStore(pool), config.lost_after_s))
    ingest_servicer = IngestServicer(IngestService(runs, PostgresWriterStore(pool), leases, writer), draining)
    series = PostgresSeriesStore(pool)
    watching = WatchService(series, PostgresWatchStore(pool), news, draining)
    series_servicer = SeriesServicer(SeriesService(series), watching)
    artifact_servicer = await _build_artifacts(config, pool, stack)
    return [
        lambda server: runs_pb2_grpc.add_ExperimentServiceServicer_to_server(experiment_servicer, server),
        lambda server: runs_pb2_grpc.add_RunServiceServicer_to_server(run_servicer, server),
        lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(ingest_servicer, server),
        lambda server: search_pb2_grpc.add_SearchServiceServicer_to_server(search_servicer, server),
        lambda server: series_pb2_grpc.add_SeriesServiceServicer_to_server(series_servicer, server),
        lambda server: add_artifact_service(artifact_servicer, server),
    ]


async def _build_artifacts(config: Config, pool: Pool, stack: AsyncExitStack) -> ArtifactServicer:
    """Build what artifacts need; their folder or bucket, and the sweeper, stop before the pool."""
    store = PostgresArtifactStore(pool)
    contents = await stack.enter_async_context(
        OpenContentStores(
            config.data,
            default_root(config.artifacts),
            config.artifact_folders,
            round(config.artifact_address_s),
        )
    )
    sweeper = await stack.enter_async_context(ArtifactSweeper(store, contents, config.artifact_upload_idle_s))
    return ArtifactServicer(ArtifactService(store, contents, sweeper), UploadService(store, contents))
