"""To which experiment, or registered model, something belongs."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("grants")


class PostgresOwnerStore:
    """Implements `ports.OwnerStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def experiments_of(self, ids: Collection[UUID]) -> Mapping[UUID, int]:
        """See `ports.OwnerStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["experiments_of"], list(ids))
        return {UUID(int=row["id"].int): row["experiment_id"] for row in rows}

    async def existing(self, experiment_ids: Collection[int]) -> Collection[int]:
        """See `ports.OwnerStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["existing"], list(experiment_ids))
        return {row["experiment_id"] for row in rows}

    async def experiment_named(self, name: str) -> int | None:
        """See `ports.OwnerStore`."""
        async with self._pool.connection() as connection:
            found: int | None = await connection.fetchval(_SQL["experiment_named"], name)
        return found

    async def model_named(self, name: str) -> int | None:
        """See `ports.OwnerStore`."""
        async with self._pool.connection() as connection:
            found: int | None = await connection.fetchval(_SQL["model_number"], name)
        return found

    async def experiments_of_view(self, view_id: int) -> Sequence[int]:
        """See `ports.OwnerStore`."""
        async with self._pool.connection() as connection:
            found: Sequence[int] | None = await connection.fetchval(_SQL["experiments_of_view"], view_id)
        return found or ()
