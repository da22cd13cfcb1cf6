"""What telling of writers and their consoles asks of the store."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.writers import ConsolePiece, ConsolePlace, Refusal, WritersOfRun


class WriterStateStore(Protocol):
    """Reading writers and consoles. Raises `UnavailableError` when the database cannot be reached."""

    async def writers(self, run_id: UUID, limit: int, silent_ms: int) -> WritersOfRun:
        """Return the writers of a run; after `silent_ms` without a sign of life they count as silent."""
        ...

    async def refusals(self, run_id: UUID, limit: int) -> tuple[Sequence[Refusal], int]:
        """Return what was refused of a run, the last first, and how many points and entries in all."""
        ...

    async def console_before(self, run_id: UUID, place: ConsolePlace, limit: int) -> Sequence[ConsolePiece]:
        """Return the last pieces before a place, in order."""
        ...

    async def console_after(
        self, run_id: UUID, known: Mapping[UUID, int], limit: int
    ) -> Sequence[ConsolePiece]:
        """Return the first pieces behind the known positions of writers, in order of time."""
        ...
