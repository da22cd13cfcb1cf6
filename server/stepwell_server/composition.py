"""Stores and services, put together over the pools of a server."""

import asyncio
from contextlib import AsyncExitStack

from stepwell_server.config import (
    Config,
)
from stepwell_server.process.holding import Holding
from stepwell_server.services.access.limiting import of_caller
from stepwell_server.services.alerts import AlertService
from stepwell_server.services.calls import CallService
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.moves import MoveService
from stepwell_server.services.content.multipart import MultipartService
from stepwell_server.services.content.quotas import Quotas
from stepwell_server.services.content.sweeper import ArtifactSweeper
from stepwell_server.services.content.uploads import UploadService
from stepwell_server.services.content.verification import VerificationService
from stepwell_server.services.experiments import ExperimentService
from stepwell_server.services.exploring.keys import KeyService
from stepwell_server.services.exploring.tables import ExploringService
from stepwell_server.services.exploring.views import ViewService
from stepwell_server.services.group_lines import GroupLineService
from stepwell_server.services.histograms import HistogramService
from stepwell_server.services.ingest import IngestService
from stepwell_server.services.leases import LeaseService
from stepwell_server.services.logged_models import LoggedModelService
from stepwell_server.services.registry.models import RegisteredModelService
from stepwell_server.services.registry.versions import ModelVersionService
from stepwell_server.services.registry.webhooks import WebhookService
from stepwell_server.services.runs import RunService
from stepwell_server.services.search import SearchService
from stepwell_server.services.series import SeriesService
from stepwell_server.services.together import Services
from stepwell_server.services.watching import WatchService
from stepwell_server.services.writers import WriterService
from stepwell_server.store import sql
from stepwell_server.store.content.artifacts import PostgresArtifactStore
from stepwell_server.store.content.locations import Locations, artifact_locations
from stepwell_server.store.content.moves import PostgresMoveStore
from stepwell_server.store.content.roots import OpenContentStores
from stepwell_server.store.content.shares.marks import FolderMarks
from stepwell_server.store.content.verification import PostgresVerificationStore
from stepwell_server.store.ingest.commit_news import CommitNews
from stepwell_server.store.ingest.forgetting import Forgetter
from stepwell_server.store.ingest.leases import PostgresLeaseStore
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.places import ShardPlaces
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.pressure import Pressure
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.ingest.value_index import Settler
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.models.logged_models import PostgresLoggedModelStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.registry.models import PostgresRegisteredModelStore
from stepwell_server.store.registry.versions import PostgresModelVersionStore
from stepwell_server.store.registry.webhooks import PostgresWebhookStore
from stepwell_server.store.series.histograms import PostgresHistogramStore
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.series.watching import PostgresWatchStore
from stepwell_server.store.tracking.alerts import PostgresAlertStore
from stepwell_server.store.tracking.experiments import PostgresExperimentStore
from stepwell_server.store.tracking.exploring import PostgresExploringStore
from stepwell_server.store.tracking.flat_exploring import FlatExploringStore
from stepwell_server.store.tracking.flat_searches import FlatSearchStore
from stepwell_server.store.tracking.inputs import PostgresInputStore
from stepwell_server.store.tracking.keys import PostgresKeyStore
from stepwell_server.store.tracking.runs import PostgresRunStore
from stepwell_server.store.tracking.searches import PostgresSearchStore
from stepwell_server.store.tracking.views import PostgresViewStore
from stepwell_server.store.tracking.writer_states import PostgresWriterStateStore
from stepwell_server.store.upkeep.compactor import Compactor
from stepwell_server.store.upkeep.room import RoomFigures


def search_stores(config: Config, pool: Pool) -> tuple[PostgresSearchStore, PostgresExploringStore]:
    """Return the stores that search runs, in the form that the database needs; all statements have it from now on."""
    distributed = config.searches == "distributed" or (config.searches == "auto" and pool.is_distributed)
    sql.use_form(is_distributed=distributed)
    if distributed:
        return FlatSearchStore(pool), FlatExploringStore(pool)
    return PostgresSearchStore(pool), PostgresExploringStore(pool)


