"""Forgetting calls that nobody will repeat any more."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from stepwell_server.errors import UnavailableError
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

log = structlog.get_logger(__name__)


class Forgetter:
    """Forgets old calls while the context lasts. Several servers share the work: each passes over locked ones."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="forgetting calls")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once: what is under way is undone by the database."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(ROUND_PAUSE_S)
            try:
                while await forget_calls(self._pool) == FORGOTTEN_AT_ONCE_MAX:
                    pass
            except UnavailableError as error:
                log.warning("forgetting calls waits for the database", error=str(error))
            except Exception:
                log.exception("forgetting calls failed; the next round tries again")


async def forget_calls(pool: Pool, kept_ms: int = CALLS_KEPT_MS, kept_max: int = CALLS_KEPT_MAX) -> int:
    """Forget calls older than `kept_ms` or beyond the `kept_max` latest, a bounded number at once; returns how many."""
    async with pool.connection() as connection:
        forgotten: int = await connection.fetchval(_SQL["forget"], kept_ms, kept_max, FORGOTTEN_AT_ONCE_MAX)
    return forgotten
