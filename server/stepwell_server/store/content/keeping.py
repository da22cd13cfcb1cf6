"""Versions of registered models keep their files: who has them neither goes nor loses them while they are needed.

All of this is under the lock of the artifacts of the run or logged model (`references.lock`): a version is created
while nobody takes its files away, or finds that it is too late.
"""

from uuid import UUID

from stepwell_server.errors import InvalidStateError
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection

# Versions that a message names.
NAMED_MAX = 5

_QUERIES = sql.load("registry")


async def versions_needing(connection: Connection, owner_id: UUID, path: str = "") -> str:
    """Return, as words, the versions whose files a run or logged model has at a path ("": anywhere); "" for none."""
    rows = await connection.fetch(_QUERIES["needing_files"], owner_id, path, NAMED_MAX)
    named = [f"version {row['version']} of {row['name']!r}" for row in rows]
    rest = rows[0]["number"] - len(rows) if rows else 0
    return ", ".join([*named, f"{rest:,} more"] if rest else named)


async def require_unneeded(connection: Connection, owner_id: UUID, what: str, path: str = "") -> None:
    """Raise InvalidStateError, which names them, when versions need the files of a run or logged model."""
    versions = await versions_needing(connection, owner_id, path)
    if versions:
        raise InvalidStateError(
            f"{what} cannot be deleted: the registry needs it for {versions}. Delete what is not needed there first"
        )
