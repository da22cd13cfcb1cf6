"""Connections to one account of an SFTP server, shared by all that goes on there; through asyncssh.

Keys, the agent and the host's key are found by SSH's usual means, for the user that this server runs as: ~/.ssh/config,
~/.ssh/id_*, SSH_AUTH_SOCK, ~/.ssh/known_hosts.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import asyncssh

from stepwell_server.errors import ExhaustedError, InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.store.content.sftp import host_keys
from stepwell_server.store.content.sftp.addresses import PORT_DEFAULT, SftpAddress

T = TypeVar("T")

# Connections to one account; what comes beyond shares them. OpenSSH refuses more than 10 that have not logged in yet.
CONNECTIONS_MAX = 4
# So many use a connection before another one is made.
USERS_PER_CONNECTION = 4
# Transfers and questions under way to one account; the others wait. OpenSSH has room for some hundred files.
OPERATIONS_MAX = 64
CONNECT_TIMEOUT_S = 10.0
LOGIN_TIMEOUT_S = 30.0
# A server that is silent is asked for a sign of life, and given up when so many were asked in vain.
KEEPALIVE_S = 10.0
KEEPALIVES_MAX = 3

# Processors have instructions for these. asyncssh would take ChaCha20, for which it needs half as much time again.
FAST_CIPHERS = (b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com")

_LOST = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    OSError,
    TimeoutError,
)
MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
_FULL = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)


@dataclass(eq=False, slots=True)
class _Connection:
    ssh: asyncssh.SSHClientConnection
    sftp: asyncssh.SFTPClient
    users: int = 0


class SftpConnections:
    """At most CONNECTIONS_MAX connections, made when they are needed. Call `close` at the end."""

    def __init__(self, address: SftpAddress) -> None:
        self.address = address
        self._open: list[_Connection] = []
        self._opening = asyncio.Lock()
        self._room = asyncio.Semaphore(OPERATIONS_MAX)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.sftp.exit()
            connection.ssh.abort()
        for connection in self._open:
            with suppress(Exception):
                async with asyncio.timeout(1):
                    await connection.ssh.wait_closed()
        self._open.clear()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """Lend a connection, which others use at the same time.

        Raises:
            NotFoundError, ExhaustedError, UnavailableError: what asyncssh said inside of the context.
            InvalidArgumentError: the host's key is not known, or nobody lets us in.
        """
        async with self._room:
            with translated(self.address):
                connection = await self._connection()
                connection.users += 1
                try:
                    yield connection.sftp
                except _LOST:
                    self._forget(connection)
                    raise
                finally:
                    connection.users -= 1

    async def call(self, work: Callable[[asyncssh.SFTPClient], Awaitable[T]]) -> T:
        """Do what may be done twice: again where a connection has gone unnoticed. Raises as `session`."""
        for _ in range(CONNECTIONS_MAX):  # all of them may have
            async with self.session() as sftp:
                try:
                    return await work(sftp)
                except _LOST:
                    self._forget(next((it for it in self._open if it.sftp is sftp), None))
        async with self.session() as sftp:
            return await work(sftp)

    async def _connection(self) -> _Connection:
        if best := self._least_busy():
            return best
        async with self._opening:
            if best := self._least_busy():
                return best
            opened = await self._connect()
            self._open.append(opened)
            return opened

    def _least_busy(self) -> _Connection | None:
        """Return a connection that may be used by one more; None when there is to be another one."""
        for gone in [it for it in self._open if it.ssh.is_closed()]:
            self._forget(gone)
        best = min(self._open, key=lambda it: it.users, default=None)
        if best is not None and best.users >= USERS_PER_CONNECTION and len(self._open) < CONNECTIONS_MAX:
            return None
        return best

    def _forget(self, connection: _Connection | None) -> None:
        if connection in self._open:
            self._open.remove(connection)
            connection.ssh.abort()

    async def _connect(self) -> _Connection:
        at = self.address
        try:
            ssh = await asyncssh.connect(
                at.host,
                at.port if at.port != PORT_DEFAULT else (),
                username=at.user or (),
                encryption_algs=await ciphers(at),
                connect_timeout=CONNECT_TIMEOUT_S,
                login_timeout=LOGIN_TIMEOUT_S,
                keepalive_interval=KEEPALIVE_S,
                keepalive_count_max=KEEPALIVES_MAX,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise InvalidArgumentError(await host_keys.problem(at, error)) from error
        try:
            return _Connection(ssh, await ssh.start_sftp_client())
        except BaseException:
            ssh.abort()
            raise


async def ciphers(address: SftpAddress) -> Sequence[str]:
    """Return the ciphers in the order in which they are wished for: fast ones first, unless ~/.ssh/config says."""
    options = asyncssh.SSHClientConnectionOptions
    said = await options.construct(
        config=(), host=address.host, port=address.port, username=address.user or ()
    )
    found = list(said.encryption_algs)
    if found == list((await options.construct(config=None)).encryption_algs):
        found.sort(key=lambda cipher: cipher not in FAST_CIPHERS)
    return [cipher.decode() for cipher in found]


@contextmanager
def translated(address: SftpAddress) -> Iterator[None]:
    """Turn what asyncssh raises into errors of the domain."""
    try:
        yield
    except asyncssh.PermissionDenied as error:
        raise InvalidArgumentError(
            f"{address.account} does not let this server in ({error.reason}); it tries the keys of the user that it "
            f"runs as (~/.ssh, the agent). Add one there: ssh-copy-id {_for_ssh(address)}"
        ) from error
    except MISSING as error:
        raise NotFoundError(f"the SFTP server {address.host} does not have it") from error
    except _FULL as error:
        raise ExhaustedError(
            f"the disk of the SFTP server {address.host} is full; make room there", None
        ) from error
    except _LOST as error:
        reason = getattr(error, "reason", "") or str(error) or type(error).__name__
        raise UnavailableError(
            f"the SFTP server {address.host}:{address.port} cannot be reached: {reason}"
        ) from error
    except asyncssh.SFTPError as error:
        raise UnavailableError(
            f"the SFTP server {address.host} refuses: {error.reason}; {address.user or 'the user'} has to own "
            f"{address.path}"
        ) from error
    except asyncssh.Error as error:
        raise UnavailableError(f"the SFTP server {address.host} cannot be used: {error.reason}") from error


def _for_ssh(address: SftpAddress) -> str:
    port = "" if address.port == PORT_DEFAULT else f"-p {address.port} "
    return f"{port}{address.account}"
