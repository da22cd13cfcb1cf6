"""Names of metrics get numbers once, and numbers that are taken for nothing are never missed."""

import asyncio

from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.postgres.pool import Pool


async def taken(pool: Pool) -> int:
    """The last number that a name could have got."""
    async with pool.connection() as connection:
        number: int = await connection.fetchval(
            "SELECT last_value FROM pg_sequences WHERE sequencename = 'metric_metric_id_seq'"
        )
        return number


async def test_names_that_are_there_take_no_numbers(pool: Pool) -> None:
    names = [f"known/{number}" for number in range(1000)]
    ids = await MetricIds(pool).resolve(names)
    before = await taken(pool)
    assert await MetricIds(pool).resolve(names) == ids  # another server, or this one started again
    assert await taken(pool) == before
    more = await MetricIds(pool).resolve([*names, "new"])
    assert {name: more[name] for name in names} == ids
    assert await taken(pool) == before + 1


async def test_servers_that_add_the_same_names_at_once_agree(pool: Pool) -> None:
    names = [f"shared/{number}" for number in range(200)]
    first, *others = await asyncio.gather(*(MetricIds(pool).resolve(names) for _ in range(4)))
    assert len(set(first.values())) == len(names)
    assert others == [first] * 3
