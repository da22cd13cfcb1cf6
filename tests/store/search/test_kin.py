"""Ancestors and children of runs, as one PostgreSQL finds them, and several."""

import random
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.exploring import ANCESTORS_MAX
from stepwell_server.model.runs import PARENT_RUN_TAG, ViewType
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.exploring import PostgresExploringStore
from stepwell_server.store.tracking.flat_exploring import FlatExploringStore
from tests.harness.store.stored_logs import new_run

SEED = 2026


@pytest.fixture
async def family(pool: Pool) -> list[UUID]:
    """Runs with parents by chance: trees, circles, parents that are gone or deleted, and one long line."""
    chance = random.Random(SEED)
    runs = [await new_run(pool) for _ in range(60)]
    line = [await new_run(pool) for _ in range(ANCESTORS_MAX + 3)]
    tags = [(run, chance.choice([*runs, run, uuid4()]).hex) for run in runs[5:]]
    tags += [(one, other.hex) for one, other in pairwise(line)]
    tags += [(runs[0], "no id"), (runs[1], runs[2].hex.upper())]
    async with pool.connection() as connection:
        number = await connection.fetchval(
            "INSERT INTO experiment (name, artifact_location, creation_time_ms, last_update_time_ms)"
            " VALUES ('hidden', '', 1, 1) RETURNING experiment_id"
        )
        await connection.executemany(
            "INSERT INTO tag VALUES ($1, $2, $3)", [(run, PARENT_RUN_TAG, value) for run, value in tags]
        )
        await connection.execute(
            "UPDATE run SET experiment_id = $1 WHERE run_id = ANY ($2)", number, runs[::7]
        )
        await connection.execute(
            "UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = ANY ($1)", runs[::5]
        )
    return [*runs, *line, uuid4()]


@pytest.mark.parametrize("within", [EVERYWHERE, Within(only=frozenset({0})), Within(hidden=frozenset({1}))])
@pytest.mark.parametrize("view", [ViewType.ACTIVE_ONLY, ViewType.ALL])
async def test_both_find_the_same(pool: Pool, family: list[UUID], view: ViewType, within: Within) -> None:
    single, several = [
        await kind(pool).kin(family, view, within) for kind in (PostgresExploringStore, FlatExploringStore)
    ]
    assert len(single) == len(family) - 1
    assert {len(it.ancestors) for it in single} >= {0, 1, ANCESTORS_MAX}
    assert [(it.run_id, list(it.ancestors), it.children) for it in several] == [
        (it.run_id, list(it.ancestors), it.children) for it in single
    ]
