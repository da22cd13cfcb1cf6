"""Removing content of artifacts, which others may show."""

from uuid import uuid4

from stepwell_server.store.postgres.pool import Pool


async def test_whether_an_artifact_shows_content_is_looked_up_by_an_index(pool: Pool) -> None:
    """What the foreign key asks when content goes: in all artifacts, it would take the longer the more there are."""
    async with pool.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT FROM artifact WHERE content_id = $1 FOR KEY SHARE", uuid4()
        )
    assert "artifact_by_content" in str(plan)
