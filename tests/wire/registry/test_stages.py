"""Stages, and the history of who moved what."""

import asyncio

import grpc
import pytest

from stepwell_api.v1 import registry_pb2 as pb
from stepwell_server.store.postgres.pool import Pool
from tests.harness.calls import invalid, invalid_state, not_found
from tests.store.ingest.test_commit import rows
from tests.wire.registry.conftest import Registry, tags


@pytest.fixture
async def three(registry: Registry) -> Registry:
    """A model with three versions."""
    await registry.model()
    for _ in range(3):
        await registry.version()
    return registry


@pytest.mark.parametrize(
    ("given", "stage"), [("staging", "Staging"), ("PRODUCTION", "Production"), ("archived", "Archived")]
)
async def test_stages_are_read_in_any_case(three: Registry, given: str, stage: str) -> None:
    assert (await three.move(2, given)).stage == stage
    assert await three.latest(given.upper()) == [(stage, 2)]
    assert (await three.move(2, "none")).stage == "None"


async def test_stages_that_there_are_not(three: Registry) -> None:
    for stage in ("", "Nowhere", "Deleted_Internal"):
        async with invalid("None, Staging, Production, Archived"):
            await three.move(1, stage)
        async with invalid("None, Staging, Production, Archived"):
            await three.latest(stage)
    async with not_found("version=9"):
        await three.move(9, "Staging")
    async with not_found("'none'"):
        await three.move(1, "Staging", name="none")
    async with not_found("'none'"):
        await three.move(1, "Nowhere", name="none")


async def test_the_latest_version_of_each_stage(three: Registry) -> None:
    await three.move(1, "Production")
    await three.move(2, "Production")
    assert await three.latest() == [("None", 3), ("Production", 2)]
    assert await three.latest("None", "Staging") == [("None", 3)]
    model = await three.get_model()
    assert [(it.stage, it.version) for it in model.latest_versions] == [("None", 3), ("Production", 2)]


async def test_others_are_archived_when_they_shall(three: Registry) -> None:
    await three.move(1, "Staging")
    await three.move(2, "Staging")
    assert (await three.get(version=1)).stage == "Staging"
    moved = await three.move(3, "staging", archive_existing_versions=True)
    others = [await three.get(version=number) for number in (1, 2)]
    assert [it.stage for it in others] == ["Archived", "Archived"]
    assert {it.last_update_time_ms for it in others} == {moved.last_update_time_ms}
    # Who is there already stays.
    assert (await three.move(3, "Staging", archive_existing_versions=True)).stage == "Staging"
    for stage in ("None", "Archived"):
        async with invalid("not an active stage"):
            await three.move(3, stage, archive_existing_versions=True)


async def test_a_move_and_its_archive_are_seen_together(three: Registry, pool: Pool) -> None:
    await three.move(1, "Production")
    moving = asyncio.create_task(_replace_again_and_again(three))
    seen = set()
    while not moving.done():
        seen.add(tuple(await rows(pool, "SELECT version FROM model_version WHERE stage = 'Production'")))
        await asyncio.sleep(0)
    await moving
    assert seen <= {((1,),), ((2,),), ((3,),)}


async def _replace_again_and_again(three: Registry) -> None:
    for number in (2, 3, 1) * 4:
        await three.move(number, "Production", archive_existing_versions=True)


async def test_a_race_that_is_lost_changes_nothing(three: Registry) -> None:
    await three.move(1, "Production", expect_version_in_stage=0)
    await three.move(2, "Production", archive_existing_versions=True, expect_version_in_stage=1)
    async with invalid_state("version 2 is in Production of 'm', not version 1 as expected"):
        await three.move(3, "Production", archive_existing_versions=True, expect_version_in_stage=1)
    async with invalid_state("not no version"):
        await three.move(3, "Production", expect_version_in_stage=0)
    assert await three.latest() == [("Archived", 1), ("None", 3), ("Production", 2)]


async def test_one_of_many_at_once_wins(registry: Registry) -> None:
    await registry.model()
    created = await asyncio.gather(*(registry.version() for _ in range(10)))
    numbers = [version.version for version in created]
    assert sorted(numbers) == list(range(1, 11))

    async def race(number: int) -> bool:
        try:
            await registry.move(number, "Production", expect_version_in_stage=0)
        except grpc.aio.AioRpcError as lost:
            return lost.code() is not grpc.StatusCode.FAILED_PRECONDITION
        return True

    assert sum(await asyncio.gather(*map(race, numbers))) == 1
    # However many replace what is there, one is left.
    await asyncio.gather(
        *(registry.move(number, "Production", archive_existing_versions=True) for number in numbers)
    )
    assert len(await registry.versions("stage = 'Production'")) == 1
    history = await registry.changes("m", kinds=[pb.CHANGE_KIND_STAGE_CHANGED])
    assert [change.number for change in history] == sorted(change.number for change in history)


