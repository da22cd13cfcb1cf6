"""Where the rows of a run lie, in a database of several nodes."""

from collections import OrderedDict
from typing import Protocol
from uuid import UUID

from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("places")

# Runs whose place is remembered; of others it is asked again when they log next.
PLACES_MAX = 100_000


class Places(Protocol):
    """Numbers of places; the rows of runs of one place lie together."""

    async def of(self, run_id: UUID) -> int:
        """Return the place of a run. Raises UnavailableError."""
        ...


class ShardPlaces:
    """Implements `Places`: the shards of Citus, from 0 on in the order in which they are met.

    Shards may move to other nodes: then they still are one place each.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._shards: dict[int, int] = {}
        self._known: OrderedDict[UUID, int] = OrderedDict()

    async def of(self, run_id: UUID) -> int:
        """See `Places`."""
        if run_id not in self._known:
            async with self._pool.connection() as connection:
                shard = await connection.fetchval(_SQL["shard"], run_id)
            self._known[run_id] = self._shards.setdefault(shard, len(self._shards))
            if len(self._known) > PLACES_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(run_id)
        return self._known[run_id]
