"""What reading histograms asks of the store."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.histograms import HistogramEntry, HistogramName, HistogramsWanted


class HistogramStore(Protocol):
    """Reading histograms. Raises `UnavailableError` when the database cannot be reached."""

    async def names(self, run_id: UUID, after_key: str, limit: int) -> Sequence[HistogramName]:
        """Return the first names behind one, in order."""
        ...

    async def read(self, run_id: UUID, wanted: HistogramsWanted) -> tuple[Sequence[HistogramEntry], int]:
        """Return histograms in order of steps, one a step, and how many steps there are in the range."""
        ...
