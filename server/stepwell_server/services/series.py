"""Reading series."""

from collections.abc import AsyncIterator
from uuid import UUID

from stepwell_server.errors import NotFoundError
from stepwell_server.model import History
from stepwell_server.store.ports import SeriesStore


class SeriesService:
    """Reads the histories of metrics."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store

    async def history(self, run_id: UUID, key: str) -> AsyncIterator[History]:
        """Yield all points of a series in order of (step, timestamp, value), in pieces; none if it has none.

        Raises:
            NotFoundError: there is no such run.
        """
        if not await self._store.run_exists(run_id):
            raise NotFoundError(f"run {run_id.hex} does not exist")
        async for points in self._store.history(run_id, key):
            yield points
