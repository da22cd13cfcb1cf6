"""Where MLflow's clients look for artifacts."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stepwell_server.services.together import Services
from stepwell_server.web.mlflow.artifact_parts import ArtifactParts
from stepwell_server.web.mlflow.artifacts import Artifacts

API, AJAX = "/api/2.0", "/ajax-api/2.0"
PROXY = "mlflow-artifacts/artifacts"

Endpoint = Callable[[Request], Awaitable[Response | ASGIApp]]


def artifact_routes(services: Services) -> list[BaseRoute]:
    """Return the routes, each below both prefixes."""
    artifacts = Artifacts(services.artifacts, services.uploads, services.runs)
    parts = ArtifactParts(services.artifacts, services.multipart, services.runs)
    both: list[tuple[str, str, Endpoint]] = [
        ("GET", "mlflow/artifacts/list", artifacts.list_run),
        ("GET", PROXY, artifacts.list_proxy),
        ("GET", f"{PROXY}/{{address:path}}", artifacts.download),
        ("PUT", f"{PROXY}/{{address:path}}", artifacts.upload),
        ("DELETE", f"{PROXY}/{{address:path}}", artifacts.delete),
        ("POST", "mlflow-artifacts/mpu/create/{address:path}", parts.create),
        ("POST", "mlflow-artifacts/mpu/complete/{address:path}", parts.complete),
        ("POST", "mlflow-artifacts/mpu/abort/{address:path}", parts.abort),
        ("GET", "mlflow-artifacts/presigned/{address:path}", parts.presigned),
        ("POST", "mlflow/artifacts/presigned-upload-url", parts.refuse_presigned),
        ("POST", "mlflow/artifacts/presigned-download-url", parts.refuse_presigned),
        ("GET", "mlflow/get-artifact", artifacts.get_artifact),
        ("POST", "mlflow/upload-artifact", artifacts.upload_artifact),
    ]
    return [
        *(
            Route(f"{prefix}/{path}", endpoint, methods=[method])
            for method, path, endpoint in both
            for prefix in (API, AJAX)
        ),
        Route("/get-artifact", artifacts.get_artifact),
    ]
