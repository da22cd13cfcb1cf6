"""What came on gRPC's connections and is in no message that anybody got: parts of messages, and streams' windows.

gRPC bounds it for each call alone (RECEIVE_BYTES_MAX for a message, STREAM_WINDOW_BYTES behind it), tells of none how
much it is, and takes no limit for all of them. The kernel knows how much came on a connection, and we know the messages
that came out of it. Where all that is between is too much, connections are cut off, those of the address that has most
first, which frees it at once; clients come again.

What came for calls that were refused counts too, although it is gone. So it may seem to be more than this process has
in memory; then all counts begin anew.

Connections are counted here, too: gRPC would let in as many as there are files, whether they say anything or not.
"""

import asyncio
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from stepwell_server.process.limits import return_free_memory
from stepwell_server.process.logger import get_logger
from stepwell_server.process.rounds import Rounds
from stepwell_server.process.telemetry import CONNECTIONS_CUT, UNREAD_BYTES

# From look to look; less often where a look takes longer than a twentieth of it, as with thousands of connections.
LOOK_S = 0.25
LOOK_SHARE_MAX = 0.05
# What a message takes beside its bytes, at most: its head, that of a call, those of frames and of TLS's records.
MESSAGE_HEAD_BYTES = 256
FRAME_BYTES = 16_384
FRAME_HEAD_BYTES = 40
# In the log, of those whose connections were cut.
ADDRESSES_TOLD_MAX = 20
# Where the 64 bits are that say how much came, in the kernel's `struct tcp_info`.
_RECEIVED_AT = 128
_DESCRIPTORS = Path("/proc/self/fd")
_INTERNET = (socket.AF_INET, socket.AF_INET6)

# Address without and with its port.
Peer = tuple[str, int]

log = get_logger(__name__)


class Unread(Rounds):
    """Looks four times a second, on Linux; elsewhere nothing tells how much came."""

    name = "unread"

    def __init__(self, bytes_max: int, connections_max: int) -> None:
        super().__init__(LOOK_S)
        self._bytes_max = bytes_max
        self._connections_max = connections_max
        self._port = 0
        self._arrived: Counter[Peer] = Counter()

    def of_port(self, port: int) -> Self:
        """Return this, to be used as a context, for where gRPC listens."""
        self._port = port
        return self

    def arrived(self, address: str, size: int) -> None:
        """Count a message that somebody got; `address` is gRPC's word for who sent it."""
        self._arrived[peer_at(address)] += (
            size + MESSAGE_HEAD_BYTES + FRAME_HEAD_BYTES * (size // FRAME_BYTES)
        )

    async def round(self) -> None:
        """Look, and cut off what is too much."""
        known, began = set(self._arrived), time.monotonic()
        received = await asyncio.to_thread(_received, self._port)
        self._pause_s = max(LOOK_S, (time.monotonic() - began) / LOOK_SHARE_MAX)
        for gone in known - received.keys():
            del self._arrived[gone]
        unread = {peer: count - self._arrived[peer] for peer, count in received.items()}
        seems_more = sum(unread.values()) > self._bytes_max > resident_bytes()
        for peer, count in unread.items():
            if count < 0 or seems_more:
                self._arrived[peer] = received[peer]
                unread[peer] = 0
        UNREAD_BYTES.set(sum(unread.values()))
        if too_many := crowding(received, self._arrived, self._connections_max):
            await self._cut(too_many, unread, "there are too many")
        if too_much := chosen(unread, self._bytes_max):
            await self._cut(too_much, unread, "what came on them is in no message yet, and too much")
            await asyncio.sleep(LOOK_S)  # gRPC lets go of it
            await asyncio.to_thread(return_free_memory)

    async def _cut(self, peers: Sequence[Peer], unread: Mapping[Peer, int], reason: str) -> None:
        CONNECTIONS_CUT.inc(len(peers))
        log.warning(
            "connections are cut off",
            reason=reason,
            addresses=sorted({host for host, _ in peers})[:ADDRESSES_TOLD_MAX],
            connections=len(peers),
            bytes=sum(unread[peer] for peer in peers),
        )
        await asyncio.to_thread(_cut_off, self._port, frozenset(peers))


def crowding(peers: Collection[Peer], spoke: Collection[Peer], connections_max: int) -> Sequence[Peer]:
    """Return which connections to cut off so that no more than `connections_max` are left.

    Those of the address that has most at the time; of them, first those on which nobody said anything yet.
    """
    of_host: dict[str, list[Peer]] = {}
    for peer in sorted(peers, key=lambda peer: peer not in spoke):
        of_host.setdefault(peer[0], []).append(peer)
    found: list[Peer] = []
    while len(peers) - len(found) > connections_max:
        most = max(of_host.values(), key=len)
        found.append(most.pop())
    return found


def chosen(unread: Mapping[Peer, int], bytes_max: int) -> Sequence[Peer]:
    """Return which connections to cut off so that no more than `bytes_max` are left; of whom has most, the largest."""
    total = sum(unread.values())
    of_host: Counter[str] = Counter()
    for (host, _), count in unread.items():
        of_host[host] += count
    found: list[Peer] = []
    for peer in sorted(unread, key=lambda peer: (of_host[peer[0]], unread[peer]), reverse=True):
        if total <= bytes_max:
            break
        total -= unread[peer]
        found.append(peer)
    return found


@lru_cache(4_096)
def peer_at(address: str) -> Peer:
    """Return who `ipv4:10.0.0.7:53312` is, or `ipv6:%5B::1%5D:53312`."""
    host, _, port = unquote(address).partition(":")[2].rpartition(":")
    with suppress(ValueError):
        return _plain(host.strip("[]")), int(port)
    return address, 0


def _plain(host: str) -> str:
    found = ip_address(host.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def resident_bytes() -> int:
    """Return how much memory this process has; 0 where that is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _received(port: int) -> dict[Peer, int]:
    """Return how much gRPC took from each connection to a port of this process."""
    return {peer: _taken_from(connection) for peer, connection in _connections(port)}


def _taken_from(connection: socket.socket) -> int:
    """Return what came on a connection and is not in the kernel any more."""
    import fcntl  # Windows has none
    import termios

    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED_AT + 8)
    (count,) = struct.unpack_from("=Q", info, _RECEIVED_AT)
    (waiting,) = struct.unpack("=i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))
    return int(count - waiting)


def _cut_off(port: int, peers: frozenset[Peer]) -> None:
    for peer, connection in _connections(port):
        if peer in peers:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _connections(port: int) -> Iterator[tuple[Peer, socket.socket]]:
    """Yield the connections to a port, open while they are looked at; they are gRPC's, which does not show them."""
    if not _DESCRIPTORS.exists():
        return
    for descriptor in _DESCRIPTORS.iterdir():
        with suppress(OSError), _duplicate(int(descriptor.name)) as connection:
            if connection.family in _INTERNET and connection.getsockname()[1] == port:
                host, number, *_ = connection.getpeername()
                yield (_plain(host), number), connection


def _duplicate(descriptor: int) -> socket.socket:
    """Return a socket of its own for one that is open; raises OSError for what is none."""
    duplicate = os.dup(descriptor)
    try:
        return socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise
