"""The page that people look at: static files, built from server/web/, compressed and named by their content."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

BUILT = Path(__file__).parent / "static"
INDEX = "index.html"
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
# Scripts are ours alone. Styles stand in elements too (positions of rows and menus); pictures may be made in the page.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; frame-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self' "
)
# Pages of this machine may show ours in a frame: notebooks, whatever their port; and VS Code, which is no web page.
NOTEBOOKS = (
    "http://localhost:*",
    "http://127.0.0.1:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "vscode-webview:",
    "vscode-file:",
)
# Names of files below assets/ say what is in them, so they never change; the rest is asked for again.
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file in memory: as gzip, unless that was not worth it. All of them take 1 MB so, and 3 MB plain."""

    content: bytes
    is_gzipped: bool
    headers: Mapping[str, str]

    async def answer(self, request: Request) -> Response:
        """Return the file in the form that the client takes; all browsers take gzip."""
        if not self.is_gzipped:
            return Response(self.content, headers=dict(self.headers))
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.content, headers={**self.headers, "content-encoding": "gzip"})
        return Response(await asyncio.to_thread(gzip.decompress, self.content), headers=dict(self.headers))


def read_page(folder: Path = BUILT, *, framed_by: Sequence[str] = ()) -> Mapping[str, StaticFile]:
    """Read the built files by their paths; none when the page was not built.

    `framed_by` are the origins whose pages may show ours in a frame, beside those of this machine.
    """
    policy = POLICY + " ".join((*NOTEBOOKS, *framed_by))
    return {
        path.relative_to(folder).as_posix(): _read(path, folder, policy)
        for path in sorted(folder.rglob("*"))
        if path.suffix in CONTENT_TYPES
    }


def file_routes(files: Mapping[str, StaticFile]) -> list[BaseRoute]:
    """Return a route for each file but the index, which `pages` has."""
    return [_route(path, file) for path, file in files.items() if path != INDEX]


def _route(path: str, file: StaticFile) -> Route:
    async def answer(request: Request) -> Response:
        return await file.answer(request)

    return Route(f"/{path}", answer)


def _read(path: Path, folder: Path, policy: str) -> StaticFile:
    gzipped = path.with_name(path.name + ".gz")
    lasts = path.relative_to(folder).parts[0] == "assets"
    headers = {
        "content-type": CONTENT_TYPES[path.suffix],
        "cache-control": FOR_EVER if lasts else ASK_AGAIN,
        "vary": "accept-encoding",
        "content-security-policy": policy,
    }
    is_gzipped = gzipped.exists()
    return StaticFile((gzipped if is_gzipped else path).read_bytes(), is_gzipped, headers)
