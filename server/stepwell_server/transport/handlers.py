"""The handlers that gRPC has, for another protocol that speaks the same messages.

Generated code adds servicers to a server; a recorder that looks like one to that code collects what it is given.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell_server.process.holding import Holding
from stepwell_server.transport.interceptors import translated
from stepwell_server.transport.server import Registration


@dataclass(frozen=True, slots=True)
class Handler:
    """One method.

    `behavior` takes what `parse` returns (or a stream of them) and a context; what it returns or yields is for
    `serialize`. It raises what the context raises when it is asked to abort.
    """

    service: str
    method: str
    requests_stream: bool
    responses_stream: bool
    behavior: Callable[[Any, Any], Any]
    parse: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]

    @property
    def path(self) -> str:
        """Its address, in gRPC and Connect."""
        return f"/{self.service}/{self.method}"


def collect(registrations: Sequence[Registration], holding: Holding) -> Mapping[str, Handler]:
    """Return the handlers of all services by their path."""
    recorder = _Recorder(holding)
    for register in registrations:
        register(recorder)
    return {handler.path: handler for handler in recorder.handlers}


class _Recorder:
    """A server, as far as registrations are concerned."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self.handlers: list[Handler] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Ignore these: the same handlers come registered, too."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Take the handlers of a service; those that come later replace earlier ones, as in gRPC."""
        for method, handler in handlers.items():
            rebuilt = translated(handler, f"/{service}/{method}", self._holding)
            self.handlers.append(
                Handler(
                    service,
                    method,
                    bool(rebuilt.request_streaming),
                    bool(rebuilt.response_streaming),
                    _behavior(rebuilt),
                    rebuilt.request_deserializer,
                    rebuilt.response_serializer,
                )
            )


def _behavior(handler: Any) -> Callable[[Any, Any], Awaitable[Any]]:
    behavior: Callable[[Any, Any], Awaitable[Any]] = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    return behavior
