"""The head of an answer waits for the first piece of its body, so that both go out at once.

uvicorn writes them one after the other: two calls of the kernel, and a client that is woken up for each.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def join_head(cycle: RequestResponseCycle) -> None:
    """Let the head of this answer wait, unless it is one without a body."""
    if cycle.scope["method"] != "HEAD":
        cycle.transport = _WithHead(cycle)  # type: ignore[assignment]  # it is all that a cycle needs of one


class _WithHead:
    """The transport of one answer, until its body begins or it ends without one.

    Then it makes way for the connection's own: two that hold each other would stay until Python looks for such.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport: asyncio.Transport = cycle.transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write; what comes before the head is a word that a body may come."""
        if not self._cycle.response_started:
            self._transport.write(data)
        elif not self._head:
            self._head = data
        else:
            self._make_way()
            self._transport.write(self._head + data)

    def close(self) -> None:
        """Close, behind a head that got no body."""
        self._make_way()
        if self._head:
            self._transport.write(self._head)
        self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or is being closed."""
        return self._transport.is_closing()

    def _make_way(self) -> None:
        self._cycle.transport = self._transport
