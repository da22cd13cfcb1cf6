"""What is said of an SFTP server whose key is not the one that ~/.ssh/known_hosts has."""

import asyncio
import shlex
from contextlib import suppress
from pathlib import Path

import asyncssh

from stepwell_server.store.content.sftp.addresses import PORT_DEFAULT, SftpAddress

KNOWN_HOSTS = "~/.ssh/known_hosts"
LOOK_TIMEOUT_S = 10.0


async def problem(address: SftpAddress, refusal: asyncssh.HostKeyNotVerifiable) -> str:
    """Return whether the server is unknown, known by another key, or by one that is revoked, and what is to be done."""
    named = _named(address)
    scan = f"ssh-keyscan -p {address.port} {shlex.quote(address.host)}"
    shown = await _shown(address)
    known, revoked = await asyncio.to_thread(_known, address)
    if shown in revoked:
        return (
            f"the key of {named}, {shown}, is marked as @revoked in {KNOWN_HOSTS}: whoever has it may not be "
            f"{address.host}. Ask the operator of {address.host} for a new one"
        )
    compare = (
        f"Compare it with what the operator of {address.host} says "
        "(there: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub)"
    )
    add = f"{scan} >> {KNOWN_HOSTS}"
    if known:
        return (
            f"{named} shows another key, {shown or refusal.reason}, than {KNOWN_HOSTS} of the user that this server "
            f"runs as has of it, {', '.join(known)}. It was set up anew, or somebody sits in between. {compare}; if "
            f"it was meant to change: ssh-keygen -R {shlex.quote(named)}; {add}"
        )
    return (
        f"the key of {named}, {shown or refusal.reason}, is not in {KNOWN_HOSTS} of the user that this server runs as. "
        f"{compare}, and add it: {add}"
    )


async def _shown(address: SftpAddress) -> str:
    """Return the key that a server shows, as ssh-keygen prints it; "" when it shows none."""
    with suppress(asyncssh.Error, OSError, TimeoutError):
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            key = await asyncssh.get_server_host_key(address.host, address.port)
            return _print(key) if key is not None else ""
    return ""


def _known(address: SftpAddress) -> tuple[list[str], list[str]]:
    """Return the keys by which a server is known, and those that are revoked."""
    with suppress(asyncssh.Error, OSError, ValueError):
        hosts = asyncssh.read_known_hosts(str(Path(KNOWN_HOSTS).expanduser()))
        # With the port in the name; given apart, asyncssh forgets what is revoked.
        found = [
            asyncssh.match_known_hosts(hosts, name, "", None) for name in (_named(address), address.host)
        ]
        return [_print(key) for it in found for key in it[0]], [_print(key) for it in found for key in it[2]]
    return [], []


def _print(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def _named(address: SftpAddress) -> str:
    """Return a server as known_hosts has it."""
    return address.host if address.port == PORT_DEFAULT else f"[{address.host}]:{address.port}"
