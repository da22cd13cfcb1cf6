"""Deleting and restoring, over the wire."""

import asyncio
from uuid import uuid4

import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from tests.harness.calls import already_exists, invalid, invalid_state, not_found


@pytest.fixture
def experiments(channel: grpc.aio.Channel) -> ExperimentServiceStub:
    return ExperimentServiceStub(channel)


@pytest.fixture
def runs(channel: grpc.aio.Channel) -> RunServiceStub:
    return RunServiceStub(channel)


async def create(experiments: ExperimentServiceStub, name: str) -> int:
    answer = await experiments.CreateExperiment(pb.CreateExperimentRequest(name=name))
    return answer.experiment.experiment_id


async def get(experiments: ExperimentServiceStub, **selector: object) -> pb.Experiment:
    return (await experiments.GetExperiment(pb.GetExperimentRequest(**selector))).experiment


async def update(experiments: ExperimentServiceStub, number: int, **fields: object) -> pb.Experiment:
    request = pb.UpdateExperimentRequest(experiment_id=number, **fields)
    return (await experiments.UpdateExperiment(request)).experiment


async def delete(experiments: ExperimentServiceStub, number: int) -> int:
    return (await experiments.DeleteExperiment(pb.DeleteExperimentRequest(experiment_id=number))).runs


async def restore(experiments: ExperimentServiceStub, number: int) -> int:
    return (await experiments.RestoreExperiment(pb.RestoreExperimentRequest(experiment_id=number))).runs


async def new_run(runs: RunServiceStub, experiment_id: int) -> str:
    spec = pb.RunSpec(run_id=uuid4().hex, experiment_id=experiment_id)
    return (await runs.CreateRun(pb.CreateRunRequest(spec=spec))).run.info.run_id


async def delete_run(runs: RunServiceStub, run_id: str) -> None:
    await runs.DeleteRun(pb.DeleteRunRequest(run_id=run_id))


async def restore_run(runs: RunServiceStub, run_id: str) -> None:
    await runs.RestoreRun(pb.RestoreRunRequest(run_id=run_id))


async def is_active(runs: RunServiceStub, run_id: str) -> bool:
    run = (await runs.GetRun(pb.GetRunRequest(run_id=run_id))).run
    return run.info.lifecycle_stage == pb.LIFECYCLE_STAGE_ACTIVE


async def test_an_experiment_is_renamed_and_tagged(experiments: ExperimentServiceStub) -> None:
    number = await create(experiments, "old")
    before = await get(experiments, experiment_id=number)
    tags = [pb.Tag(key="b", value="1"), pb.Tag(key="a", value="x")]
    changed = await update(experiments, number, name="new", tags=tags)
    assert (changed.name, changed.lifecycle_stage) == ("new", pb.LIFECYCLE_STAGE_ACTIVE)
    assert changed.last_update_time_ms >= before.last_update_time_ms
    again = await update(experiments, number, tags=[pb.Tag(key="a", value="y")])
    assert {tag.key: tag.value for tag in again.tags} == {"a": "y", "b": "1"}
    assert again.name == "new"
    await experiments.DeleteExperimentTag(pb.DeleteExperimentTagRequest(experiment_id=number, key="a"))
    assert [tag.key for tag in (await get(experiments, experiment_id=number)).tags] == ["b"]
    async with not_found("no tag 'a'"):
        await experiments.DeleteExperimentTag(pb.DeleteExperimentTagRequest(experiment_id=number, key="a"))


async def test_wrong_changes_of_an_experiment_are_refused(experiments: ExperimentServiceStub) -> None:
    number = await create(experiments, "mine")
    await create(experiments, "taken")
    async with already_exists("'taken'"):
        await update(experiments, number, name="taken")
    async with invalid():
        await update(experiments, number, name=" ")
    async with invalid():
        await update(experiments, number, tags=[pb.Tag(key="..", value="")])
    async with not_found("4711"):
        await update(experiments, 4711, name="x")
    await delete(experiments, number)
    async with invalid_state("restore it"):
        await update(experiments, number, name="x")
    assert (await update(experiments, await create(experiments, "mine"), name="mine")).name == "mine"


