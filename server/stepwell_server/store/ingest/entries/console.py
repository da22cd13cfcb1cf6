"""What processes wrote to their consoles, written inside the commit's transaction."""

from collections.abc import Sequence
from uuid import UUID

from stepwell_server.model.ingest import ConsoleEntry
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("writer_states")


async def write_console(connection: Connection, pieces: Sequence[tuple[UUID, UUID, ConsoleEntry]]) -> None:
    """Write pieces of consoles, each with its run and its writer, which exist."""
    await connection.execute(
        _SQL["add_console"],
        [run_id for run_id, _, _ in pieces],
        [writer_id for _, writer_id, _ in pieces],
        [entry.position for *_, entry in pieces],
        [int(entry.stream) for *_, entry in pieces],
        [entry.timestamp_ms for *_, entry in pieces],
        [entry.left_out for *_, entry in pieces],
        [entry.text for *_, entry in pieces],
    )
