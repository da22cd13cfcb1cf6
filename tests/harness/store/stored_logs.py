"""A writer's log for tests that talk to the store: cuts batches that follow each other, and commits them."""

from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

import numpy as np

from stepwell_server.model.ingest import NO_POINTS, Batch, Outcome, Points, WriterIdentity
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.upkeep.ranges import RANGES, Ranges

Point = tuple[int, int, float]


class StoredLog:
    """One writer of one run; what it commits is there when `commit` returns."""

    def __init__(self, pool: Pool, run_id: UUID, rank: int | None = None) -> None:
        self._pool = pool
        self.run_id = run_id
        self.writer_id = uuid4()
        self.rank = rank
        self.position = 0

    async def commit(self, series: dict[str, Sequence[Point]]) -> list[Outcome]:
        """Commit one batch of points by metric."""
        if not self.position:
            identity = WriterIdentity(self.run_id, self.writer_id, self.rank)
            await PostgresWriterStore(self._pool).open_writer(identity)
        flat = [point for points in series.values() for point in points]
        first, self.position = self.position, self.position + max(1, len(flat))
        points = Points(
            list(series),
            np.array([len(points) for points in series.values()], np.int64),
            np.array([step for step, _, _ in flat], np.int64),
            np.array([time for _, time, _ in flat], np.int64),
            np.array([value for _, _, value in flat], np.float64),
        )
        batch = Batch(self.run_id, self.writer_id, first, self.position, points if flat else NO_POINTS, ())
        store = PointStore(self._pool, MetricIds(self._pool))
        return await store.commit(await store.prepare([batch]))


async def new_run(pool: Pool, start_time_ms: int = 0) -> UUID:
    """Make a run in the default experiment."""
    run_id = uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)"
            " VALUES ($1, 0, 'a run', 1, $2, 'someone', 'nowhere')",
            run_id,
            start_time_ms,
        )
    return run_id


async def let_time_pass(pool: Pool, seconds: float) -> None:
    """Let all chunks that are there have been committed so much earlier."""
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE metric_chunk SET committed_time_ms = committed_time_ms - $1", round(1_000 * seconds)
        )


class Everything(Ranges):
    """All ranges, whoever else holds them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.held = list(range(RANGES))

    async def keep(self) -> bool:
        """Hold on to them."""
        return True

    async def let_go(self, numbers: Collection[int]) -> None:
        """Keep them all the same."""
