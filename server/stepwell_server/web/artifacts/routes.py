"""Our own route to artifacts, for pages and for people: a file, a part of it, or a folder as an archive."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.logged_models import find_model_id
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.web.artifacts.names import ANY_TEXT
from stepwell_server.web.artifacts.sending import Streamed, file_answer
from stepwell_server.web.artifacts.types import SECURITY, disposition
from stepwell_server.web.artifacts.zipped import listed_below, zipped

ARTIFACTS_PATH = "/api/stepwell/v1/runs/{run_id}/artifacts"


def artifact_routes(artifacts: ArtifactService) -> list[BaseRoute]:
    """Return the routes."""

    async def get(request: Request) -> Response | ASGIApp:
        run_id = _run_id(request.path_params["run_id"])
        path = request.path_params.get("path", "")
        if request.query_params.get("zip") == "1":
            return await _archive(artifacts, request, run_id, path)
        if not path:
            raise InvalidArgumentError(
                "name an artifact behind artifacts/, or ask for all of them with ?zip=1"
            )
        kind = "attachment" if request.query_params.get("download") == "1" else "inline"
        return await file_answer(artifacts, request, run_id, path, kind)

    return [Route(ARTIFACTS_PATH, get), Route(f"{ARTIFACTS_PATH}/{{path:{ANY_TEXT}}}", get)]


async def _archive(
    artifacts: ArtifactService, request: Request, run_id: UUID, folder: str
) -> Response | ASGIApp:
    page, _ = await artifacts.list(run_id, folder, 1, "", recursive=True)
    if not page:
        raise NotFoundError(f"run {run_id.hex} has no artifacts below {folder!r}")
    headers = {
        "content-type": "application/zip",
        "content-disposition": disposition(f"{folder or run_id.hex}.zip", "attachment"),
        "cache-control": "no-store",
        **SECURITY,
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    return Streamed(200, headers, zipped(artifacts, run_id, folder, listed_below(artifacts, run_id, folder)))


def _run_id(text: str) -> UUID:
    model_id = find_model_id(text)
    if model_id:
        return model_id
    try:
        return UUID(hex=text)
    except ValueError:
        raise NotFoundError(f"{text[:60]!r} is not the id of a run or of a model") from None
