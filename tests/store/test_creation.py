"""Runs and models that are created while their experiment is deleted, in the forms for one and for several machines."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import pytest

from stepwell_server.errors import InvalidStateError
from stepwell_server.model.logged_models import LoggedModelSpec
from stepwell_server.model.runs import RunSpec
from stepwell_server.store import sql
from stepwell_server.store.models.logged_models import PostgresLoggedModelStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.tracking.experiments import PostgresExperimentStore
from stepwell_server.store.tracking.runs import PostgresRunStore
from tests.harness.store.databases import wait_until_blocked

QUERIES = sql.load("experiments")
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

Creation = Callable[[Pool, int], Coroutine[Any, Any, Any]]


async def create_run(pool: Pool, experiment_id: int) -> None:
    await PostgresRunStore(pool).create_run(RunSpec(uuid4(), experiment_id))


async def create_model(pool: Pool, experiment_id: int) -> None:
    spec = LoggedModelSpec(model_id=uuid4(), name="model", experiment_id=experiment_id)
    if not await PostgresLoggedModelStore(pool).create(spec):
        raise InvalidStateError("the experiment was deleted just now")


@pytest.mark.parametrize("create", [create_run, create_model])
@pytest.mark.parametrize("is_distributed", [False, True])
async def test_nothing_is_added_to_an_experiment_that_is_just_deleted(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch, is_distributed: bool, create: Creation
) -> None:
    """It waits for who deletes, and then adds nothing, though it had seen the experiment active."""
    monkeypatch.setattr(sql.Queries, "is_distributed", is_distributed)
    experiment_id = (await PostgresExperimentStore(pool).create_experiment("short", "", {})).experiment_id
    async with pool.transaction() as connection:
        await connection.execute(QUERIES["lock"], experiment_id)
        await connection.execute(QUERIES["change_stage"], experiment_id, "deleted")
        adding = asyncio.create_task(create(pool, experiment_id))
        await wait_until_blocked(database_url)
        assert await connection.fetchval(QUERIES["delete_runs"], experiment_id) == 0
    with pytest.raises(InvalidStateError, match="deleted just now"):
        await adding
    async with pool.connection() as connection:
        left = "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM logged_model)"
        assert tuple(await connection.fetchrow(left)) == (0, 0)


@pytest.mark.parametrize("is_distributed", [False, True])
async def test_who_deletes_waits_for_a_run_that_is_being_created(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch, is_distributed: bool
) -> None:
    monkeypatch.setattr(sql.Queries, "is_distributed", is_distributed)
    experiments = PostgresExperimentStore(pool)
    experiment_id = (await experiments.create_experiment("short", "", {})).experiment_id
    async with pool.transaction() as connection:
        create = sql.load("runs")["create"]
        await connection.execute(create, uuid4(), experiment_id, "", 0, "", "", [], [])
        deleting = asyncio.create_task(experiments.delete_experiment(experiment_id))
        await wait_until_blocked(database_url)
    assert await deleting == 1
