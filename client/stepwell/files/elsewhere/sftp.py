"""Files on SFTP servers that a user names: sftp://user@host:port/path, from the server's root.

Keys and the host's key are found by SSH's usual means: ~/.ssh/config, ~/.ssh/id_*, the agent, ~/.ssh/known_hosts.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from stepwell import extras
from stepwell.errors import StepwellException, invalid
from stepwell.files import options
from stepwell.wire import background

T = TypeVar("T")

PORT_DEFAULT = 22
# Folders in each other: links may show a folder in itself.
DEPTH_MAX = 32
_PIECE_BYTES = 1 << 20


@contextmanager
def opened(uri: str, place: str) -> Iterator["SftpFiles"]:
    """Open a server, named as user@host:port; what goes wrong with it is told of the address."""
    library = extras.load("asyncssh", "Fetching by SFTP", "sftp")
    try:
        parts = urlsplit(f"sftp://{place}")
        host, port = parts.hostname or "", parts.port or ()
    except ValueError:
        raise invalid(f"{place.rpartition('@')[2]!r} names no server; write sftp://user@host/path.") from None
    named = {"password": unquote(parts.password)} if parts.password is not None else {}
    with _told(library, uri, host, parts.port or PORT_DEFAULT):
        connection = _waited(
            library.connect(
                host,
                port,
                username=unquote(parts.username) if parts.username else (),
                connect_timeout=options.timeout_s(),
                login_timeout=options.timeout_s(),
                **named,
            )
        )
        try:
            yield SftpFiles(library, _waited(connection.start_sftp_client()))
        finally:
            background.call_soon(connection.abort)


class SftpFiles:
    """Implements `fetching.Objects`: keys are paths without the first slash."""

    def __init__(self, library: Any, sftp: Any) -> None:
        self._library = library
        self._sftp = sftp

    def pieces(self, key: str) -> Iterator[bytes] | None:
        """See `fetching.Objects`."""
        kind = self._kind(f"/{key}")
        if kind is None:
            raise FileNotFoundError
        if kind == self._library.FILEXFER_TYPE_DIRECTORY:
            return None
        return self._read(f"/{key}")

    def keys(self, prefix: str) -> Iterator[str]:
        """See `fetching.Objects`."""
        yield from self._below(prefix, DEPTH_MAX)

    def _below(self, prefix: str, depth: int) -> Iterator[str]:
        if not depth:
            raise invalid(f"/{prefix} has folders in folders, more than {DEPTH_MAX} deep; name one of them.")
        for name in sorted(_waited(self._sftp.listdir(f"/{prefix}"))):
            if name in (".", ".."):
                continue
            if self._kind(f"/{prefix}{name}") == self._library.FILEXFER_TYPE_DIRECTORY:
                yield from self._below(f"{prefix}{name}/", depth - 1)
            else:
                yield f"{prefix}{name}"

    def _kind(self, path: str) -> int | None:
        """Return what is at a path, links followed; None for nothing."""
        try:
            kind: int = _waited(self._sftp.stat(path)).type
        except (self._library.SFTPNoSuchFile, self._library.SFTPNoSuchPath):
            return None
        return kind

    def _read(self, path: str) -> Iterator[bytes]:
        file = _waited(self._sftp.open(path, "rb"))
        try:
            while piece := _waited(file.read(_PIECE_BYTES)):
                yield piece
        finally:
            with suppress(self._library.Error, OSError, TimeoutError):  # the connection may be gone
                _waited(file.close())


def _waited(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work in the loop in the background, as long as a server may be silent."""

    async def bounded() -> T:
        async with asyncio.timeout(options.timeout_s()):
            return await work

    return background.run(bounded)


@contextmanager
def _told(library: Any, uri: str, host: str, port: int) -> Iterator[None]:
    shown = f"sftp://{uri.partition('://')[2].rpartition('@')[2]}"
    try:
        yield
    except library.HostKeyNotVerifiable as error:
        scan = f"ssh-keyscan -p {port} {host}"
        raise StepwellException(
            f"{shown} could not be fetched: the key that {host} shows is not the one in ~/.ssh/known_hosts "
            f"({error.reason}). Compare what `{scan} | ssh-keygen -lf -` prints with what the operator of {host} says, "
            f"and add it: {scan} >> ~/.ssh/known_hosts",
            "PERMISSION_DENIED",
        ) from error
    except library.PermissionDenied as error:
        raise StepwellException(
            f"{shown} could not be fetched: {host} does not let you in ({error.reason}); your keys in ~/.ssh and "
            "the agent were tried.",
            "UNAUTHENTICATED",
        ) from error
    except (FileNotFoundError, library.SFTPNoSuchFile, library.SFTPNoSuchPath) as error:
        raise StepwellException(f"There is nothing at {shown}.", "RESOURCE_DOES_NOT_EXIST") from error
    except library.SFTPPermissionDenied as error:
        raise StepwellException(
            f"{shown} could not be fetched: {error.reason}", "PERMISSION_DENIED"
        ) from error
    except (library.Error, OSError, TimeoutError) as error:
        reason = getattr(error, "reason", "") or str(error) or type(error).__name__
        raise StepwellException(
            f"{shown} could not be fetched: {reason}", "TEMPORARILY_UNAVAILABLE"
        ) from error
