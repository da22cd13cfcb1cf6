"""Where MLflow's clients look for logged models."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stepwell_server.errors import InvalidArgumentError, InvalidStateError
from stepwell_server.services.together import Services
from stepwell_server.web.mlflow.logged_models.artifacts import LoggedModelArtifacts
from stepwell_server.web.mlflow.logged_models.models import LoggedModels
from stepwell_server.web.mlflow.requests import read_message

GET, POST, PATCH, DELETE = ("GET",), ("POST",), ("PATCH",), ("DELETE",)
MODEL = "logged-models/{model_id}"


def logged_model_routes(services: Services, prefixes: Sequence[str]) -> list[BaseRoute]:
    """Return the routes, each below all prefixes."""
    models = LoggedModels(services.models)
    files = LoggedModelArtifacts(services.artifacts, services.models)
    table: list[tuple[Sequence[str], str, Callable[..., Awaitable[Response]]]] = [
        (POST, "logged-models", models.create),
        (POST, "logged-models/search", models.search),
        (POST, "runs/outputs", models.log_outputs),
        (GET, MODEL, models.get),
        (PATCH, MODEL, models.finalize),
        (DELETE, MODEL, models.delete),
        (POST, f"{MODEL}/params", models.log_params),
        (PATCH, f"{MODEL}/tags", models.set_tags),
        (DELETE, f"{MODEL}/tags/{{key:path}}", models.delete_tag),
    ]
    of_files: list[tuple[str, Callable[[Request], Awaitable[Any]]]] = [
        (f"{MODEL}/artifacts/directories", files.directories),
        (f"{MODEL}/artifacts/files", files.files),
    ]
    return [
        *(_route(f"{prefix}/{path}", methods, it) for prefix in prefixes for methods, path, it in table),
        *(Route(f"{prefix}/{path}", it, methods=GET) for prefix in prefixes for path, it in of_files),
    ]


def _route(path: str, methods: Sequence[str], answering: Callable[..., Awaitable[Response]]) -> BaseRoute:
    async def endpoint(request: Request) -> Response:
        try:
            return await answering(await read_message(request), **request.path_params)
        except InvalidStateError as error:
            # MLflow's code for what is deleted.
            raise InvalidArgumentError(str(error)) from error

    return Route(path, endpoint, methods=methods)
