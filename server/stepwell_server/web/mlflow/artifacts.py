"""MLflow's routes to artifacts: the proxy that its clients use, and what browsers fetch. Bytes only pass through."""

from contextlib import aclosing

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from stepwell_server.errors import InvalidArgumentError, InvalidStateError, StepwellError
from stepwell_server.model.artifacts import MIB
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.paths import check_folder, check_path
from stepwell_server.services.content.uploads import UploadService
from stepwell_server.services.runs import RunService
from stepwell_server.web.artifacts.sending import file_answer
from stepwell_server.web.artifacts.taking import Incoming
from stepwell_server.web.errors import CLIENT_GONE
from stepwell_server.web.guards import lift_body_limit
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.artifact_listings import listing_of_proxy, listing_of_run
from stepwell_server.web.mlflow.artifact_places import RunPlace, place_to_fill, require_place
from stepwell_server.web.mlflow.entities import parse_run_id, run_info_json
from stepwell_server.web.mlflow.requests import JSON_TYPE, Message, read_message

# What MLflow's page uploads at once.
UPLOAD_ARTIFACT_BYTES_MAX = 10 * MIB
# Who sends one of these counts on what is not promised.
CONDITIONS = ("content-range", "if-match", "if-none-match", "if-unmodified-since")


class Artifacts:
    """Answers the routes; `address` in a path is what follows mlflow-artifacts:/ in a URI."""

    def __init__(self, artifacts: ArtifactService, uploads: UploadService, runs: RunService) -> None:
        self._artifacts = artifacts
        self._uploads = uploads
        self._runs = runs

    async def list_run(self, request: Request) -> Response | ASGIApp:
        """List a folder of a run: `artifacts/list`."""
        message = await read_message(request)
        run_id = parse_run_id(message.required_text("run_id", "run_uuid"))
        folder = folder_of(message)
        info = await self._runs.get_info(run_id)
        root_uri = run_info_json(info)["artifact_uri"]
        return listing_of_run(self._artifacts, run_id, folder, root_uri, own_only=looks_for_models(request))

    async def list_proxy(self, request: Request) -> Response | ASGIApp:
        """List a folder of the proxy."""
        folder = folder_of(await read_message(request))
        return listing_of_proxy(self._artifacts, folder, own_only=looks_for_models(request))

    async def download(self, request: Request) -> Response | ASGIApp:
        """Send a file, or a part of it."""
        place = require_place(address_of(request))
        if not place.path:
            raise InvalidArgumentError("this address names the folder of a run's artifacts, not a file")
        return await self._send(request, place)

    async def upload(self, request: Request) -> Response:
        """Take a file of any size, as a whole or not at all."""
        place = place_to_fill(address_of(request))
        lift_body_limit(request.scope, None)
        return await self._take(request, place)

    async def delete(self, request: Request) -> Response:
        """Remove a file, or all below a folder; what is not there is gone already."""
        refuse_conditions(request)
        place = require_place(address_of(request))
        more = True
        while more:
            _, more = await self._artifacts.delete(place.run_id, place.path)
        return answer({})

    async def get_artifact(self, request: Request) -> Response | ASGIApp:
        """Send a file that a query names by `run_id` and `path`."""
        message = Message(dict(request.query_params))
        path = message.required_text("path")
        check_path(path)
        run_id = parse_run_id(message.text("run_id", "run_uuid") or "")
        return await self._send(request, RunPlace(run_id, path))

    async def upload_artifact(self, request: Request) -> Response:
        """Take a small file that a page sends for the `run_uuid` and the `path` of the query."""
        message = Message(dict(request.query_params))
        run_id, path = message.required_text("run_uuid"), message.required_text("path")
        check_path(path)
        size = Incoming(request).announced_bytes
        if size is None or not 1 <= size <= UPLOAD_ARTIFACT_BYTES_MAX:
            raise InvalidArgumentError(
                f"a file of 1 to {UPLOAD_ARTIFACT_BYTES_MAX} bytes can be sent here, and its Content-Length says how "
                f"many, not {size}; put larger ones to /api/2.0/mlflow-artifacts/artifacts/…"
            )
        await self._runs.get_info(parse_run_id(run_id))
        taken = await self._take(request, RunPlace(parse_run_id(run_id), path))
        taken.headers["content-type"] = JSON_TYPE  # without any, as in MLflow
        return taken

    async def _send(self, request: Request, place: RunPlace) -> Response | ASGIApp:
        return await file_answer(self._artifacts, request, place.run_id, place.path, "attachment")

    async def _take(self, request: Request, place: RunPlace) -> Response:
        body = Incoming(request)
        try:
            refuse_conditions(request)
            async with aclosing(body.pieces()) as pieces:
                await self._uploads.take(place.run_id, place.path, pieces, body.announced_bytes, body.prefer)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except InvalidStateError as error:
            await body.hear_out()
            raise InvalidArgumentError(str(error)) from error  # MLflow's code for what is deleted
        except StepwellError:
            await body.hear_out()
            raise
        return Response()


def refuse_conditions(request: Request) -> None:
    """Refuse what is to be done in part, or under conditions: files are taken and removed whole, whatever is there.

    Raises:
        InvalidArgumentError: the request has such a header.
    """
    for name in CONDITIONS:
        if name in request.headers:
            raise InvalidArgumentError(
                f"the header {name} is not heeded here: a file is taken and removed as a whole, whatever is there; "
                "leave it out"
            )


def looks_for_models(request: Request) -> bool:
    """Tell whether a client is MLflow 3's: beside a run's files it lists those of the logged models by itself.

    So it would find them twice, and register a model by a path of its run, where the next model of that name takes its
    place, instead of by the model's id.
    """
    return request.headers.get("user-agent", "").startswith("mlflow-python-client/3")


def address_of(request: Request) -> str:
    """Return the address in the path of a request to the proxy."""
    address: str = request.path_params["address"]
    check_path(address)
    return address


def folder_of(message: Message) -> str:
    """Return the folder that is to be listed, empty for the root."""
    folder = (message.text("path") or "").removesuffix("/")
    check_folder(folder)
    return folder
