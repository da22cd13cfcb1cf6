"""A channel whose calls say who makes them. Interceptors of gRPC would hand on each message of a stream."""

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio


class ShowingChannel:
    """A channel as generated code uses it.

    `authorization` is asked with each call what to show, None for nothing, unless the call itself says it.
    """

    def __init__(self, channel: grpc.aio.Channel, authorization: Callable[[], str | None]) -> None:
        self._channel = channel
        self._authorization = authorization
        # What is done to the channel itself.
        self.close = channel.close
        self.get_state = channel.get_state
        self.channel_ready = channel.channel_ready

    def unary_unary(self, *arguments: Any, **keywords: Any) -> Any:
        """See `grpc.aio.Channel`, as those below."""
        return self._showing(self._channel.unary_unary(*arguments, **keywords))

    def unary_stream(self, *arguments: Any, **keywords: Any) -> Any:
        """One message there, many back."""
        return self._showing(self._channel.unary_stream(*arguments, **keywords))

    def stream_unary(self, *arguments: Any, **keywords: Any) -> Any:
        """Many messages there, one back."""
        return self._showing(self._channel.stream_unary(*arguments, **keywords))

    def stream_stream(self, *arguments: Any, **keywords: Any) -> Any:
        """Many messages there, many back."""
        return self._showing(self._channel.stream_stream(*arguments, **keywords))

    def _showing(self, multicallable: Any) -> Any:
        def call(*arguments: Any, **keywords: Any) -> Any:
            given = keywords.get("metadata") or ()
            shown = None if any(name == "authorization" for name, _ in given) else self._authorization()
            if shown is not None:
                keywords["metadata"] = (*given, ("authorization", shown))
            return multicallable(*arguments, **keywords)

        return call
