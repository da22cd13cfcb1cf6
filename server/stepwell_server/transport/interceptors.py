"""The one table from errors to gRPC statuses, and the interceptor that applies it to every call of ours.

It also counts and times the calls, and puts the caller's trace on every line that is logged during one.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from stepwell_server.errors import (
    AlreadyExistsError,
    BadPatternError,
    BusyError,
    ExhaustedError,
    InvalidArgumentError,
    InvalidStateError,
    NotFoundError,
    PermissionDeniedError,
    StartupError,
    StepwellError,
    TooMuchError,
    UnauthenticatedError,
    UnavailableError,
)
from stepwell_server.process.collector import forget_what_was_sent
from stepwell_server.process.holding import STALL_S, Holding, peer_of
from stepwell_server.process.logger import bind_fields, get_logger
from stepwell_server.process.quieting import Quieter
from stepwell_server.process.telemetry import CALL_SECONDS, CALLS
from stepwell_server.process.trace_context import trace_fields
from stepwell_server.process.unread import peer_at
from stepwell_server.services.access.calling import Authenticating, Presented, admit
from stepwell_server.transport.on_the_way import hold_until_sent, message_held
from stepwell_server.transport.standard import StandardCalls

# In the trailing metadata. When a call that was refused because a limit is reached may be tried again, says gRPC's own
# word for it (https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback).
ERROR_CODE_KEY = "stepwell-error-code"
RETRY_AFTER_KEY = "grpc-retry-pushback-ms"
OUR_SERVICES = "/stepwell_api."
# Details travel percent-encoded, up to 12 bytes a character, in metadata of which gRPC takes 8 KiB.
DETAILS_CHARS_MAX = 500

T = TypeVar("T")

STATUSES: dict[type[StepwellError], grpc.StatusCode] = {
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    BadPatternError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidArgumentError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidStateError: grpc.StatusCode.FAILED_PRECONDITION,
    PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    BusyError: grpc.StatusCode.UNAVAILABLE,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    TooMuchError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StartupError: grpc.StatusCode.INTERNAL,
    StepwellError: grpc.StatusCode.INTERNAL,
}

_NAMES_BY_NUMBER: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}

log = get_logger(__name__)

_unexpected = Quieter()


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Ends a call that raised with the status of its error.

    Our services are coroutines where the answer is one message, and asynchronous generators where it is a
    stream. Services of others (health, reflection) speak gRPC themselves, and are only counted.
    """

    def __init__(self, holding: Holding, authenticator: Authenticating | None = None) -> None:
        """`authenticator` finds out who calls; None where there are no accounts."""
        self._holding = holding
        self._authenticator = authenticator
        self._standard = StandardCalls()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of the call with translation around it."""
        method: str = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        if not method.startswith(OUR_SERVICES):
            return self._standard.bounded(handler)
        return translated(handler, method, self._holding, self._authenticator)


def translated(
    handler: Any, method: str, holding: Holding, authenticator: Authenticating | None = None
) -> Any:
    """Return a handler of the same cardinality that ends calls with the status of their error, and counts them.

    With an `authenticator`, it is found out first who calls; the HTTP door does that by itself.
    """
    coders = {
        "request_deserializer": _parser(handler.request_deserializer),
        "response_serializer": handler.response_serializer,
    }
    match bool(handler.request_streaming), bool(handler.response_streaming):
        case False, False:
            return grpc.unary_unary_rpc_method_handler(
                _answer(handler.unary_unary, method, holding, authenticator), **coders
            )
        case True, False:
            return grpc.stream_unary_rpc_method_handler(
                _answer(handler.stream_unary, method, holding, authenticator), **coders
            )
        case False, True:
            return grpc.unary_stream_rpc_method_handler(
                _stream(handler.unary_stream, method, holding, authenticator), **coders
            )
        case _:
            return grpc.stream_stream_rpc_method_handler(
                _stream(handler.stream_stream, method, holding, authenticator), **coders
            )


def _answer(behavior: Any, method: str, holding: Holding, authenticator: Authenticating | None) -> Any:
    async def answer(request: Any, context: Any) -> Any:
        with _observed(context, method):
            try:
                peer = peer_of(context.peer())
                with holding.call(peer):
                    if authenticator is not None:
                        await admit(authenticator, presented_by(context))
                    async with message_held(holding, peer, request):
                        response = await behavior(_arrived(request, context, holding), context)
                    await hold_until_sent(holding, peer, response)
                    return response
            except Exception as error:  # noqa: BLE001 - the boundary: nothing slips past
                return await _abort(context, error, method)

    return answer


def _stream(behavior: Any, method: str, holding: Holding, authenticator: Authenticating | None) -> Any:
    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        with _observed(context, method):
            try:
                peer = peer_of(context.peer())
                with holding.call(peer):
                    if authenticator is not None:
                        await admit(authenticator, presented_by(context))
                    with holding.stream(peer):
                        async with message_held(holding, peer, request):
                            requests = _arrived(request, context, holding)
                            async for message in unless_stalled(behavior(requests, context)):
                                yield message
            except Exception as error:  # noqa: BLE001 - the boundary: nothing slips past
                await _abort(context, error, method)

    return stream


def presented_by(context: Any) -> Presented:
    """Return what a caller shows."""
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    address, _ = peer_at(context.peer())
    # What is carried from the port of HTTP comes from this machine.
    origin = "127.0.0.1" if address.startswith("unix:") else address
    return Presented(metadata.get("authorization", ""), metadata.get, origin)


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands for a message that could not be parsed, of so many bytes."""

    reason: str
    size: int


