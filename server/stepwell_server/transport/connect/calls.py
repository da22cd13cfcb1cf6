"""Calls of the Connect protocol by the library for it. See `connect.py`, which loads this when the first one comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NoReturn

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stepwell_server.config import RECEIVE_BYTES_MAX
from stepwell_server.errors import ExhaustedError
from stepwell_server.process.holding import HTTP_PEER
from stepwell_server.transport.handlers import Handler

# gRPC's statuses and Connect's codes are the same list, but for one spelling.
_CODES: Mapping[grpc.StatusCode, Code] = {
    status: Code(status.name.lower().replace("cancelled", "canceled"))
    for status in grpc.StatusCode
    if status is not grpc.StatusCode.OK
}
_CODES_OF_GUARDS = {413: Code.RESOURCE_EXHAUSTED, 408: Code.DEADLINE_EXCEEDED}


def application(handlers: Sequence[Handler]) -> ASGIApp:
    """Return what answers the calls of these handlers, each at its path."""
    return _Application({handler.path: _endpoint(handler) for handler in handlers})


class _Application(ConnectASGIApplication[None]):
    """The library's application. It never compresses: columns shrink little, and gzip takes ten times the rest."""

    def __init__(self, endpoints: Mapping[str, Any]) -> None:
        super().__init__(
            service=None,
            endpoints=lambda _: endpoints,
            read_max_bytes=RECEIVE_BYTES_MAX,
            compressions=(),
            codecs=[_Coded()],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        await super().__call__(scope, _translated(receive), send)

    @property
    def path(self) -> str:
        return ""


class _Coded:
    """The library's codec: requests by the parser that stands in the place of their class, answers as they come."""

    def name(self) -> str:
        return "proto"

    def encode(self, message: bytes) -> bytes:
        return message

    def decode(self, data: bytes | bytearray, message_class: Any) -> Any:
        return message_class(bytes(data))


def _translated(receive: Receive) -> Receive:
    """Let the door's guards refuse a body in the protocol's words."""

    async def receive_guarded() -> Message:
        try:
            return await receive()
        except HTTPException as error:
            code = _CODES_OF_GUARDS.get(error.status_code, Code.UNKNOWN)
            raise ConnectError(code, error.detail) from None
        except ExhaustedError as error:
            raise ConnectError(Code.RESOURCE_EXHAUSTED, str(error)) from None

    return receive_guarded


class CallContext:
    """What handlers see of a call, as gRPC's context is."""

    def __init__(self, request: RequestContext[Any, Any]) -> None:
        self._request = request
        self._code: grpc.StatusCode | None = None

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """Return the headers."""
        return list(self._request.request_headers.allitems())

    def peer(self) -> str:
        """Return who calls: everybody who comes through the door is one, because proxies are."""
        return HTTP_PEER

    def code(self) -> grpc.StatusCode | None:
        """Return what the call was ended with, if it was."""
        return self._code

    def cancelled(self) -> bool:
        """Tell whether nobody waits for the answer: the client went away, or its deadline has passed."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: Sequence[tuple[str, str]] = ()
    ) -> NoReturn:
        """End the call with an error."""
        self._code = code
        for name, value in trailing_metadata:
            self._request.response_trailers.add(name, value)
        raise ConnectError(_CODES[code], details)


def _endpoint(handler: Handler) -> Endpoint[Any, Any]:
    method: MethodInfo[Any, Any] = MethodInfo(
        name=handler.method,
        service_name=handler.service,
        input=handler.parse,  # type: ignore[arg-type]  # see _Coded
        output=bytes,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if handler.responses_stream else StreamType.UNARY,
    )
    if handler.responses_stream:
        return Endpoint.server_stream(method, _stream(handler))
    return Endpoint.unary(method, _answer(handler))


def _answer(handler: Handler) -> Callable[[Any, RequestContext[Any, Any]], Any]:
    async def answer(request: Any, context: RequestContext[Any, Any]) -> bytes:
        return handler.serialize(await handler.behavior(request, CallContext(context)))

    return answer


def _stream(handler: Handler) -> Callable[[Any, RequestContext[Any, Any]], AsyncIterator[bytes]]:
    async def stream(request: Any, context: RequestContext[Any, Any]) -> AsyncIterator[bytes]:
        messages = handler.behavior(request, CallContext(context))
        try:
            async for message in messages:
                yield handler.serialize(message)
        finally:
            await messages.aclose()

    return stream
