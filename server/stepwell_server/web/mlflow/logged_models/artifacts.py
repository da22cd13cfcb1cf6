"""Files of logged models, as MLflow's page asks for them."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.paths import check_folder, check_path
from stepwell_server.services.logged_models import LoggedModelService
from stepwell_server.web.artifacts.sending import file_answer
from stepwell_server.web.mlflow.artifact_listings import listing_of_run
from stepwell_server.web.mlflow.logged_models.entities import model_json, parse_model_id
from stepwell_server.web.mlflow.requests import Message, read_message


class LoggedModelArtifacts:
    """Answers `logged-models/<model_id>/artifacts/…`."""

    def __init__(self, artifacts: ArtifactService, models: LoggedModelService) -> None:
        self._artifacts = artifacts
        self._models = models

    async def directories(self, request: Request) -> Response | ASGIApp:
        """List a folder of a model."""
        message = await read_message(request)
        folder = (message.text("artifact_directory_path") or "").removesuffix("/")
        check_folder(folder)
        model = await self._models.get(parse_model_id(request.path_params["model_id"]))
        root_uri = model_json(model)["info"]["artifact_uri"]
        return listing_of_run(self._artifacts, model.model_id, folder, root_uri)

    async def files(self, request: Request) -> Response | ASGIApp:
        """Send a file that a query names."""
        path = Message(dict(request.query_params)).required_text("artifact_file_path")
        check_path(path)
        model = await self._models.get(parse_model_id(request.path_params["model_id"]))
        return await file_answer(self._artifacts, request, model.model_id, path, "attachment")