def _parser(parse: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return a parser that does not raise: gRPC would log each time, and answer with an internal error.

    None, of those who take bytes as they are, stays None.
    """
    if parse is None:
        return None

    def parsed(message: bytes) -> Any:
        try:
            return parse(message)
        except (DecodeError, ValueError, TypeError) as error:
            return Malformed(f"the message cannot be read: {str(error)[:100]}", len(message))

    return parsed


def _arrived(request: Any, context: Any, holding: Holding) -> Any:
    """Return a request, or the requests of a stream, counted. Raises InvalidArgumentError for what is malformed."""
    if isinstance(request, AsyncIterator):
        return _all_arrived(request, context, holding)
    holding.unread.arrived(context.peer(), _size_of(request))
    if isinstance(request, Malformed):
        raise InvalidArgumentError(request.reason)
    return request


async def _all_arrived(requests: AsyncIterator[Any], context: Any, holding: Holding) -> AsyncIterator[Any]:
    async for request in requests:
        yield _arrived(request, context, holding)


def _size_of(request: Any) -> int:
    if isinstance(request, Message):
        return request.ByteSize()
    return request.size if isinstance(request, Malformed) else len(request)


async def unless_stalled(messages: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield messages; a caller who does not take one for STALL_S ends the call, and what is held for it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    async for message in messages:
        timer = loop.call_later(STALL_S, task.cancel)
        try:
            yield message
        finally:
            timer.cancel()


@contextmanager
def _observed(context: Any, method: str) -> Iterator[None]:
    """Count, time and log a call. The log's fields need no removal: each call runs in a context of its own."""
    started = time.perf_counter()
    bind_fields(**trace_fields(context.invocation_metadata()))
    try:
        yield
    finally:
        seconds = time.perf_counter() - started
        status = "CANCELLED" if context.cancelled() else _status_name(context.code())
        CALLS.labels(method, status).inc()
        CALL_SECONDS.labels(method).observe(seconds)
        log.debug("call", method=method, status=status, seconds=round(seconds, 6))


def _status_name(code: grpc.StatusCode | int | None) -> str:
    """What a call ended with; nothing set is OK."""
    if isinstance(code, int):
        return _NAMES_BY_NUMBER.get(code, "UNKNOWN")
    return code.name if code else "OK"


async def _abort(context: Any, error: Exception, method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):  # the call was ended already
        raise error
    if isinstance(error, StepwellError):
        status, error_code, text = status_of(error), error.error_code, str(error)
    else:
        error_id = secrets.token_hex(4)
        left_out = _unexpected.left_out(f"{method} {type(error).__name__}")
        if left_out is not None:
            log.error("unexpected error", error_id=error_id, method=method, left_out=left_out, exc_info=error)
        status, error_code = grpc.StatusCode.INTERNAL, StepwellError.error_code
        text = f"internal error {error_id}; the server's log says more"
    forget_what_was_sent(error)
    trailing = [(ERROR_CODE_KEY, error_code)]
    if isinstance(error, StepwellError) and error.retry_after_s is not None:
        trailing.append((RETRY_AFTER_KEY, str(round(error.retry_after_s * 1000))))
    await context.abort(status, text[:DETAILS_CHARS_MAX], tuple(trailing))


def status_of(error: StepwellError) -> grpc.StatusCode:
    """Return the gRPC status for an error: its own, or that of the nearest class above it."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
