"""Listings of artifacts as MLflow's clients read them: all of a folder at once, so they are sent page by page."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.types import ASGIApp

from stepwell_server.errors import NotFoundError
from stepwell_server.model.artifacts import LIST_PAGE_SIZE_MAX, Listed
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.web.artifacts.sending import Streamed
from stepwell_server.web.mlflow.artifact_places import RunPlace, find_place
from stepwell_server.web.mlflow.requests import JSON_TYPE

_HEADERS = {"content-type": JSON_TYPE}


def listing_of_run(
    artifacts: ArtifactService, run_id: UUID, folder: str, root_uri: str, *, own_only: bool = False
) -> ASGIApp:
    """Return what `artifacts/list` answers: paths from the root of the run. `own_only`: see `ArtifactService.list`."""
    pages = _pages(artifacts, run_id, folder, own_only)
    return Streamed(200, _HEADERS, _json(pages, 0, {"root_uri": root_uri}))


def listing_of_proxy(artifacts: ArtifactService, address: str, *, own_only: bool) -> ASGIApp:
    """Return what the proxy answers: names in the folder. What is above the artifacts of runs is not listed."""
    place = find_place(address)
    pages = _pages_or_nothing(artifacts, place, own_only)
    skipped = len(place.path) + 1 if place and place.path else 0
    return Streamed(200, _HEADERS, _json(pages, skipped, {}))


async def _json(
    pages: AsyncGenerator[Sequence[Listed]], skipped: int, more: dict[str, Any]
) -> AsyncGenerator[bytes]:
    """Yield the answer, one page of a listing after the other; `skipped` characters of each path are left out."""
    before = (orjson.dumps(more)[:-1] + b"," if more else b"{") + b'"files":['
    empty = orjson.dumps(more)
    async for page in pages:
        if page:
            yield before + orjson.dumps([_file(listed, skipped) for listed in page])[1:-1]
            before = b","
    yield b"]}" if before == b"," else empty


async def _pages(
    artifacts: ArtifactService, run_id: UUID, folder: str, own_only: bool
) -> AsyncGenerator[Sequence[Listed]]:
    token = ""
    while True:
        page, token = await artifacts.list(
            run_id, folder, LIST_PAGE_SIZE_MAX, token, recursive=False, own_only=own_only
        )
        yield page
        if not token:
            return


async def _pages_or_nothing(
    artifacts: ArtifactService, place: RunPlace | None, own_only: bool
) -> AsyncGenerator[Sequence[Listed]]:
    """Yield pages, or nothing where nothing is, as MLflow's clients expect it before a first upload."""
    if place is None:
        return
    try:
        async for page in _pages(artifacts, place.run_id, place.path, own_only):
            yield page
    except NotFoundError:
        return


def _file(listed: Listed, skipped: int) -> dict[str, Any]:
    found: dict[str, Any] = {"path": listed.path[skipped:], "is_dir": listed.is_folder}
    if listed.size_bytes:  # MLflow's server leaves out 0, too
        found["file_size"] = listed.size_bytes
    return found
