"""Bytes on their way out: piece by piece, with back-pressure, and no longer than somebody reads them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.artifacts import Piece, StoredFile
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.web.artifacts.conditions import etag_of, http_date, range_holds, unmet
from stepwell_server.web.artifacts.ranges import ByteRange, UnsatisfiableError, parse_range
from stepwell_server.web.artifacts.types import SECURITY, content_type, disposition
from stepwell_server.web.errors import error_response


class Streamed:
    """An answer whose body comes in pieces; each is sent before the next one is asked for."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: AsyncGenerator[Piece]) -> None:
        self._status = status
        self._headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a client that goes away ends the reading."""
        async with aclosing(self._pieces) as pieces:
            # What cannot be read at all is an error, and not an answer that breaks off.
            first = await anext(pieces, b"")
            await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
            gone = asyncio.create_task(_gone(receive))
            try:
                await send({"type": "http.response.body", "body": bytes(first), "more_body": True})
                async for piece in pieces:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": bytes(piece), "more_body": True})
                await send({"type": "http.response.body"})
            finally:
                gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def file_answer(
    artifacts: ArtifactService, request: Request, run_id: UUID, path: str, kind: str
) -> Response | ASGIApp:
    """Return an artifact, or the part of it that is asked for; `kind` is inline or attachment.

    Raises:
        NotFoundError: there is no such artifact.
        InvalidArgumentError: the path or the range is not one, or the path is a folder.
    """
    file = await _found(artifacts, run_id, path)
    etag = etag_of(file.sha256)
    headers = {
        "etag": etag,
        "last-modified": http_date(file.logged_time_ms),
        "cache-control": "no-cache",  # ask again each time; the tag makes that cheap
        "accept-ranges": "bytes",
        "content-disposition": disposition(path, kind),
        **SECURITY,
    }
    status = unmet(request.headers, etag, file.logged_time_ms)
    if status is not None:
        return Response(status_code=status, headers=headers)
    try:
        wanted = range_holds(request.headers, etag, file.logged_time_ms)
        found = parse_range(request.headers.get("range") if wanted else None, file.size_bytes)
    except UnsatisfiableError:
        text = f"{path!r} has {file.size_bytes} bytes; the range begins behind them"
        return error_response("BAD_REQUEST", text, 416, {"content-range": f"bytes */{file.size_bytes}"})
    return _file(artifacts, request, run_id, file, found, {**headers, "content-type": content_type(path)})


async def _found(artifacts: ArtifactService, run_id: UUID, path: str) -> StoredFile:
    try:
        return (await artifacts.get(run_id, path, direct=False))[0]
    except NotFoundError:
        below, _ = await artifacts.list(run_id, path, 1, "", recursive=True)
        if below:
            raise InvalidArgumentError(f"{path!r} is a folder, not a file; name a file in it") from None
        raise


def _file(
    artifacts: ArtifactService,
    request: Request,
    run_id: UUID,
    file: StoredFile,
    found: ByteRange | None,
    headers: dict[str, str],
) -> Response | ASGIApp:
    part = found or ByteRange(0, file.size_bytes)
    headers["content-length"] = str(part.count)
    if found is not None:
        last = found.first + found.count - 1
        headers["content-range"] = f"bytes {found.first}-{last}/{file.size_bytes}"
    status = 200 if found is None else 206
    if request.method == "HEAD" or not part.count:
        return Response(status_code=status, headers=headers)
    pieces = artifacts.read(run_id, file.path, part.first, file.sha256)
    return Streamed(status, headers, _first(pieces, part.count))


async def _first(pieces: AsyncIterator[Piece], count: int) -> AsyncGenerator[Piece]:
    """Yield the first `count` bytes."""
    async with aclosing(pieces) as found:  # type: ignore[type-var]  # it is a generator
        async for piece in found:
            yield memoryview(piece)[:count]
            count -= len(piece)
            if count <= 0:
                return
