"""MLflow's routes and who answers them; docs/mlflow.md lists them for users.

The static prefix is the door's (`web/door.py`).
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stepwell_server.errors import InvalidArgumentError, InvalidStateError
from stepwell_server.services.together import Services
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.artifact_routes import artifact_routes
from stepwell_server.web.mlflow.experiments import Experiments
from stepwell_server.web.mlflow.logged_models.routes import logged_model_routes
from stepwell_server.web.mlflow.logging import Logging
from stepwell_server.web.mlflow.metrics import Metrics
from stepwell_server.web.mlflow.registry.artifacts import VersionArtifacts
from stepwell_server.web.mlflow.registry.routes import registry_table
from stepwell_server.web.mlflow.requests import Message, read_message
from stepwell_server.web.mlflow.runs import Runs
from stepwell_server.web.mlflow.search import Searches

Answering = Callable[[Message], Awaitable[Response]]

GET, POST = ("GET",), ("POST",)
# Clients use the first, MLflow's page the second.
PREFIXES = ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow")
PREFIXES_3 = ("/api/3.0/mlflow", "/ajax-api/3.0/mlflow")


def mlflow_routes(services: Services) -> list[BaseRoute]:
    """Return the routes of experiments, runs, metrics and artifacts, the busiest first."""
    experiments = Experiments(services.experiments, services.search)
    runs = Runs(services.runs, services.calls, services.models)
    logging = Logging(services.calls)
    metrics = Metrics(services.series)
    table: list[tuple[Sequence[str], str, Answering]] = [
        (POST, "runs/log-batch", logging.log_batch),
        (POST, "runs/log-metric", logging.log_metric),
        (POST, "runs/log-parameter", logging.log_parameter),
        (POST, "runs/set-tag", logging.set_tag),
        (GET, "runs/get", runs.get),
        (POST, "runs/search", Searches(services.search).runs),
        (POST, "runs/create", runs.create),
        (POST, "runs/update", runs.update),
        (GET, "metrics/get-history", metrics.history),
        (GET, "metrics/get-history-bulk-interval", metrics.history_bulk_interval),
        (GET, "metrics/get-history-bulk", metrics.history_bulk),
        (POST, "runs/delete-tag", runs.delete_tag),
        (POST, "runs/log-inputs", runs.log_inputs),
        (POST, "runs/log-model", runs.log_model),
        (POST, "runs/delete", runs.delete),
        (POST, "runs/restore", runs.restore),
        (GET, "experiments/get", experiments.get),
        (GET, "experiments/get-by-name", experiments.get_by_name),
        (GET + POST, "experiments/search", experiments.search),
        (POST, "experiments/create", experiments.create),
        (POST, "experiments/update", experiments.update),
        (POST, "experiments/set-experiment-tag", experiments.set_tag),
        (POST, "experiments/delete-experiment-tag", experiments.delete_tag),
        (POST, "experiments/delete", experiments.delete),
        (POST, "experiments/restore", experiments.restore),
        (POST, "experiments/search-datasets", runs.search_datasets),
        *registry_table(services),
    ]
    return [
        *(
            _route(f"{prefix}/{path}", methods, answering)
            for prefix in PREFIXES
            for methods, path, answering in table
        ),
        *artifact_routes(services),
        Route(
            "/model-versions/get-artifact", VersionArtifacts(services.artifacts, services.model_versions).file
        ),
        *logged_model_routes(services, PREFIXES),
        *(_route(f"{prefix}/server-info", GET, _server_info) for prefix in PREFIXES_3),
    ]


def _route(path: str, methods: Sequence[str], answering: Answering) -> BaseRoute:
    async def endpoint(request: Request) -> Response:
        try:
            return await answering(await read_message(request))
        except InvalidStateError as error:
            # MLflow's code for what is deleted.
            raise InvalidArgumentError(str(error)) from error

    return Route(path, endpoint, methods=methods)


async def _server_info(message: Message) -> Response:
    """Say what MLflow's clients ask before they use something that not all servers have."""
    return answer({"store_type": "SqlStore", "workspaces_enabled": False, "trace_archival_enabled": False})
