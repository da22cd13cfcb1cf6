"""All services of one server, for the doors that lead to them."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stepwell_server.process.holding import Holding
from stepwell_server.services.alerts import AlertService
from stepwell_server.services.calls import CallService
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.moves import MoveService
from stepwell_server.services.content.multipart import MultipartService
from stepwell_server.services.content.uploads import UploadService
from stepwell_server.services.content.verification import VerificationService
from stepwell_server.services.experiments import ExperimentService
from stepwell_server.services.exploring.keys import KeyService
from stepwell_server.services.exploring.tables import ExploringService
from stepwell_server.services.exploring.views import ViewService
from stepwell_server.services.group_lines import GroupLineService
from stepwell_server.services.histograms import HistogramService
from stepwell_server.services.ingest import IngestService
from stepwell_server.services.logged_models import LoggedModelService
from stepwell_server.services.registry.models import RegisteredModelService
from stepwell_server.services.registry.versions import ModelVersionService
from stepwell_server.services.registry.webhooks import WebhookService
from stepwell_server.services.runs import RunService
from stepwell_server.services.search import SearchService
from stepwell_server.services.series import SeriesService
from stepwell_server.services.watching import WatchService
from stepwell_server.services.writers import WriterService

if TYPE_CHECKING:  # servers without accounts load nothing of them
    from stepwell_server.services.access.together import AccessServices


@dataclass(frozen=True, slots=True)
class Services:
    """What gRPC and HTTP call. `draining` is set when the server begins to stop; long streams watch it.

    `holding` counts what the doors hold for their callers. `access` is None where there are no accounts.
    """

    experiments: ExperimentService
    runs: RunService
    models: LoggedModelService
    search: SearchService
    keys: KeyService
    exploring: ExploringService
    views: ViewService
    ingest: IngestService
    calls: CallService
    series: SeriesService
    group_lines: GroupLineService
    watching: WatchService
    writers: WriterService
    histograms: HistogramService
    alerts: AlertService
    artifacts: ArtifactService
    uploads: UploadService
    multipart: MultipartService
    verification: VerificationService
    moves: MoveService
    registered_models: RegisteredModelService
    model_versions: ModelVersionService
    webhooks: WebhookService
    draining: asyncio.Event
    holding: Holding
    access: "AccessServices | None" = None
