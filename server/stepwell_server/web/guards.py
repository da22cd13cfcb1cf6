"""What stands before every route, outermost first. Each is an ASGI application around another.

Answered     headers that every answer has; an error that nobody caught becomes an answer
Hosts        Host and Origin
Browsers     what a browser shows, and whether our own page sent it (web/signing_in/browsers.py)
Crowded      so many requests at once
Admission    who calls (web/admission.py)
Bodies       size and pace of what is sent
Answers      size of what is answered (web/room.py)
"""

import asyncio
import time
from collections.abc import Iterable, Set
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stepwell_server.config import HttpLimits
from stepwell_server.process.holding import HTTP_PEER, Held, Holding
from stepwell_server.process.logger import bind_fields, get_logger
from stepwell_server.process.telemetry import HTTP_REQUESTS, HTTP_SECONDS
from stepwell_server.process.trace_context import TRACEPARENT, trace_fields
from stepwell_server.web.errors import RefusedError, answer_to
from stepwell_server.web.hosts import AllowedHosts, AllowedOrigins

# What browsers may do with any answer of ours. Framing: our own page shows artifacts in sandboxed frames.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "frame-ancestors 'self'",
}
# A browser sends these from any page without asking first, and they change nothing here.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Whoever looks whether the server lives names it by whatever it has. So does Stepwell's client, which is no browser,
# and only asks where gRPC is.
OPEN_PATHS = frozenset({"/health", "/api/stepwell/v1/server"})

# Of each body: not counted, as most have no more; counted at a time; and held of one that streams.
FREE_BODY_BYTES = 64 * 2**10
BODY_BLOCK_BYTES = 2**20
STREAMED_BODY_BYTES = 4 * 2**20

log = get_logger(__name__)

_BODY_LIMIT = "stepwell.body_bytes_max"


def path_below(scope: Scope) -> str:
    """Return the path without the static prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def lift_body_limit(scope: Scope, bytes_max: int | None) -> None:
    """Let the body of this request be larger, or endless (None): for routes that stream it. Call it before reading."""
    scope[_BODY_LIMIT] = bytes_max


class Answered:
    """Adds the headers, turns what was raised into an answer, if none was begun, and counts."""

    def __init__(self, app: ASGIApp, headers: Iterable[tuple[str, str]]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through."""
        scope["app"] = self  # without one, Starlette answers in plain text what it raises otherwise
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name for name, _ in message["headers"]}
                more = [header for header in self._headers if header[0] not in there]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        started = time.perf_counter()
        _bind_trace(scope)
        try:
            await self._app(scope, receive, send_marked)
        except Exception as error:
            answer = answer_to(error, scope["path"])
            if status:  # uvicorn hangs up, so that nobody takes what came for the whole
                raise
            await answer(scope, receive, send_marked)
        finally:
            _count(scope, status, time.perf_counter() - started)


def _bind_trace(scope: Scope) -> None:
    """Put the caller's trace on every line that is logged meanwhile: each request runs in a context of its own."""
    traced = Headers(scope=scope).get(TRACEPARENT)
    if traced:
        bind_fields(**trace_fields([(TRACEPARENT, traced)]))


