"""The services that every gRPC server has, health and reflection. Everybody may call them, so there is room for few."""

import inspect
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from stepwell_server.process.unread import peer_at

# Calls under way in one process, of all and of one address: who watches the health of a server needs one.
STANDARD_CALLS_MAX = 1_000
STANDARD_CALLS_OF_ADDRESS_MAX = 100
_TOO_MANY = "too many calls of this service are under way; try again when one has ended"


class StandardCalls:
    """Counts what is under way; one call too many ends with RESOURCE_EXHAUSTED."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()

    def bounded(self, handler: Any) -> Any:
        """Return a handler of the same cardinality that counts."""
        coders = (handler.request_deserializer, handler.response_serializer)
        behavior = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        counted = self._counted(behavior)
        match bool(handler.request_streaming), bool(handler.response_streaming):
            case False, False:
                return grpc.unary_unary_rpc_method_handler(counted, *coders)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(counted, *coders)
            case False, True:
                return grpc.unary_stream_rpc_method_handler(counted, *coders)
            case _:
                return grpc.stream_stream_rpc_method_handler(counted, *coders)

    def _counted(self, behavior: Any) -> Any:
        async def streamed(request: Any, context: Any) -> AsyncIterator[Any]:
            with self._one(context) as has_room:
                if not has_room:
                    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _TOO_MANY)
                async for message in behavior(request, context):
                    yield message

        async def answered(request: Any, context: Any) -> Any:
            with self._one(context) as has_room:
                if not has_room:
                    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _TOO_MANY)
                return await behavior(request, context)

        return streamed if inspect.isasyncgenfunction(behavior) else answered

    @contextmanager
    def _one(self, context: Any) -> Iterator[bool]:
        address, _ = peer_at(context.peer())
        if (
            self._under_way.total() >= STANDARD_CALLS_MAX
            or self._under_way[address] >= STANDARD_CALLS_OF_ADDRESS_MAX
        ):
            yield False
            return
        self._under_way[address] += 1
        try:
            yield True
        finally:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]
