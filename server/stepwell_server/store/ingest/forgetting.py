"""Forgetting calls that nobody will repeat any more."""

from stepwell_server.process.rounds import Rounds
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

# MLflow's client tries seven times, each 120 s at most, with four minutes of pauses in between: 18 minutes.
CALLS_KEPT_MS = 3_600_000
# At some 150 bytes each, with the indexes, 300 MB. Beyond that the oldest go before their time.
CALLS_KEPT_MAX = 2_000_000
# From the end of one round to the start of the next.
ROUND_PAUSE_S = 60.0
# Of one transaction; it takes about 0.1 s.
FORGOTTEN_AT_ONCE_MAX = 10_000

_SQL = load("calls")


class Forgetter(Rounds):
    """Forgets old calls while the context lasts. Several servers share the work: each passes over locked ones."""

    name = "forgetting calls"

    def __init__(self, pool: Pool) -> None:
        super().__init__(ROUND_PAUSE_S)
        self._pool = pool

    async def round(self) -> None:
        """Forget all that is due."""
        while await forget_calls(self._pool) == FORGOTTEN_AT_ONCE_MAX:
            pass


async def forget_calls(pool: Pool, kept_ms: int = CALLS_KEPT_MS, kept_max: int = CALLS_KEPT_MAX) -> int:
    """Forget calls older than `kept_ms` or beyond the `kept_max` latest, a bounded number at once; returns how many."""
    async with pool.connection() as connection:
        forgotten: int = await connection.fetchval(_SQL["forget"], kept_ms, kept_max, FORGOTTEN_AT_ONCE_MAX)
    return forgotten
