"""Views that people gave names, in PostgreSQL."""

import zlib
from collections.abc import Sequence
from typing import Any

from stepwell_server.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from stepwell_server.model.exploring import View
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("views")
_LOCK_SPACE = int.from_bytes(b"sw v") << 32


class PostgresViewStore:
    """Implements `ports.ViewStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def save(
        self, experiment_ids: Sequence[int], name: str, address: str, *, replace: bool, views_max: int
    ) -> View:
        """See `ports.ViewStore`."""
        given = (list(experiment_ids), name, address)
        async with self._pool.transaction() as connection:
            # Two who save at once must not get beyond the limit.
            await connection.fetchval(_SQL["lock"], _LOCK_SPACE + zlib.crc32(repr(given[0]).encode()))
            row = await connection.fetchrow(_SQL["replace"], *given) if replace else None
            if row is None:
                if await connection.fetchval(_SQL["count"], *given[:2]) >= views_max:
                    raise InvalidArgumentError(
                        f"there are {views_max} views already; delete one that nobody needs"
                    )
                row = await connection.fetchrow(_SQL["add"], *given)
        if row is None:
            raise AlreadyExistsError(f"there is a view {name!r} already; replace it, or choose another name")
        return _view(row)

    async def views(self, experiment_ids: Sequence[int]) -> Sequence[View]:
        """See `ports.ViewStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["list"], list(experiment_ids))
        return [_view(row) for row in rows]

    async def delete(self, view_id: int) -> None:
        """See `ports.ViewStore`."""
        async with self._pool.connection() as connection:
            if await connection.fetchval(_SQL["delete"], view_id) is None:
                raise NotFoundError(f"there is no view {view_id}; somebody may have deleted it")


def _view(row: Any) -> View:
    return View(row["view_id"], row["experiment_ids"], row["name"], row["address"], row["saved_time_ms"])
