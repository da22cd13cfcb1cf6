"""What a PostgreSQL lets a server do, looked at when it starts: connections enough, and writes."""

from typing import Any

from stepwell_server.config import worker_connections
from stepwell_server.errors import StartupError
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres.pool import first_connection
from stepwell_server.store.postgres.pooler import Database
from stepwell_server.store.sql import load

_SQL = load("connections")

log = get_logger(__name__)


async def tell_what_is_short(database: Database, workers: int) -> None:
    """Warn of fewer connections than `workers` use when they are busy: a server does without, and others may go.

    What a pooler lends is not known here.

    Raises:
        StartupError: the database takes no writes.
    """
    async with first_connection(database.url) as connection:
        found = await connection.fetchrow(_SQL["limits"])
    if found["is_read_only"]:
        raise StartupError(
            "this PostgreSQL is a standby and takes no writes: --store has to name the primary"
            if found["is_standby"]
            else "the database takes no writes: default_transaction_read_only is on for it, its user or its server"
        )
    needed = workers * worker_connections()
    available, remedy = min(_left(found, needed))
    if needed > available and not database.is_pooled:
        log.warning(
            "PostgreSQL has fewer connections left than the server uses when it is busy",
            needed=needed,
            available=max(available, 0),
            to_do=remedy,
        )


def _left(found: Any, needed: int) -> list[tuple[int, str]]:
    """Return how many connections each limit leaves, with what to set for as many as are needed."""
    reserved = 0 if found["is_superuser"] else found["server_reserved"]
    taken = found["server_taken"] + reserved
    limits = [
        (found["server_max"] - taken, f"set max_connections = {taken + needed} or more, and restart it")
    ]
    if found["is_superuser"]:  # the others are not for these
        return limits
    for kind, statement in (("user", "ALTER ROLE"), ("database", "ALTER DATABASE")):
        most, taken = found[f"{kind}_max"], found[f"{kind}_taken"]
        if most >= 0:
            name = found[f"{kind}_name"].replace('"', '""')
            limits.append((most - taken, f'{statement} "{name}" CONNECTION LIMIT {taken + needed}'))
    return limits
