"""Where MLflow's clients look for artifacts."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stepwell_server.services.together import Services
from stepwell_server.web.artifacts.names import ANY_TEXT
from stepwell_server.web.mlflow.artifact_parts import ArtifactParts
from stepwell_server.web.mlflow.artifacts import Artifacts

API, AJAX = "/api/2.0", "/ajax-api/2.0"
PROXY = "mlflow-artifacts/artifacts"
ADDRESS = f"{{address:{ANY_TEXT}}}"

Endpoint = Callable[[Request], Awaitable[Response | ASGIApp]]


def artifact_routes(services: Services) -> list[BaseRoute]:
    """Return the routes, each below both prefixes."""
    artifacts = Artifacts(services.artifacts, services.uploads, services.runs)
    parts = ArtifactParts(services.artifacts, services.multipart, services.runs)
    both: list[tuple[str, str, Endpoint]] = [
        ("GET", "mlflow/artifacts/list", artifacts.list_run),
        ("GET", PROXY, artifacts.list_proxy),
        ("GET", f"{PROXY}/{ADDRESS}", artifacts.download),
        ("PUT", f"{PROXY}/{ADDRESS}", artifacts.upload),
        ("DELETE", f"{PROXY}/{ADDRESS}", artifacts.delete),
        ("POST", f"mlflow-artifacts/mpu/create/{ADDRESS}", parts.create),
        ("POST", f"mlflow-artifacts/mpu/complete/{ADDRESS}", parts.complete),
        ("POST", f"mlflow-artifacts/mpu/abort/{ADDRESS}", parts.abort),
        ("GET", f"mlflow-artifacts/presigned/{ADDRESS}", parts.presigned),
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