async def test_the_name_of_a_deleted_experiment_is_free(experiments: ExperimentServiceStub) -> None:
    first = await create(experiments, "name")
    await delete(experiments, first)
    assert (await get(experiments, name="name")).lifecycle_stage == pb.LIFECYCLE_STAGE_DELETED
    second = await create(experiments, "name")
    assert (await get(experiments, name="name")).experiment_id == second
    async with already_exists("rename or delete"):
        await restore(experiments, first)
    await update(experiments, second, name="other")
    await restore(experiments, first)
    assert (await get(experiments, name="name")).experiment_id == first


async def test_what_was_deleted_one_by_one_stays_deleted(
    experiments: ExperimentServiceStub, runs: RunServiceStub
) -> None:
    number = await create(experiments, "e")
    kept, gone_before, gone_after = [await new_run(runs, number) for _ in range(3)]
    await delete_run(runs, gone_before)
    assert await delete(experiments, number) == 2
    assert await delete(experiments, number) == 0
    await delete_run(runs, gone_after)
    assert [await is_active(runs, run) for run in (kept, gone_before, gone_after)] == [False, False, False]
    assert await restore(experiments, number) == 1
    assert await restore(experiments, number) == 0
    assert [await is_active(runs, run) for run in (kept, gone_before, gone_after)] == [True, False, False]
    await restore_run(runs, gone_before)
    await restore_run(runs, gone_before)
    assert await is_active(runs, gone_before)


async def test_a_run_is_restored_after_its_experiment(
    experiments: ExperimentServiceStub, runs: RunServiceStub
) -> None:
    number = await create(experiments, "e")
    run = await new_run(runs, number)
    await delete(experiments, number)
    async with invalid_state(f"experiment {number}"):
        await restore_run(runs, run)
    for call in (delete_run, restore_run):
        async with not_found("no run"):
            await call(runs, uuid4().hex)
    for change in (delete, restore):
        async with not_found("4711"):
            await change(experiments, 4711)


async def test_no_run_outlives_its_experiment(
    experiments: ExperimentServiceStub, runs: RunServiceStub
) -> None:
    """Runs that are created while the experiment is deleted are deleted with it, or refused."""
    number = await create(experiments, "e")
    made = asyncio.gather(*(new_run(runs, number) for _ in range(40)), return_exceptions=True)
    await asyncio.sleep(0.005)
    await delete(experiments, number)
    created = [run for run in await made if isinstance(run, str)]
    assert [await is_active(runs, run) for run in created] == [False] * len(created)


async def test_concurrent_changes_neither_deadlock_nor_get_lost(
    experiments: ExperimentServiceStub, runs: RunServiceStub
) -> None:
    """Everybody changes the same experiment and the same run at once."""
    number = await create(experiments, "busy")
    run = await new_run(runs, number)

    async def change(worker: int) -> None:
        for round_number in range(8):
            await update(experiments, number, tags=[pb.Tag(key=f"own/{worker}", value=str(round_number))])
            await update(experiments, number, name=f"busy {worker}", tags=[pb.Tag(key="shared", value="x")])
            name = f"{worker}.{round_number}"
            await runs.UpdateRun(pb.UpdateRunRequest(run_id=run, name=name, status=1 + worker % 5))
            if worker % 4 == 0:
                await delete_run(runs, await new_run(runs, number))

    await asyncio.gather(*(change(worker) for worker in range(12)))
    experiment = await get(experiments, experiment_id=number)
    tags = {tag.key: tag.value for tag in experiment.tags}
    assert tags == {"shared": "x"} | {f"own/{worker}": "7" for worker in range(12)}
    final = (await runs.GetRun(pb.GetRunRequest(run_id=run))).run
    assert {tag.key: tag.value for tag in final.tags} == {"mlflow.runName": final.info.name}
