"""Which params, metrics and tags the latest runs have. Bounded by the number of runs that are looked at."""

from collections.abc import Sequence

import asyncpg

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.runs import KeyCounts, Keys, ViewType
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load
from stepwell_server.store.tracking.experiments import STAGES

_SQL = load("keys")


class PostgresKeyStore:
    """Implements `ports.KeyStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keys(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        pattern: str,
        limit: int,
        runs_max: int,
        hidden: Sequence[int] = (),
    ) -> Keys:
        """See `ports.KeyStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _SQL["latest_runs"], experiment_ids, STAGES[view], runs_max + 1, hidden
            )
            run_ids = [row["run_id"] for row in rows[:runs_max]]
            found: list[KeyCounts] = []
            for kind in ("params", "metrics", "tags"):
                try:
                    counted = await connection.fetch(_SQL[kind], run_ids, pattern, limit + 1)
                except asyncpg.InvalidRegularExpressionError as error:
                    reason = str(error).removeprefix("invalid regular expression: ")
                    raise InvalidArgumentError(f"the pattern is no regular expression: {reason}") from None
                found.append([(row["key"], row["runs"]) for row in counted])
        params, metrics, tags = (kind[:limit] for kind in found)
        whole = len(rows) <= runs_max and all(len(kind) <= limit for kind in found)
        return Keys(params, metrics, tags, len(run_ids), whole)
