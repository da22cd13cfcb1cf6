"""Leases of writers in PostgreSQL, and the runs whose writers have let them all run out."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from stepwell_server.model.ingest import AwaitedWriter, LostRun
from stepwell_server.model.runs import LOST_TAG
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Pool

# One server at a time looks for lost runs; the others skip their turn.
ADVISORY_LOCK_KEY = int.from_bytes(b"sw lost")
# Runs that are marked in one transaction, at most; the rest is for the next turn.
LOST_RUNS_MAX = 1_000

_QUERIES = sql.load("leases")


class PostgresLeaseStore:
    """Implements `ports.LeaseStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def hold(self, writers: Mapping[tuple[UUID, UUID], bool], period_ms: int) -> Sequence[UUID]:
        """See `ports.LeaseStore`."""
        keys = sorted(writers)
        alive = sorted({run_id for run_id, writer_id in keys if writers[run_id, writer_id]})
        async with self._pool.transaction() as connection:
            await connection.execute(
                _QUERIES["hold"],
                [run_id for run_id, _ in keys],
                [writer_id for _, writer_id in keys],
                [writers[key] for key in keys],
                period_ms,
            )
            rows = await connection.fetch(_QUERIES["restore"], alive, LOST_TAG) if alive else ()
        return [UUID(int=row["run_id"].int) for row in rows]

    async def await_writer(self, run_id: UUID, awaited: AwaitedWriter, period_ms: int) -> None:
        """See `ports.LeaseStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(
                _QUERIES["await_writer"],
                run_id,
                awaited.host,
                awaited.process_id,
                awaited.rank,
                period_ms,
            )

    async def release(self, run_id: UUID, writer_id: UUID) -> None:
        """See `ports.LeaseStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["release"], run_id, writer_id)

    async def extend_all(self, period_ms: int) -> None:
        """See `ports.LeaseStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["extend"], period_ms)
            await connection.execute(_QUERIES["extend_awaited"], period_ms)

    async def fail_lost_runs(self, explain: Callable[[LostRun], str]) -> Sequence[LostRun]:
        """See `ports.LeaseStore`."""
        async with self._pool.transaction() as connection:
            if not await connection.fetchval(_QUERIES["elect"], ADVISORY_LOCK_KEY):
                return []
            rows = [
                *await connection.fetch(_QUERIES["take_expired"], LOST_RUNS_MAX),
                *await connection.fetch(_QUERIES["take_never_come"], LOST_RUNS_MAX),
            ]
            lost = [
                LostRun(
                    run_id=UUID(int=row["run_id"].int),
                    host=row["host"],
                    process_id=row["process_id"],
                    rank=row["rank"],
                    heard_time_ms=row["heard_time_ms"],
                    came=row["came"],
                )
                for row in rows
            ]
            if lost:
                await connection.execute(
                    _QUERIES["fail"],
                    [run.run_id for run in lost],
                    [run.heard_time_ms for run in lost],
                    [explain(run) for run in lost],
                    LOST_TAG,
                )
        return lost
