"""Which servicer answers for which service of the contract."""

from collections.abc import Sequence

from stepwell_api.v1 import (
    access_pb2_grpc,
    alerts_pb2_grpc,
    histograms_pb2_grpc,
    ingest_pb2_grpc,
    models_pb2_grpc,
    places_pb2_grpc,
    registry_pb2_grpc,
    runs_pb2_grpc,
    search_pb2_grpc,
    series_pb2_grpc,
    webhooks_pb2_grpc,
    writers_pb2_grpc,
)
from stepwell_server.services.together import Services
from stepwell_server.transport.access import AccessServicer, AccountServicer
from stepwell_server.transport.alerts import AlertServicer
from stepwell_server.transport.content.artifacts import ArtifactServicer, add_artifact_service
from stepwell_server.transport.content.places import ArtifactPlaceServicer
from stepwell_server.transport.experiments import ExperimentServicer
from stepwell_server.transport.histograms import HistogramServicer
from stepwell_server.transport.ingest.servicer import IngestServicer
from stepwell_server.transport.ingest.writers import WriterServicer
from stepwell_server.transport.logged_models import LoggedModelServicer
from stepwell_server.transport.registry.servicer import ModelVersionServicer, RegisteredModelServicer
from stepwell_server.transport.registry.webhooks import WebhookServicer
from stepwell_server.transport.runs import RunServicer
from stepwell_server.transport.search import SearchServicer
from stepwell_server.transport.series.servicer import SeriesServicer
from stepwell_server.transport.server import Registration


def registrations(services: Services) -> Sequence[Registration]:
    """Return how each servicer is added to a server."""
    experiments = ExperimentServicer(services.experiments)
    runs = RunServicer(services.runs)
    models = LoggedModelServicer(services.models)
    ingest = IngestServicer(services.ingest, services.draining, services.holding)
    search = SearchServicer(services.search, services.keys, services.exploring, services.views)
    series = SeriesServicer(services.series, services.group_lines, services.watching, services.holding)
    artifacts = ArtifactServicer(
        services.artifacts, services.uploads, services.verification, services.holding
    )
    places = ArtifactPlaceServicer(services.moves)
    writers = WriterServicer(services.writers)
    histograms = HistogramServicer(services.histograms)
    alerts = AlertServicer(services.alerts)
    registered = RegisteredModelServicer(services.registered_models)
    versions = ModelVersionServicer(services.model_versions)
    webhooks = WebhookServicer(services.webhooks)
    access = AccessServicer(services.access)
    accounts = AccountServicer(services.access)
    return [
        lambda server: runs_pb2_grpc.add_ExperimentServiceServicer_to_server(experiments, server),
        lambda server: runs_pb2_grpc.add_RunServiceServicer_to_server(runs, server),
        lambda server: models_pb2_grpc.add_LoggedModelServiceServicer_to_server(models, server),
        lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(ingest, server),
        lambda server: search_pb2_grpc.add_SearchServiceServicer_to_server(search, server),
        lambda server: series_pb2_grpc.add_SeriesServiceServicer_to_server(series, server),
        lambda server: writers_pb2_grpc.add_WriterServiceServicer_to_server(writers, server),
        lambda server: histograms_pb2_grpc.add_HistogramServiceServicer_to_server(histograms, server),
        lambda server: alerts_pb2_grpc.add_AlertServiceServicer_to_server(alerts, server),
        lambda server: add_artifact_service(artifacts, server),
        lambda server: places_pb2_grpc.add_ArtifactPlaceServiceServicer_to_server(places, server),
        lambda server: registry_pb2_grpc.add_RegisteredModelServiceServicer_to_server(registered, server),
        lambda server: registry_pb2_grpc.add_ModelVersionServiceServicer_to_server(versions, server),
        lambda server: webhooks_pb2_grpc.add_WebhookServiceServicer_to_server(webhooks, server),
        lambda server: access_pb2_grpc.add_AccessServiceServicer_to_server(access, server),
        lambda server: access_pb2_grpc.add_AccountServiceServicer_to_server(accounts, server),
    ]
