"""TCP ports: looked at before they are used, held for others, and opened."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from stepwell_server.errors import StartupError

# Connections that wait to be accepted, at most; further ones are tried again by their kernels.
BACKLOG_MAX = 1_024
# A name may have addresses that this machine does not: `localhost` has one of IPv6, which containers often lack.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def require_bindable(host: str, port: int, option: str = "--grpc-port") -> None:
    """Try the address before others do; gRPC does not say why it fails. `option` is what chooses another port.

    Raises:
        StartupError: the address cannot be listened on.
    """
    for opened in listening_sockets(host, port, option):
        opened.close()


def listening_sockets(host: str, port: int, option: str, *, shares_port: bool = False) -> list[socket.socket]:
    """Listen on every address that a name has, on one port; 0 takes any free one.

    Raises:
        StartupError: the address cannot be listened on.
    """
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            bound = opened[0].getsockname()[1] if opened else port
            try:
                opened.append(
                    _listening(family, kind, protocol, (address[0], bound, *address[2:]), shares_port)
                )
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
        if missing is not None and not opened:
            raise missing
    except OSError as error:
        for each in opened:
            each.close()
        raise StartupError(
            f"cannot listen on {host} port {port}: {error.strerror or error};"
            f" stop what uses it, or choose another {option} (0 takes a free one)"
        ) from error
    return opened


def _listening(
    family: int, kind: int, protocol: int, address: tuple[object, ...], shares_port: bool
) -> socket.socket:
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
        opened.listen(BACKLOG_MAX)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[int]:
    """Hold the port without listening on it, so that no other server takes it while workers come and go.

    Raises:
        StartupError: this system has no SO_REUSEPORT.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise StartupError("this system cannot share a port among processes; use --workers 1")
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
        yield held.getsockname()[1]
