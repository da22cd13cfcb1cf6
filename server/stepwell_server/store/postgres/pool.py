"""Connections to PostgreSQL: a bounded pool, and the one place that knows how PostgreSQL goes away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from typing import Any, TypeAlias

import asyncpg

from stepwell_server.config import (
    COMMAND_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    POOL_CONNECTIONS_MAX,
    POOL_CONNECTIONS_MIN,
    UPKEEP_CONNECTIONS_MAX,
    UPKEEP_TIMEOUT_S,
    without_password,
    worker_connections,
)
from stepwell_server.errors import InvalidArgumentError, StartupError, TooMuchError, UnavailableError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres.hosts import Hosts
from stepwell_server.store.postgres.pooler import Database, PooledConnection, set_local

Connection: TypeAlias = Any  # asyncpg.Connection, which has no types
Rehearsal: TypeAlias = Callable[[Connection], Awaitable[None]]

ACQUIRE_TIMEOUT_S = 30.0  # waiting longer for a free connection means that the database cannot keep up

# Searches that use a connection at once; the others wait, because all else that is read needs connections, too.
SEARCHES_AT_ONCE = 4

APPLICATION = {"application_name": "stepwell"}  # poolers hand it on
STARTING = {"application_name": "stepwell start"}  # whoever only looks, or migrates, works with no table yet
SESSION_SETTINGS = {
    "synchronous_commit": "on",  # acknowledged means committed with fsync, whatever the database's default
    "jit": "off",  # compiling costs more than our short queries
    "timezone": "UTC",
    # A server that was stopped, or that the network lost, lets go of its locks after so long: its clients went to
    # another, and wait for them there. What is done between two statements of a transaction takes well below a second.
    "idle_in_transaction_session_timeout": "30s",
}

# For transactions of a database that is spread. Citus does not let one change a table that is everywhere when it has
# looked at several machines at once before; so it looks at one after the other there. Statements alone are not slowed.
SEQUENTIAL = {"citus.multi_shard_modify_mode": "sequential"}

assert CONNECT_TIMEOUT_S < ACQUIRE_TIMEOUT_S

# What passes by itself or by an administrator's hand. Classes 08, 40, 53, 57 of the SQLSTATE codes.
_TRANSIENT = (
    OSError,  # includes TimeoutError and a socket that is not there
    EOFError,
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TargetServerAttributeNotMatched,  # of several, none has taken over yet
    asyncpg.InternalClientError,  # PostgreSQL has said that it ends the connection, which is not closed yet
)

NO_CONNECTIONS = "PostgreSQL has no connection left for the server"
MORE_CONNECTIONS = (
    f"each worker uses up to {worker_connections()}: raise max_connections, or the CONNECTION LIMIT of the user or the"
    " database"
)

log = get_logger(__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what asyncpg and the system raise when the database is away into UnavailableError."""
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise TooMuchError(
            "the database needed too long for this; ask for less at once (the limit of calls is --statement-timeout)"
        ) from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise UnavailableError(
            f"the database takes no writes: {describe(error)}; it is a standby, and --store has to name the primary,"
            " or default_transaction_read_only is on"
        ) from error
    except asyncpg.TooManyConnectionsError as error:
        raise UnavailableError(f"{NO_CONNECTIONS}: {describe(error)}; {MORE_CONNECTIONS}") from error
    except _TRANSIENT as error:
        raise UnavailableError(f"the database cannot do it now: {describe(error)}") from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):  # a value that does not fit its column: our fault
            raise
        raise UnavailableError(f"the connection to the database is closed: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Return a short text for an error; some have none of their own."""
    return str(error) or type(error).__name__


@contextmanager
def refused_values() -> Iterator[None]:
    """Turn what the database says of values that it cannot take into InvalidArgumentError: they come of callers."""
    try:
        yield
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError):
        raise InvalidArgumentError(
            "a text of the call has a NUL character, which can be neither stored nor searched for; remove it"
        ) from None
    except asyncpg.DataError as error:
        log.info("the database refused a value", error=str(error)[:200])
        raise InvalidArgumentError(
            f"the call has a value that the database cannot take: {str(error)[:200]}"
        ) from None


class LentConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that is handed on as it is: nothing outlives a transaction.

    So no statement has to tidy up after each one, as asyncpg's would.
    """

    __slots__ = ()

    # See `PooledConnection`: here any statement may be sent alone.
    fetchrow_alone = asyncpg.Connection.fetchrow
    fetchval_alone = asyncpg.Connection.fetchval

    def get_reset_query(self) -> str:
        """Return no statement; a transaction that is still open is undone all the same."""
        return ""


class SpreadConnection(LentConnection):
    """A lent connection to a database that is spread."""

    __slots__ = ()

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:
        """Execute as asyncpg does; what begins a transaction brings its settings with it, on the same way."""
        if query.startswith("BEGIN"):
            query = f"{query} {set_local(SEQUENTIAL)}"
        return str(await super().execute(query, *arguments, timeout=timeout))


class Pool:
    """Connections to one database, at most `POOL_CONNECTIONS_MAX`.

    A connection that PostgreSQL dropped is replaced when it is asked for.
    """

    def __init__(
        self,
        connections: Any,
        refusals: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        is_pooled: bool = False,
        is_distributed: bool = False,
    ) -> None:
        """`refusals` is around all that is done with a connection; the others are as in `Database`."""
        self.is_distributed = is_distributed
        self.is_pooled = is_pooled
        # What a statement alone sets, for itself, it sets for no other of several machines.
        self.may_send_alone = not is_distributed
        self._connections = connections
        self._refusals = refusals
        # Searches, of whatever kind, hold this while they use a connection.
        self.searches = asyncio.Semaphore(SEARCHES_AT_ONCE)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection.

        Raises:
            UnavailableError: the database cannot be reached, or went away inside the context.
            TooMuchError: a statement took longer than the pool allows.
        """
        with self._refusals(), translated():
            connection = await self._free_connection()
            try:
                yield connection
            except asyncpg.ReadOnlySQLTransactionError:
                # It leads to what was the primary, and the next one looks for another.
                connection.terminate()
                raise
            finally:
                await self._connections.release(connection, timeout=ACQUIRE_TIMEOUT_S)

    async def _free_connection(self) -> Connection:
        # Before Python 3.12 asyncpg's own timeout makes a task of it, which all that is read and written would pay.
        async with asyncio.timeout(ACQUIRE_TIMEOUT_S):
            return await self._connections.acquire()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection in a transaction, committed at the end and undone by an error. Raises as `connection`."""
        async with self.connection() as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def open_pool(
    database: Database | str,
    deadline: Deadline,
    *,
    size: int = POOL_CONNECTIONS_MAX,
    statement_timeout_s: float | None = None,
    command_timeout_s: float = COMMAND_TIMEOUT_S,
    rehearse: Rehearsal | None = None,
) -> AsyncIterator[Pool]:
    """Connect to a database; on leaving, wait for borrowed connections until the deadline, then cut them.

    A URL alone means one without a pooler.

    Of one machine without a pooler, `rehearse` uses each connection first: what it plans there stays planned.

    With `statement_timeout_s`, a statement that takes longer raises TooMuchError, and one with values that the database
    refuses InvalidArgumentError. Without, for commits, such values raise what asyncpg says of them. A
    database that says nothing for `command_timeout_s` counts as away.

    Raises:
        StartupError: the database cannot be reached; the message says why, without the password.
    """
    reached = Database(database) if isinstance(database, str) else database
    with explained(reached.url):
        connections = await asyncpg.create_pool(
            reached.url,
            connect=Hosts(reached.url).connect,
            min_size=POOL_CONNECTIONS_MIN,
            max_size=size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=command_timeout_s,
            **_kind(reached, SESSION_SETTINGS | _time_limit(statement_timeout_s), rehearse),
        )
    try:
        yield Pool(
            connections,
            refused_values if statement_timeout_s is not None else nullcontext,
            is_pooled=reached.is_pooled,
            is_distributed=reached.is_distributed,
        )
    finally:
        await _close(connections, deadline)


def open_upkeep_pool(database: Database | str, deadline: Deadline) -> AbstractAsyncContextManager[Pool]:
    """Connect as `open_pool`, for work that nobody waits for: the limit of what callers may take does not end it."""
    return open_pool(
        database,
        deadline,
        size=UPKEEP_CONNECTIONS_MAX,
        statement_timeout_s=UPKEEP_TIMEOUT_S,
        command_timeout_s=UPKEEP_TIMEOUT_S + COMMAND_TIMEOUT_S,
    )


def _kind(database: Database, settings: dict[str, str], rehearse: Rehearsal | None) -> dict[str, Any]:
    """Return what asyncpg has to know of how connections keep settings: poolers refuse some at the start."""
    if not database.is_pooled:
        kind = SpreadConnection if database.is_distributed else LentConnection
        init = None if database.is_distributed else rehearse
        return {"connection_class": kind, "server_settings": APPLICATION | settings, "init": init}
    if database.is_distributed:
        settings = settings | SEQUENTIAL

    async def begin(connection: PooledConnection) -> None:
        connection.set_for_each_transaction(settings)

    return {"connection_class": PooledConnection, "server_settings": APPLICATION, "init": begin}


def _time_limit(statement_timeout_s: float | None) -> dict[str, str]:
    if statement_timeout_s is None:
        return {}
    return {"statement_timeout": f"{max(1, round(statement_timeout_s * 1000))}ms"}


@asynccontextmanager
async def first_connection(url: str, option: str = "--store") -> AsyncIterator[Connection]:
    """Connect once, whether a pooler is there or not; `option` names the URL.

    Raises:
        StartupError: the database cannot be reached; the message says why, without the password.
    """
    with explained(url, option):
        connection = await Hosts(url).connect(
            timeout=CONNECT_TIMEOUT_S,
            connection_class=PooledConnection,
            server_settings=STARTING,
        )
    connection.set_for_each_transaction(SESSION_SETTINGS)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def explained(url: str, option: str = "--store") -> Iterator[None]:
    """Turn what goes wrong with a first connection into StartupError."""
    try:
        yield
    except ValueError:  # its text may have a part of the password
        raise StartupError(
            f"the address {without_password(url)} in {option} cannot be read; write special characters of user and "
            "password (/ ? # @ : [ ] %) encoded, as in %2F for /"
        ) from None
    except asyncpg.TooManyConnectionsError as error:
        raise StartupError(
            f"{NO_CONNECTIONS} at {without_password(url)}: {describe(error)}; {MORE_CONNECTIONS}"
        ) from error
    except asyncpg.TargetServerAttributeNotMatched:
        raise StartupError(
            f"none of the PostgreSQLs at {without_password(url)} takes writes: {option} has to name the primary; "
            "or is there none at the moment?"
        ) from None
    except (OSError, EOFError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(
            f"PostgreSQL at {without_password(url)} cannot be reached: {describe(error)};"
            f" check that it runs, and the address, user and password in {option}"
        ) from error


async def _close(connections: Any, deadline: Deadline) -> None:
    try:
        async with asyncio.timeout(deadline.remaining_s()):
            await connections.close()
    except _TRANSIENT:
        log.warning("connections to PostgreSQL were cut")
        connections.terminate()