def _count(scope: Scope, status: int, seconds: float) -> None:
    """Count and time a request by its route; 0 stands for a client that did not wait for the answer."""
    route = getattr(scope.get("route"), "path", "none")
    HTTP_REQUESTS.labels(scope["method"], route, status).inc()
    HTTP_SECONDS.labels(route).observe(seconds)
    log.debug("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 6))


class Hosts:
    """Refuses names that are not this server's, and pages of others that want to change something."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts, origins: AllowedOrigins) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, unless it is refused."""
        if path_below(scope) not in OPEN_PATHS:
            self._check(scope, Headers(scope=scope))
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        named = headers.getlist("host")
        if len(named) > 1 or (not named and scope["http_version"] != "1.0"):
            raise RefusedError(400, "a request has exactly one Host header")
        host = named[0] if named else ""
        if host and host not in self._hosts:
            raise RefusedError(
                403, f"{host[:100]!r} is not a name of this server; start it with --allowed-hosts to add one"
            )
        origin = headers.get("origin")
        if origin and scope["method"] not in SAFE_METHODS and not self._origins.allows(origin, host):
            raise RefusedError(
                403,
                f"pages of {origin[:100]!r} may not change anything here; start the server with --allowed-origins "
                "to let them",
            )


class Crowded:
    """Refuses what would be more requests at once than `requests_max`, or than `open_requests_max` for `open_paths`.

    So whoever is not known, and is slow, keeps nobody out who is known.
    """

    def __init__(self, app: ASGIApp, limits: HttpLimits, open_paths: Set[str]) -> None:
        self._app = app
        self._limits = limits
        self._open_paths = open_paths
        self._under_way = self._open_under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, unless it is one too many."""
        path = path_below(scope)
        is_open = path in self._open_paths
        if path not in OPEN_PATHS:
            self._check(is_open)
        self._under_way += 1
        self._open_under_way += is_open
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
            self._open_under_way -= is_open

    def _check(self, is_open: bool) -> None:
        most = self._limits.requests_max
        if self._under_way >= most:
            raise RefusedError(503, f"{most} requests are under way; try again in a second")
        most = self._limits.open_requests_max
        if is_open and self._open_under_way >= most:
            raise RefusedError(503, f"{most} requests of this kind are under way; try again in a second")


class Bodies:
    """Refuses bodies that are too large, and those that come too slowly. Only waiting counts as slow.

    What they hold together is counted in the server's budget.
    """

    def __init__(self, app: ASGIApp, limits: HttpLimits, holding: Holding) -> None:
        self._app = app
        self._limits = limits
        self._holding = holding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, with a guarded body."""
        scope[_BODY_LIMIT] = self._limits.body_bytes_max
        body = Body(scope, receive, self._limits, self._holding)
        try:
            await self._app(scope, body, send)
        finally:
            body.give_back()


class Body:
    """The `receive` of one request."""

    def __init__(self, scope: Scope, receive: Receive, limits: HttpLimits, holding: Holding) -> None:
        self._holding = holding
        self._held: list[Held] = []
        self._room = FREE_BODY_BYTES
        self._scope = scope
        self._receive = receive
        self._limits = limits
        self._bytes = 0
        self._waited_s = 0.0
        self._ended = False

    async def __call__(self) -> Message:
        """Receive the next piece."""
        if self._ended:  # what may still come is that the client goes away
            return await self._receive()
        if not self._bytes:
            self._require_room(_content_length(self._scope))
        message = await self._next()
        self._bytes += len(message.get("body", b""))
        self._require_room(self._bytes)
        self._hold()
        self._ended = not message.get("more_body", False)
        return message

    def give_back(self) -> None:
        """End what the request holds."""
        for held in self._held:
            held.give_back()

    def _hold(self) -> None:
        """Count what was received; raises ExhaustedError. A body that streams holds some pieces of it."""
        streams = self._scope[_BODY_LIMIT] is None
        wanted = min(self._bytes, STREAMED_BODY_BYTES) if streams else self._bytes
        while wanted > self._room:
            self._held.append(self._holding.hold_now(HTTP_PEER, BODY_BLOCK_BYTES))
            self._room += BODY_BLOCK_BYTES

    def _require_room(self, size: int) -> None:
        bytes_max: int | None = self._scope[_BODY_LIMIT]
        if bytes_max is not None and size > bytes_max:
            raise RefusedError(
                413, f"a body may have {bytes_max} bytes at most here; send less in one request"
            )

    async def _next(self) -> Message:
        """Wait for the next piece; a client may be as slow as `bytes_per_s_min` on the whole."""
        patience_s = self._limits.stall_s + self._bytes / self._limits.bytes_per_s_min - self._waited_s
        started = time.monotonic()
        try:
            async with asyncio.timeout(min(patience_s, self._limits.stall_s)):
                return await self._receive()
        except TimeoutError:
            raise RefusedError(
                408, f"the body stopped coming after {self._bytes} bytes; send the request again"
            ) from None
        finally:
            self._waited_s += time.monotonic() - started


def _content_length(scope: Scope) -> int:
    found: Any = Headers(scope=scope).get("content-length", "0")
    return int(found) if found.isdigit() else 0  # the parser has refused anything else
