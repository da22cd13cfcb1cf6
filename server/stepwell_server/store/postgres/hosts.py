"""Connections to a PostgreSQL that may be at one of several hosts, and that may go away without a word."""

import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

PORT = 5_432
# Of several hosts, one that does not answer is passed over after so long.
HOST_TIMEOUT_S = 3.0
# A machine that is gone says nothing: a connection on which it acknowledges nothing is given up after 20 s, also one
# on which nothing is under way.
SILENCE_S = 20
_PROBES = 4
_OPTIONS = {
    "TCP_KEEPIDLE": SILENCE_S // 2,
    "TCP_KEEPINTVL": SILENCE_S // 2 // _PROBES,
    "TCP_KEEPCNT": _PROBES,
    "TCP_USER_TIMEOUT": SILENCE_S * 1_000,
}

Connect = Callable[..., Awaitable[Any]]


class Hosts:
    """The hosts that a URL names, and the order in which they are asked: first the one that answered last.

    Of several, the one that takes writes is meant, unless the URL (`target_session_attrs`) says otherwise.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._places = _places(url)
        self._first = 0
        query = parse_qs(urlsplit(url).query)
        is_said = "target_session_attrs" in query or "PGTARGETSESSIONATTRS" in os.environ
        self._wanted = {} if is_said else {"target_session_attrs": "read-write"}

    async def connect(self, *_: Any, **named: Any) -> Any:
        """Connect as `asyncpg.connect` does, which takes these arguments. Raises what the last host came to."""
        if len(self._places) < 2:
            return watched(await asyncpg.connect(self._url, **named))
        named["timeout"] = HOST_TIMEOUT_S
        for left in range(len(self._places) - 1, -1, -1):
            host, port = self._places[self._first]
            try:
                found = await asyncpg.connect(self._url, host=host, port=port, **self._wanted, **named)
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched):
                self._first = (self._first + 1) % len(self._places)
                if not left:
                    raise
            else:
                return watched(found)
        raise AssertionError("there is a host")


def watched(connection: Any) -> Any:
    """Return a connection of which the system notices that the other machine is gone."""
    # asyncpg has no public way to the socket.
    opened = connection._transport.get_extra_info("socket")
    if opened is not None and opened.family != getattr(socket, "AF_UNIX", None):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS.items():
            if hasattr(socket, name):  # not every system has all of them
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _places(url: str) -> list[tuple[str, int]]:
    """Return the hosts of a URL, before its path or in its query, each with its port."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    named = ",".join([parts.netloc.rpartition("@")[2], *query.get("host", ())])
    places = [_place(it) for it in named.split(",") if it]
    ports = [int(it) for it in ",".join(query.get("port", ())).split(",") if it] or [PORT]
    if len(ports) < len(places):
        ports = ports[:1] * len(places)  # one port is that of all
    return [(host, port or its) for (host, port), its in zip(places, ports, strict=False)]


def _place(text: str) -> tuple[str, int | None]:
    """Take host:port apart; a folder of a socket has none, an IPv6 address is in brackets."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest else None
    host, _, port = (text, "", "") if text.startswith("/") else text.partition(":")
    return host, int(port) if port else None
