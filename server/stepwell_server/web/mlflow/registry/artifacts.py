"""Files of versions of registered models, as MLflow's page asks for them."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from stepwell_server.errors import NotFoundError
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.paths import check_path
from stepwell_server.services.registry.versions import ModelVersionService
from stepwell_server.web.artifacts.sending import file_answer
from stepwell_server.web.mlflow.artifact_places import require_place
from stepwell_server.web.mlflow.entities import ARTIFACT_ROOT
from stepwell_server.web.mlflow.registry.entities import parse_version, their_uri
from stepwell_server.web.mlflow.requests import Message


class VersionArtifacts:
    """Answers `/model-versions/get-artifact`."""

    def __init__(self, artifacts: ArtifactService, versions: ModelVersionService) -> None:
        self._artifacts = artifacts
        self._versions = versions

    async def file(self, request: Request) -> Response | ASGIApp:
        """Send a file of the version that a query names."""
        message = Message(dict(request.query_params))
        name, version, path = (
            message.required_text("name"),
            parse_version(message),
            message.required_text("path"),
        )
        check_path(path)
        where = their_uri((await self._versions.get(name, version)).storage_uri)
        if not where.startswith(ARTIFACT_ROOT):
            raise NotFoundError(
                f"the files of version {version} of {name!r} are at {where!r}, not with this server"
            )
        place = require_place(where.removeprefix(ARTIFACT_ROOT).strip("/")).below(path)
        return await file_answer(self._artifacts, request, place.run_id, place.path, "attachment")
