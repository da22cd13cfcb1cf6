"""The Connect protocol (https://connectrpc.com/docs/protocol) over the handlers that gRPC has, for browsers and others.

    POST /stepwell_api.v1.SeriesService/SampleSeries    content-type: application/connect+proto

Unary calls and streams of answers, in binary. What streams requests needs HTTP/2: that is gRPC's.
"""

import asyncio
from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stepwell_server.transport.handlers import Handler

UNARY_TYPE = "application/proto"
STREAM_TYPE = "application/connect+proto"


def connect_routes(handlers: Mapping[str, Handler]) -> list[BaseRoute]:
    """Return a route for each method that Connect can carry."""
    carried = [handler for handler in handlers.values() if not handler.requests_stream]
    calls = _Calls(carried)
    return [
        Route(
            handler.path,
            _Checked(calls, STREAM_TYPE if handler.responses_stream else UNARY_TYPE),
            methods=["POST"],
        )
        for handler in carried
    ]


class _Calls:
    """Answers calls by the library, which is loaded when the first one comes.

    It takes 7 MiB, which a server that nobody calls so keeps for other things.
    """

    def __init__(self, handlers: Sequence[Handler]) -> None:
        self._handlers = handlers
        self._loading: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_load, self._handlers))
        application = await asyncio.shield(self._loading)
        await application(scope, receive, send)


def _load(handlers: Sequence[Handler]) -> ASGIApp:
    from stepwell_server.transport.connect.calls import application

    return application(handlers)


class _Checked:
    """Lets the one content type through, which no page of another site can send without asking."""

    def __init__(self, calls: ASGIApp, content_type: str) -> None:
        self._calls = calls
        self._content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The library decodes every header as UTF-8.
        headers = [(name, value) for name, value in scope["headers"] if name.isascii() and value.isascii()]
        found = dict(headers).get(b"content-type", b"").decode().partition(";")[0].strip().lower()
        if found != self._content_type:
            raise HTTPException(415, f"the content type here is {self._content_type}, not {found[:100]!r}")
        await self._calls({**scope, "headers": headers}, receive, send)