async def build_services(
    config: Config,
    pool: Pool,
    ingest_pool: Pool,
    upkeep_pool: Pool,
    news: CommitNews,
    draining: asyncio.Event,
    stack: AsyncExitStack,
) -> Services:
    """Build stores and services.

    What has a lifetime (the batch writer, the leases) goes on the stack: it stops after the last call and before
    the pool.
    """
    experiments = PostgresExperimentStore(pool)
    runs = PostgresRunStore(pool)
    models = PostgresLoggedModelStore(pool)
    await experiments.locate_default()
    points = PointStore(ingest_pool, MetricIds(ingest_pool), news.committed)
    places = ShardPlaces(ingest_pool) if pool.is_distributed else None
    pressure = Pressure()
    writer = await stack.enter_async_context(GroupCommitWriter(points, places=places, pressure=pressure))
    await stack.enter_async_context(Compactor(upkeep_pool, tell=pressure.note))
    await stack.enter_async_context(Settler(upkeep_pool))
    await stack.enter_async_context(Forgetter(upkeep_pool))
    await stack.enter_async_context(RoomFigures(pool, config.data))
    leases = await stack.enter_async_context(
        LeaseService(PostgresLeaseStore(ingest_pool), config.lost_after_s)
    )
    series, writers = PostgresSeriesStore(pool), PostgresWriterStore(ingest_pool)
    searches, exploring = search_stores(config, pool)
    written_runs = PostgresRunStore(ingest_pool)
    registered = PostgresRegisteredModelStore(pool)
    webhooks = WebhookService(PostgresWebhookStore(pool), config.webhook_hosts)
    await stack.enter_async_context(webhooks)
    locations = artifact_locations(config)
    artifacts, uploads, multipart, verification, moves = await _build_artifacts(
        config, locations, pool, upkeep_pool, stack
    )
    return Services(
        experiments=ExperimentService(experiments, locations.root_of),
        runs=RunService(runs, PostgresRewindStore(pool), PostgresInputStore(pool), models, leases),
        models=LoggedModelService(models),
        search=SearchService(searches, PostgresInputStore(pool), models),
        keys=KeyService(PostgresKeyStore(pool)),
        exploring=ExploringService(exploring),
        views=ViewService(PostgresViewStore(pool)),
        ingest=IngestService(written_runs, writers, leases, writer),
        calls=CallService(written_runs, writers, writer),
        series=SeriesService(series),
        group_lines=GroupLineService(series, searches),
        writers=WriterService(PostgresWriterStateStore(pool), series),
        watching=WatchService(series, PostgresWatchStore(pool), news, draining),
        artifacts=artifacts,
        uploads=uploads,
        multipart=multipart,
        verification=verification,
        moves=moves,
        histograms=HistogramService(PostgresHistogramStore(pool), series),
        alerts=AlertService(PostgresAlertStore(pool), series),
        registered_models=RegisteredModelService(registered),
        webhooks=webhooks,
        model_versions=ModelVersionService(PostgresModelVersionStore(pool), registered, runs, models),
        draining=draining,
        holding=Holding(config.holding_limits, config.caller_limits.streams_max, of_caller),
    )


async def _build_artifacts(
    config: Config, locations: Locations, pool: Pool, upkeep_pool: Pool, stack: AsyncExitStack
) -> tuple[ArtifactService, UploadService, MultipartService, VerificationService, MoveService]:
    """Build what artifacts need; their folder or bucket, and the sweeper, stop before the pool."""
    store = PostgresArtifactStore(pool)
    contents = await stack.enter_async_context(
        OpenContentStores(
            config.data,
            locations,
            round(config.artifact_address_s),
            round(config.disk_reserve_gib * 2**30),
            FolderMarks(pool),
        )
    )
    quotas = Quotas(
        round(config.artifact_run_quota_gib * 2**30),
        round(config.artifact_experiment_quota_gib * 2**30),
        round(config.artifact_quota_gib * 2**30),
    )
    sweeper = ArtifactSweeper(PostgresArtifactStore(upkeep_pool), contents, config.artifact_upload_idle_s)
    await stack.enter_async_context(sweeper)
    return (
        ArtifactService(store, contents, sweeper),
        UploadService(store, contents, quotas),
        MultipartService(store, contents, quotas),
        VerificationService(PostgresVerificationStore(pool), contents),
        MoveService(PostgresMoveStore(upkeep_pool), store, contents),
    )
