"""What a verification of stored content needs of PostgreSQL."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from stepwell_server.errors import NotFoundError
from stepwell_server.model.artifacts import FileSpec, Place, StoredContent
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Pool

# Artifacts that are named of one broken content; of the others only the number is told.
SHOWN_MAX = 20

_QUERIES = sql.load("verification")


class PostgresVerificationStore:
    """Implements `ports.artifacts.VerificationStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count_contents(self, run_id: UUID | None) -> tuple[int, int]:
        """See `ports.artifacts.VerificationStore`."""
        async with self._pool.connection() as connection:
            if run_id is not None and not await connection.fetchval(_QUERIES["run_exists"], run_id):
                raise NotFoundError(f"there is no run with id {run_id.hex}, and no model of this id")
            row = await connection.fetchrow(_QUERIES["count_contents"], run_id)
        return row["number"], row["bytes"]

    async def contents(
        self, run_id: UUID | None, after: UUID | None, count_max: int
    ) -> Sequence[StoredContent]:
        """See `ports.artifacts.VerificationStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["contents"], run_id, after, count_max)
        return [
            StoredContent(
                UUID(int=row["content_id"].int),
                Place(row["root"], row["key"]),
                FileSpec("", row["size_bytes"], row["sha256"]),
                row["is_verified"],
            )
            for row in rows
        ]

    async def shown(
        self, content_ids: Sequence[UUID]
    ) -> Mapping[UUID, tuple[str, int, Sequence[tuple[str, str]]]]:
        """See `ports.artifacts.VerificationStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["shown"], content_ids, SHOWN_MAX)
        found: dict[UUID, tuple[str, int, list[tuple[str, str]]]] = {}
        for row in rows:
            of_content = found.setdefault(UUID(int=row["content_id"].int), (row["key"], row["total"], []))
            of_content[2].append((f"{row['prefix']}{row['run_id'].hex}", row["path"]))
        return found

    async def set_verified(self, content_ids: Sequence[UUID], is_verified: bool) -> None:
        """See `ports.artifacts.VerificationStore`."""
        if content_ids:
            async with self._pool.connection() as connection:
                await connection.execute(_QUERIES["set_verified"], content_ids, is_verified)
