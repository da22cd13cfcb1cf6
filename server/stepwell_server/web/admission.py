"""Finds out who makes a request, before anything of it is read. What is open needs nobody."""

from collections.abc import Set
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from stepwell_server.services.access.calling import Authenticating, Presented, admit, nobody_calls
from stepwell_server.web.guards import path_below

# What those who know the proxies in front of the server found to be the address that a request comes from.
ORIGIN = "stepwell.origin"


class Admission:
    """Lets requests through of who is known; `open_paths` are for everybody."""

    def __init__(self, app: ASGIApp, authenticator: Authenticating, open_paths: Set[str]) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through. Raises UnauthenticatedError."""
        # Requests of one connection may share a context, so who made the one before is forgotten in any case.
        nobody_calls()
        if path_below(scope) not in self._open_paths:
            await admit(self._authenticator, presented_by(scope))
        await self._app(scope, receive, send)


def presented_by(scope: Scope) -> Presented:
    """Return what a request shows."""
    headers = Headers(scope=scope)
    return Presented(headers.get("authorization", ""), headers.get, origin_of(scope))


def origin_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client: Any = scope.get("client") or ("", 0)
    found: str = scope.get(ORIGIN) or client[0]
    return found
