"""Moves of artifacts in PostgreSQL: what is elsewhere, and what is shown instead of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from stepwell_server.errors import NotFoundError
from stepwell_server.model.artifacts import FileSpec, Place, StoredContent
from stepwell_server.model.moves import Copied, Misplaced, Owner
from stepwell_server.store import sql
from stepwell_server.store.content.references import add_contents, drop_references, lock, uuid_of
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.tracking.experiments import ARTIFACT_ROOT

# Runs, or models, whose location one statement changes.
RELOCATED_MAX = 1_000
FIRST_ID = UUID(int=0)

_QUERIES = sql.load("moves")
_CONTENTS = sql.load("artifacts")


class PostgresMoveStore:
    """Implements `ports.moves.MoveStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count_elsewhere(self, experiment_id: int, root: str) -> tuple[int, int]:
        """See `ports.moves.MoveStore`."""
        async with self._pool.connection() as connection:
            if await connection.fetchval(_QUERIES["experiment"], experiment_id) is None:
                raise _no_such_experiment(experiment_id)
            row = await connection.fetchrow(_QUERIES["count_elsewhere"], experiment_id, root)
        return row["number"], row["bytes"]

    async def count_uploads(self, experiment_id: int, root: str) -> int:
        """See `ports.moves.MoveStore`."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_QUERIES["count_uploads"], experiment_id, root))

    async def relocate(self, experiment_id: int, location: str) -> None:
        """See `ports.moves.MoveStore`."""
        async with self._pool.connection() as connection:
            around = await connection.fetchval(
                _QUERIES["set_location"], experiment_id, location, ARTIFACT_ROOT
            )
        if around is None:
            raise _no_such_experiment(experiment_id)
        for query in ("relocate_runs", "relocate_models"):
            last = FIRST_ID
            while True:
                async with self._pool.connection() as connection:
                    rows = await connection.fetch(_QUERIES[query], experiment_id, around, last, RELOCATED_MAX)
                if len(rows) < RELOCATED_MAX:
                    break
                last = uuid_of(rows[-1]["owner_id"])

    async def owners(self, experiment_id: int, root: str, after: UUID, count_max: int) -> Sequence[Owner]:
        """See `ports.moves.MoveStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["owners"], experiment_id, root, after, count_max)
        return [Owner(uuid_of(row["owner_id"]), row["is_model"]) for row in rows]

    async def elsewhere(self, owner_id: UUID, root: str, after: str, count_max: int) -> Sequence[Misplaced]:
        """See `ports.moves.MoveStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["elsewhere"], owner_id, root, after, count_max)
        return [
            Misplaced(
                row["path"],
                StoredContent(
                    uuid_of(row["content_id"]),
                    Place(row["root"], row["key"]),
                    FileSpec("", row["size_bytes"], row["sha256"]),
                    row["is_verified"],
                ),
            )
            for row in rows
        ]

    async def show_instead(self, owner_id: UUID, root: str, copied: Sequence[Copied]) -> None:
        """See `ports.moves.MoveStore`."""
        async with self._pool.transaction() as connection:
            await lock(connection, owner_id)
            added, counted = await _end_uploads(connection, owner_id, copied)
            known = await _known(connection, root, copied)
            paths: list[str] = []
            old_ids: list[UUID] = []
            new_ids: list[UUID] = []
            for it in copied:
                new_id = (known if it.upload is None else added).get(it.content.file.sha256)
                if new_id is not None:
                    paths += it.paths
                    old_ids += [it.content.content_id] * len(it.paths)
                    new_ids += [new_id] * len(it.paths)
            rows = await connection.fetch(_QUERIES["show_instead"], owner_id, paths, old_ids, new_ids)
            shown, gone = Counter[UUID](), counted
            for row in rows:
                shown[uuid_of(row["new_id"])] += row["number"]
                gone[uuid_of(row["old_id"])] += row["number"]
            await connection.execute(_CONTENTS["add_references"], list(shown), list(shown.values()))
            await drop_references(connection, gone)


async def _end_uploads(
    connection: Connection, owner_id: UUID, copied: Sequence[Copied]
) -> tuple[Mapping[bytes, UUID], Counter[UUID]]:
    """Store which contents came by uploads that are still open; returns them by hash, and how often each counts."""
    uploads = {it.upload.upload_id: it.upload for it in copied if it.upload is not None}
    rows = await connection.fetch(_QUERIES["close_uploads"], owner_id, list(uploads))
    ended = [uploads[uuid_of(row["upload_id"])] for row in rows]
    if not ended:
        return {}, Counter()
    added = await add_contents(connection, ended)
    counted = Counter(added[it.place.root, it.file.sha256] for it in ended)
    return {sha256: content_id for (_, sha256), content_id in added.items()}, counted


async def _known(connection: Connection, root: str, copied: Sequence[Copied]) -> Mapping[bytes, UUID]:
    """Return the verified contents below a root, by hash; they stay until the transaction ends."""
    wanted = [it.content.file.sha256 for it in copied if it.upload is None]
    rows = await connection.fetch(_CONTENTS["known_contents"], root, wanted)
    return {row["sha256"]: uuid_of(row["content_id"]) for row in rows}


def _no_such_experiment(experiment_id: int) -> NotFoundError:
    return NotFoundError(f"there is no experiment with id {experiment_id}")
