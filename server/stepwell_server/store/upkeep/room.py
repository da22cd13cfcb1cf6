"""How much room is taken, and how much is left, as figures."""

import os
from pathlib import Path

from stepwell_server.process.rounds import Rounds
from stepwell_server.process.telemetry import ARTIFACT_BYTES, DATABASE_BYTES, DISK_BYTES, DISK_FREE_BYTES
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

# From the end of one look to the start of the next; one takes 0.1 s where there are a million files.
LOOK_PAUSE_S = 60.0

_SQL = load("room")


class RoomFigures(Rounds):
    """Looks while the context lasts: at the database, at what artifacts take, and at the disk of a folder."""

    name = "figures of room"

    def __init__(self, pool: Pool, folder: Path) -> None:
        super().__init__(LOOK_PAUSE_S)
        self._pool = pool
        self._folder = folder

    async def round(self) -> None:
        """Set the figures once."""
        if self._folder.exists():
            disk = os.statvfs(self._folder)
            DISK_BYTES.set(disk.f_blocks * disk.f_frsize)
            DISK_FREE_BYTES.set(disk.f_bavail * disk.f_frsize)
        async with self._pool.connection() as connection:
            DATABASE_BYTES.set(await connection.fetchval(_SQL["database_bytes"]))
            ARTIFACT_BYTES.set(await connection.fetchval(_SQL["artifact_bytes"]))
