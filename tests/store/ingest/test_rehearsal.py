"""A new connection has planned what commits need before one waits for it."""

from stepwell_server.process.deadline import Deadline
from stepwell_server.store.ingest.rehearsal import rehearse_commit
from stepwell_server.store.postgres.pool import open_pool
from stepwell_server.store.sql import load


async def test_a_new_connection_has_planned_its_commits(database_url: str) -> None:
    async with (
        open_pool(database_url, Deadline(10), rehearse=rehearse_commit) as pool,
        pool.connection() as connection,
    ):
        planned = {
            row["statement"] for row in await connection.fetch("SELECT statement FROM pg_prepared_statements")
        }
        sql = load("ingest")
        assert {sql["advance_positions"], sql["merge_latest"], sql["commit_points"]} <= planned
        assert not await connection.fetchval("SELECT EXISTS (SELECT FROM metric_chunk)")
