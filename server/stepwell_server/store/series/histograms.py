"""Histograms of runs, read."""

from collections.abc import Sequence
from uuid import UUID

from stepwell_server.model.histograms import HistogramEntry, HistogramName, HistogramsWanted
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("histograms")


class PostgresHistogramStore:
    """See `ports.HistogramStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def names(self, run_id: UUID, after_key: str, limit: int) -> Sequence[HistogramName]:
        """See `ports.HistogramStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["names"], run_id, after_key, limit)
        return [HistogramName(**row) for row in rows]

    async def read(self, run_id: UUID, wanted: HistogramsWanted) -> tuple[Sequence[HistogramEntry], int]:
        """See `ports.HistogramStore`."""
        arguments = wanted.key, wanted.step_from, wanted.step_to, wanted.limit
        async with self._pool.connection() as connection:
            rows = [dict(row) for row in await connection.fetch(_SQL["read"], run_id, *arguments)]
        steps = max((row.pop("steps") for row in rows), default=0)
        return [HistogramEntry(**row) for row in rows], steps
