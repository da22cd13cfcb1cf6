"""Counts of the artifacts that show contents, inside a transaction of somebody else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from stepwell_server.model.artifacts import SMALL_BYTES_MAX, Garbage, OpenUpload, Place
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection

_QUERIES = sql.load("artifacts")

# Behind every path: 256 of these characters are the longest path there can be.
_BEHIND_ALL = "\U0010ffff" * 257


async def lock(connection: Connection, owner_id: UUID) -> None:
    """Let changes of the artifacts of one run, or one model, wait for each other until the transaction ends."""
    await connection.execute(_QUERIES["lock_run"], owner_id)


async def add_contents(
    connection: Connection, uploads: Sequence[OpenUpload]
) -> Mapping[tuple[str, bytes], UUID]:
    """Store which contents there are now, and return them by root and hash.

    Content that somebody else sent at the same time is there already; then what was sent here is garbage. Where nobody
    vouches for what is there, it is the other way round.
    """
    added = Counter((upload.place.root, upload.file.sha256) for upload in uploads)
    chosen = {(upload.place.root, upload.file.sha256): upload for upload in uploads}
    doubted = await connection.fetch(
        _QUERIES["doubted_keys"], [root for root, _ in chosen], [sha256 for _, sha256 in chosen]
    )
    rows = await connection.fetch(
        _QUERIES["add_contents"],
        [uuid4() for _ in chosen],
        [root for root, _ in chosen],
        [upload.place.key for upload in chosen.values()],
        [upload.file.size_bytes for upload in chosen.values()],
        [sha256 for _, sha256 in chosen],
        [added[content] for content in chosen],
    )
    kept = {(row["root"], row["key"]) for row in rows}
    unused = [upload.place for upload in uploads] + [Place(row["root"], row["key"]) for row in doubted]
    await discard(connection, [(place, None) for place in unused if (place.root, place.key) not in kept])
    return {(row["root"], row["sha256"]): uuid_of(row["content_id"]) for row in rows}


async def discard(connection: Connection, places: Sequence[tuple[Place, str | None]]) -> None:
    """Let places, with the bucket's names for what they hold in parts, become garbage."""
    if places:
        await connection.execute(
            _QUERIES["discard_keys"],
            [place.root for place, _ in places],
            [place.key for place, _ in places],
            [multipart_id for _, multipart_id in places],
        )


async def drop_references(connection: Connection, numbers: Mapping[UUID, int]) -> Sequence[Garbage]:
    """Count so many artifacts less for contents; what no artifact shows any more becomes garbage, and returns."""
    if not numbers:
        return []
    ids = list(numbers)
    await connection.execute(_QUERIES["lock_contents"], ids)
    await connection.execute(_QUERIES["drop_references"], ids, list(numbers.values()))
    return garbage_in(await connection.fetch(_QUERIES["discard_contents"], ids, SMALL_BYTES_MAX))


def garbage_in(rows: Any) -> Sequence[Garbage]:
    """Return what rows say is to be removed."""
    return [Garbage(row["garbage_id"], Place(row["root"], row["key"]), row["multipart_id"]) for row in rows]


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
