"""Numbers of metric names: names are stored once, points carry the number."""

from collections.abc import Iterable, Mapping

from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

# At about 200 bytes a name this is 40 MB. When it is full the cache starts anew: the database knows them all.
CACHED_NAMES_MAX = 200_000

_SQL = load("ingest")


class MetricIds:
    """Resolves metric names to ids, adding the names that are new."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ids: dict[str, int] = {}

    async def resolve(self, names: Iterable[str]) -> dict[str, int]:
        """Return the id of each name."""
        wanted = set(names)
        found = {name: self._ids[name] for name in wanted if name in self._ids}
        missing = sorted(wanted - found.keys())
        if missing:
            added = await self._add(missing)
            found |= added
            self._remember(added)
        return found

    async def _add(self, names: list[str]) -> dict[str, int]:
        """Outside of the commit's transaction, so that no writer waits for another one's new names.

        Names are looked up before they are added: an INSERT takes a number for each of its rows, also for those that
        are there.
        """
        ids: dict[str, int] = {}
        async with self._pool.connection() as connection:
            # The last look finds what somebody else added meanwhile.
            for statement in ("known_metrics", "add_metrics", "known_metrics"):
                rows = await connection.fetch(_SQL[statement], [name for name in names if name not in ids])
                ids |= {row["name"]: row["metric_id"] for row in rows}
                if len(ids) == len(names):
                    break
        return ids

    def _remember(self, ids: dict[str, int]) -> None:
        if len(self._ids) + len(ids) > CACHED_NAMES_MAX:
            self._ids.clear()
        self._ids |= ids


class MetricNames:
    """The way back: resolves ids to names. A number is never given to another name."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    async def resolve(self, connection: Connection, ids: Iterable[int]) -> Mapping[int, str]:
        """Return the name of each id, and perhaps others."""
        names = self._names
        missing = [number for number in set(ids) if number not in names]
        if missing:
            rows = await connection.fetch(_SQL["metric_names"], missing)
            if len(names) + len(rows) > CACHED_NAMES_MAX:
                names = self._names = {number: names[number] for number in set(ids) & names.keys()}
            names |= {row["metric_id"]: row["name"] for row in rows}
        return names
