"""Writers' logs for tests of the store: cuts batches that follow each other, commits them, reads them back."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from stepwell_server.model.ingest import NO_POINTS, Batch, Entry, Outcome, Points, WriterIdentity
from stepwell_server.model.series import EVERYTHING, SeriesName
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.ingest.writers import PostgresWriterStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series.histories import PostgresSeriesStore

Point = tuple[int, int, float]

# How many connections to the test's database wait for a lock.
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Log:
    """A writer's log: cuts batches that follow each other."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self.writer_id = uuid4()
        self.position = 0

    def batch(
        self, series: dict[str, Sequence[Point]], entries: Sequence[Entry] = (), skip: int = 0
    ) -> Batch:
        flat = [point for points in series.values() for point in points]
        first = self.position
        self.position += max(1, len(flat) + len(entries) + skip)
        points = Points(
            list(series),
            np.array([len(points) for points in series.values()], np.int64),
            np.array([step for step, _, _ in flat], np.int64),
            np.array([time for _, time, _ in flat], np.int64),
            np.array([value for _, _, value in flat], np.float64),
        )
        return Batch(
            self.run_id, self.writer_id, first, self.position, points if flat else NO_POINTS, entries
        )


async def new_run(pool: Pool, stage: str = "active", run_id: UUID | None = None) -> UUID:
    run_id = run_id or uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO run VALUES ($1, 0, 'a run', 1, 0, NULL, $2, 'someone', 'nowhere')", run_id, stage
        )
    return run_id


async def opened(pool: Pool, run_id: UUID) -> Log:
    log = Log(run_id)
    assert (await PostgresWriterStore(pool).open_writer(WriterIdentity(run_id, log.writer_id))).position == 0
    return log


async def commit(writer: GroupCommitWriter, *batches: Batch) -> list[Outcome]:
    return [await settled for settled in [await writer.submit(batch) for batch in batches]]


async def history(pool: Pool, run_id: UUID, key: str) -> list[Point]:
    points: list[Point] = []
    async for piece in PostgresSeriesStore(pool).history([SeriesName(run_id, key)], EVERYTHING, None):
        columns = piece.points
        points += zip(
            columns.steps.tolist(), columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True
        )
    return points


async def rows(pool: Pool, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
