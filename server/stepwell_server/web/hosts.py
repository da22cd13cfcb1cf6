"""Who may be meant by a request, and which pages may send it.

A page of another site can make a browser send requests to this server, and, by a name that it points here (DNS
rebinding), also read the answers. The name in the Host header gives that away. Addresses cannot be pointed elsewhere.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from stepwell_server.config import is_address, is_loopback

ANY = "*"
FULL_NAME_S = 2.0


async def own_names(host: str) -> list[str]:
    """Return the names by which this machine, listening on `host`, is known to itself.

    Its full name is asked for only where others can reach it, because name servers may let one wait.
    """
    names = ["localhost", "*.localhost", host, socket.gethostname()]
    if not is_loopback(host):
        with suppress(TimeoutError):
            async with asyncio.timeout(FULL_NAME_S):
                names.append(await asyncio.to_thread(socket.getfqdn))
    return names


def name_of(host: str) -> str:
    """Return the name or address in a Host header, without the port."""
    if host.startswith("["):
        return host.partition("]")[0][1:].lower()
    return host.partition(":")[0].rstrip(".").lower()


def port_of(host: str) -> str:
    """Return the port in a Host header, "" for none."""
    return host.rpartition("]")[2].partition(":")[2]


class AllowedHosts:
    """Names are compared without port and case; `*` stands for all, `*.example.org` for all below."""

    def __init__(self, names: Sequence[str]) -> None:
        self._any = ANY in names
        known = [name_of(name) for name in names if name and name != ANY]
        self._names = frozenset(name for name in known if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in known if name.startswith("*."))

    def __contains__(self, host: str) -> bool:
        name = name_of(host)
        return self._any or name in self._names or name.endswith(self._suffixes) or is_address(name)


class AllowedOrigins:
    """Which pages may send what changes something: those of this server, and those that were named."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = ANY in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def allows(self, origin: str, host: str) -> bool:
        """Tell it of a page at `origin`, when the request is for `host`."""
        return self._any or origin.lower() in self._origins or urlsplit(origin).netloc.lower() == host.lower()
