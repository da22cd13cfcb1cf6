"""MLflow's routes for uploads in parts, and for addresses that lead straight to a bucket."""

from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.artifacts import PartTag
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.multipart import MultipartService
from stepwell_server.services.content.paths import check_path
from stepwell_server.services.runs import RunService
from stepwell_server.web.errors import error_response
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.artifact_places import RunPlace, find_place, require_place
from stepwell_server.web.mlflow.artifacts import address_of
from stepwell_server.web.mlflow.entities import parse_run_id
from stepwell_server.web.mlflow.requests import Message, read_message

ADDRESS_S_MAX = 7 * 24 * 3_600  # what buckets allow
# MLflow's clients send the whole as one after this.
NO_BUCKET = (
    "Multipart upload is not supported for the current artifact repository: its content is in a folder"
)
NO_ADDRESS = (
    "Presigned addresses are not supported for the current artifact repository: its content is in a folder"
)


class ArtifactParts:
    """Answers the routes; see `artifact_routes`."""

    def __init__(self, artifacts: ArtifactService, multipart: MultipartService, runs: RunService) -> None:
        self._artifacts = artifacts
        self._multipart = multipart
        self._runs = runs

    async def create(self, request: Request) -> Response:
        """Begin an upload in parts and tell where each goes."""
        place, message = await _begun(request)
        count = message.integer("num_parts") or 0
        begun = await self._multipart.begin(place.run_id, place.path, max(count, 1))
        if begun is None:
            return error_response("NOT_IMPLEMENTED", NO_BUCKET, 501)
        parts = [{"url": url, "part_number": number} for number, url in enumerate(begun.urls, 1)]
        return answer({"upload_id": begun.upload_id.hex, "credentials": parts})

    async def complete(self, request: Request) -> Response:
        """Put the parts together; then the artifact is there."""
        place, message = await _begun(request)
        tags = [_tag(part) for part in message.messages("parts")]
        if not tags:
            raise message.missing("parts")
        if not await self._multipart.available(place.run_id):
            return error_response("NOT_IMPLEMENTED", NO_BUCKET, 501)
        await self._multipart.complete(place.run_id, place.path, _upload_id(message), tags)
        return answer({})

    async def abort(self, request: Request) -> Response:
        """Give an upload up."""
        place, message = await _begun(request)
        if not await self._multipart.available(place.run_id):
            return error_response("NOT_IMPLEMENTED", NO_BUCKET, 501)
        await self._multipart.abandon(place.run_id, _upload_id(message))
        return answer({})

    async def presigned(self, request: Request) -> Response:
        """Give an address of the bucket from which a file can be fetched."""
        place = require_place(address_of(request))
        if not await self._multipart.available(place.run_id):
            return error_response("NOT_IMPLEMENTED", NO_ADDRESS, 501)
        file, url = await self._artifacts.get(place.run_id, place.path, direct=True)
        return answer({"url": url, "headers": {}, "file_size": file.size_bytes})

    async def refuse_presigned(self, request: Request) -> Response:
        """Refuse `artifacts/presigned-…` as MLflow does where clients reach artifacts through the server."""
        message = await read_message(request)
        run_id = message.required_text("run_id")
        check_path(message.required_text("path"))
        seconds = message.integer("expiration")
        if seconds is not None and not 1 <= seconds <= ADDRESS_S_MAX:
            raise message.refused("expiration", seconds, f"it has to be from 1 to {ADDRESS_S_MAX} seconds")
        await self._runs.get_info(parse_run_id(run_id))
        what = urlsplit(str(request.url)).path.rpartition("/")[2]
        raise InvalidArgumentError(
            f"{what} is for artifacts that clients reach by themselves; those of this server go through "
            "/api/2.0/mlflow-artifacts, whose presigned/ and mpu/ lead to the bucket, if there is one"
        )


async def _begun(request: Request) -> tuple[RunPlace, Message]:
    """Return where the file goes: the folder is in the address, its name in the message."""
    folder = find_place(address_of(request))
    message = await read_message(request)
    name = message.required_text("path").rpartition("/")[2]
    if folder is None:
        raise InvalidArgumentError("the form is <experiment_id>/<run_id>/artifacts[/<folder>]")
    return folder.below(name), message


def _upload_id(message: Message) -> UUID:
    text = message.required_text("upload_id")
    try:
        return UUID(hex=text)
    except ValueError:
        raise NotFoundError(f"{text[:60]!r} is not an upload that is open here") from None


def _tag(part: Message) -> PartTag:
    # Azure gives none, and what counts is the content.
    return PartTag(part.required_integer("part_number"), (part.text("etag") or "").strip('"'))
