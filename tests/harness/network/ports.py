"""Ports for servers of tests that are told where to listen, or come back to where they were."""

import secrets
import socket
from contextlib import suppress

# Below those that Linux and others give away by themselves.
PORTS = range(12_000, 32_000)


def free_port() -> int:
    """Return a port that nobody listens on, nor is given by the kernel to who asks for any, or calls somebody."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
