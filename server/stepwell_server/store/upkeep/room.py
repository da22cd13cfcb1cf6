"""How much room is taken, and how much is left, as figures."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from stepwell_server.errors import UnavailableError
from stepwell_server.process.telemetry import ARTIFACT_BYTES, DATABASE_BYTES, DISK_BYTES, DISK_FREE_BYTES
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

# From the end of one look to the start of the next; one takes 0.1 s where there are a million files.
LOOK_PAUSE_S = 60.0

_SQL = load("room")

log = structlog.get_logger(__name__)


class RoomFigures:
    """Looks while the context lasts: at the database, at what artifacts take, and at the disk of a folder."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool = pool
        self._folder = folder

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="figures of room")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except UnavailableError as error:
                log.warning("figures of room wait for the database", error=str(error))
            except Exception:
                log.exception("figures of room failed; the next look tries again")
            await asyncio.sleep(LOOK_PAUSE_S)

    async def look(self) -> None:
        """Set the figures once."""
        if self._folder.exists():
            disk = os.statvfs(self._folder)
            DISK_BYTES.set(disk.f_blocks * disk.f_frsize)
            DISK_FREE_BYTES.set(disk.f_bavail * disk.f_frsize)
        async with self._pool.connection() as connection:
            DATABASE_BYTES.set(await connection.fetchval(_SQL["database_bytes"]))
            ARTIFACT_BYTES.set(await connection.fetchval(_SQL["artifact_bytes"]))
