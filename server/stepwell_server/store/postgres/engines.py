"""What kind of PostgreSQL a database is."""

from stepwell_server.store.postgres.pool import Pool

_IS_DISTRIBUTED = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"


async def is_distributed(pool: Pool) -> bool:
    """Tell whether tables may lie on several nodes: where Citus is installed, PostgreSQL's distributed engine."""
    async with pool.connection() as connection:
        found: bool = await connection.fetchval(_IS_DISTRIBUTED)
    return found
