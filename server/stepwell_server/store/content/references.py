"""Counts of the artifacts that show contents, inside a transaction of somebody else."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection

_QUERIES = sql.load("artifacts")

# Behind every path: 256 of these characters are the longest path there can be.
_BEHIND_ALL = "\U0010ffff" * 257


async def lock(connection: Connection, owner_id: UUID) -> None:
    """Let changes of the artifacts of one run, or one model, wait for each other until the transaction ends."""
    await connection.execute(_QUERIES["lock_run"], str(owner_id))


async def drop_references(connection: Connection, numbers: Mapping[UUID, int]) -> None:
    """Count so many artifacts less for contents; what no artifact shows any more becomes garbage."""
    if not numbers:
        return
    ids = list(numbers)
    await connection.execute(_QUERIES["lock_contents"], ids)
    await connection.execute(_QUERIES["drop_references"], ids, list(numbers.values()))
    await connection.execute(_QUERIES["discard_contents"], ids)


def counted(rows: Any) -> dict[UUID, int]:
    """Return the counts of rows by content."""
    return {uuid_of(row["content_id"]): row["number"] for row in rows}


def below(folder: str) -> tuple[str, str]:
    """Return what the paths in a folder begin with, and the first string behind all of them."""
    # "0" is the character behind "/".
    return (f"{folder}/", f"{folder}0") if folder else ("", _BEHIND_ALL)


def uuid_of(value: Any) -> UUID:
    """Return a plain UUID; asyncpg has a class of its own."""
    return UUID(int=value.int)
