"""The routes that are about the server itself: what it is, whether it lives, its figures."""

import asyncio
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass

from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from stepwell_server.web.metrics import registry_of_this_server
from stepwell_server.web.page import INDEX, file_routes, read_page

FIGURES_PATH = "/metrics"
SERVER_PATH = "/api/stepwell/v1/server"

WELCOME = """\
This is Stepwell {version}, an experiment tracker.

In Python:  stepwell.set_tracking_uri("{url}")

{url}/health                    OK, while it serves
{url}/version                   its version
{url}/metrics                   figures for Prometheus
{url}{server_path}    where gRPC listens, as JSON
"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What clients are told. `grpc_address` is HOST:PORT; a host like 0.0.0.0 means: the one you asked."""

    version: str
    grpc_address: str
    grpc_tls: bool
    auth: bool = False
    features: tuple[str, ...] = ()


def pages(facts: ServerFacts, framed_by: Sequence[str] = ()) -> list[BaseRoute]:
    """Return the routes; `/` is the page for browsers, and a few words for other programs.

    `framed_by` are the origins whose pages may show ours in a frame.
    """
    files = read_page(framed_by=framed_by)
    described = {
        "name": "stepwell",
        "version": facts.version,
        "grpc": {"address": facts.grpc_address, "tls": facts.grpc_tls},
        "auth": facts.auth,  # whether callers have to say who they are
        "features": dict.fromkeys(facts.features, True),
    }

    async def welcome(request: Request) -> Response:
        if INDEX in files and "text/html" in request.headers.get("accept", ""):
            return await files[INDEX].answer(request)
        url = str(request.base_url).rstrip("/")
        text = WELCOME.format(url=url, server_path=SERVER_PATH, **asdict(facts))
        return PlainTextResponse(text)

    async def server(request: Request) -> Response:
        return JSONResponse(described, headers={"cache-control": "no-store"})

    async def health(request: Request) -> Response:
        return PlainTextResponse("OK", headers={"cache-control": "no-store"})

    async def version(request: Request) -> Response:
        return PlainTextResponse(facts.version)

    return [
        Route("/", welcome),
        Route("/health", health),
        Route("/version", version),
        Route(FIGURES_PATH, figures),
        Route(SERVER_PATH, server),
        *file_routes(files),
    ]


def open_paths(about: Sequence[BaseRoute]) -> Set[str]:
    """Return which of these paths need nobody who is known: all but the figures, which tell what is done here."""
    return {route.path for route in about if isinstance(route, Route)} - {FIGURES_PATH}


async def figures(request: Request) -> Response:
    """Return what Prometheus reads: of all workers, where there are several."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    # Thousands of lines: tens of milliseconds, for which the loop does not wait.
    lines = await asyncio.to_thread(encode, registry_of_this_server())
    return Response(lines, headers={"content-type": content_type})
