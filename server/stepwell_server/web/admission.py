"""Finds out who makes a request, before anything of it is read. What is open needs nobody."""

from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from stepwell_server.errors import ExhaustedError
from stepwell_server.services.access.calling import Authenticating, Presented, admit, caller, nobody_calls
from stepwell_server.web.errors import RETRY_AFTER_S
from stepwell_server.web.guards import path_below

# What those who know the proxies in front of the server found to be the address that a request comes from.
ORIGIN = "stepwell.origin"


class Admission:
    """Lets requests through of who is known, of each so many at once; `open_paths` are for everybody."""

    def __init__(
        self, app: ASGIApp, authenticator: Authenticating, open_paths: Set[str], caller_requests_max: int
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open_paths = open_paths
        self._most = caller_requests_max
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through. Raises UnauthenticatedError, and ExhaustedError for one too many of a caller."""
        # Requests of one connection may share a context, so who made the one before is forgotten in any case.
        nobody_calls()
        if path_below(scope) in self._open_paths:
            await self._app(scope, receive, send)
            return
        await admit(self._authenticator, presented_by(scope))
        with self._one_of(caller().name):
            await self._app(scope, receive, send)

    @contextmanager
    def _one_of(self, name: str) -> Iterator[None]:
        if self._under_way[name] >= self._most:
            raise ExhaustedError(
                f"{self._most} requests of account {name} are under way; try again in a second", RETRY_AFTER_S
            )
        self._under_way[name] += 1
        try:
            yield
        finally:
            self._under_way[name] -= 1
            if not self._under_way[name]:
                del self._under_way[name]


def presented_by(scope: Scope) -> Presented:
    """Return what a request shows."""
    headers = Headers(scope=scope)
    return Presented(headers.get("authorization", ""), headers.get, origin_of(scope))


def origin_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client: Any = scope.get("client") or ("", 0)
    found: str = scope.get(ORIGIN) or client[0]
    return found