async def test_stages_of_a_models_own(three: Registry) -> None:
    changed = await three.update_model(custom_stages=pb.Stages(name=["Shadow", "2x"]))
    assert list(changed.custom_stages) == ["Shadow", "2x"]
    await three.move(1, "shadow")
    assert (await three.move(2, "Shadow", archive_existing_versions=True)).stage == "Shadow"
    assert await three.latest() == [("Archived", 1), ("None", 3), ("Shadow", 2)]
    async with invalid_state("1 versions of 'm' are in Shadow"):
        await three.update_model(custom_stages=pb.Stages())
    await three.move(2, "None")
    assert not (await three.update_model(custom_stages=pb.Stages())).custom_stages
    async with invalid("must be one of"):
        await three.move(1, "Shadow")
    await three.model("other")
    async with invalid("must be one of"):
        await three.latest("Shadow", name="other")


@pytest.mark.parametrize("stage", ["", " x", "a/b", "a@b", "7", "latest", "production", "s" * 65])
async def test_what_is_no_stage(registry: Registry, stage: str) -> None:
    async with invalid("stage"):
        await registry.model(custom_stages=[stage])
    async with invalid("there already"):
        await registry.model(custom_stages=["x", "X"])
    async with invalid("at most 20"):
        await registry.model(custom_stages=[f"s{number}" for number in range(21)])


async def test_the_history_says_who_when_and_why(registry: Registry) -> None:
    ada = pb.Author(user="ada", comment="it is better")
    await registry.model(author=ada)
    await registry.version(source="s3://a", author=ada)
    await registry.version()
    await registry.move(1, "Production", author=ada)
    await registry.move(2, "Production", archive_existing_versions=True, author=pb.Author(user="bob"))
    await registry.alias("champion", 1)
    await registry.alias("champion", 2)
    await registry.alias("champion", 2)  # nothing changes
    await registry.update_model(tags=tags(t="1"))
    await registry.update_model(tags=tags(t="1"))  # nothing changes
    await registry.update_model(new_name="n")
    await registry.versions_stub.DeleteModelVersion(pb.DeleteModelVersionRequest(name="n", version=2))
    await registry.models_stub.DeleteRegisteredModel(pb.DeleteRegisteredModelRequest(name="n", author=ada))
    kind = pb.ChangeKind
    expected = [
        (kind.CHANGE_KIND_MODEL_CREATED, "m", 0, "", "", "", "ada"),
        (kind.CHANGE_KIND_VERSION_CREATED, "m", 1, "", "", "s3://a", "ada"),
        (kind.CHANGE_KIND_VERSION_CREATED, "m", 2, "", "", "s3://bucket/m", ""),
        (kind.CHANGE_KIND_STAGE_CHANGED, "m", 1, "", "None", "Production", "ada"),
        (kind.CHANGE_KIND_STAGE_CHANGED, "m", 1, "", "Production", "Archived", "bob"),
        (kind.CHANGE_KIND_STAGE_CHANGED, "m", 2, "", "None", "Production", "bob"),
        (kind.CHANGE_KIND_ALIAS_SET, "m", 1, "champion", "", "1", ""),
        (kind.CHANGE_KIND_ALIAS_SET, "m", 2, "champion", "1", "2", ""),
        (kind.CHANGE_KIND_TAG_SET, "m", 0, "t", "", "1", ""),
        (kind.CHANGE_KIND_MODEL_RENAMED, "m", 0, "", "m", "n", ""),
        (kind.CHANGE_KIND_ALIAS_REMOVED, "n", 2, "champion", "2", "", ""),
        (kind.CHANGE_KIND_VERSION_DELETED, "n", 2, "", "Production", "", ""),
        (kind.CHANGE_KIND_MODEL_DELETED, "n", 0, "", "", "", "ada"),
    ]
    history = await registry.changes("n")  # also of what is gone
    assert history == await registry.changes("m")  # nobody else has that name now
    told = [(it.kind, it.name, it.version, it.key, it.before, it.after, it.user) for it in history]
    assert told == expected
    assert history[0].comment == "it is better"
    assert all(it.time_ms > 1_700_000_000_000 for it in history)
    assert list(await registry.changes("n", version=2, limit=2)) == [history[2], history[5]]
    assert list(await registry.changes(position=history[10].number)) == list(history[11:])
    latest_first = pb.ListChangesRequest(name="n", position=history[2].number)
    assert list((await registry.models_stub.ListChanges(latest_first)).changes) == [history[1], history[0]]
    async with not_found("'none'"):
        await registry.changes("none")
    async with invalid("limit"):
        await registry.changes(limit=1_001)
