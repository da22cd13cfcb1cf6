"""A commit of nothing, which a new connection does before a real one has to wait for it.

PostgreSQL plans for each connection anew, and looks up there what it knows of tables: some 15 ms of processor, as
much as ten commits take. A server's first commits would bear that, and any later one that meets a new connection.
"""

from typing import Any

from stepwell_server.store.chunks.rows import COLUMNS, SIGNATURE, TRAILER, as_source
from stepwell_server.store.ingest.plain_commits import NO_CHUNKS
from stepwell_server.store.ingest.points import advance_positions
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("ingest")

_WRITERS: list[list[Any]] = [[]] * 4
_LATEST: list[list[Any]] = [[]] * 10


async def rehearse_commit(connection: Connection) -> None:
    """Do the statements of a commit of many points, and the one of a few, with nothing in them."""
    async with connection.transaction():
        await advance_positions(connection, [])
        await connection.copy_to_table(
            "metric_chunk", source=as_source([SIGNATURE + TRAILER]), columns=COLUMNS, format="binary"
        )
        await connection.fetch(_SQL["merge_latest"], *_LATEST, [])
        await connection.fetchval(_SQL["commit_points"], *_WRITERS, *_LATEST, *NO_CHUNKS)
