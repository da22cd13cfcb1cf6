import time
from collections.abc import Callable

import grpc.aio
import pytest
from google.protobuf.message import Message

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub
from stepwell_server.app import RunningServer
from tests.harness.calls import already_exists, invalid, not_found


@pytest.fixture
def experiments(channel: grpc.aio.Channel) -> ExperimentServiceStub:
    return ExperimentServiceStub(channel)


async def create(experiments: ExperimentServiceStub, name: str, **fields: object) -> pb.Experiment:
    answer = await experiments.CreateExperiment(pb.CreateExperimentRequest(name=name, **fields))
    return answer.experiment


async def get(experiments: ExperimentServiceStub, **selector: object) -> pb.Experiment:
    return (await experiments.GetExperiment(pb.GetExperimentRequest(**selector))).experiment


async def test_the_default_experiment_exists(experiments: ExperimentServiceStub) -> None:
    default = await get(experiments, experiment_id=0)
    assert default.name == "Default"
    assert default.artifact_location == "stepwell-artifacts:/0"
    assert await get(experiments, name="Default") == default


async def test_a_created_experiment_is_read_back(experiments: ExperimentServiceStub) -> None:
    tags = [pb.Tag(key="b", value="2"), pb.Tag(key="a", value="größe")]
    created = await create(experiments, "digits", tags=tags)
    assert created.artifact_location == f"stepwell-artifacts:/{created.experiment_id}"
    assert created.lifecycle_stage == pb.LIFECYCLE_STAGE_ACTIVE
    assert created.creation_time_ms == created.last_update_time_ms > 1_700_000_000_000
    found = await get(experiments, experiment_id=created.experiment_id)
    assert [(tag.key, tag.value) for tag in found.tags] == [("a", "größe"), ("b", "2")]
    assert found == await get(experiments, name="digits")


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("gs://bucket/x", "--artifact-bucket gs://bucket/prefix"),
        ("az://container/x", "--artifact-bucket az://container/prefix"),
        ("hdfs://bucket/x", "hdfs: are not served"),
        ("azure+blob://x", "are not served"),
        ("http://x/y", "http: are not served"),
        ("S3://bucket/x", "S3: are not served"),
        ("s3://bucket/x", "--artifact-bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://a@b/c", "names no bucket"),
        ("s3://bucket/../../x", "'..'"),
        ("s3://bucket/a?b", "'?'"),
        ("s3://bucket/%2e%2e/x", "'%'"),
        ("file:///etc", "--artifact-folder"),
        ("file://elsewhere/x", "names no folder"),
        ("/etc", "--artifact-folder"),
        ("mlruns", "relative path"),
    ],
)
async def test_places_that_are_not_the_servers_to_give_are_refused(
    experiments: ExperimentServiceStub, location: str, problem: str
) -> None:
    async with invalid(problem):
        await create(experiments, "elsewhere", artifact_location=location)


async def test_a_taken_name_is_refused(experiments: ExperimentServiceStub) -> None:
    await create(experiments, "once")
    async with already_exists("'once'"):
        await create(experiments, "once")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 501},
        {"name": "a\0b"},
        {"name": "x", "artifact_location": "y" * 2_049},
        {"name": "x", "artifact_location": "runs:/1"},
        {"name": "x", "tags": [pb.Tag(key="", value="v")]},
        {"name": "x", "tags": [pb.Tag(key="k", value="\0")]},
        {"name": "x", "tags": [pb.Tag(key="k", value="1"), pb.Tag(key="k", value="2")]},
    ],
)
async def test_wrong_input_is_refused(experiments: ExperimentServiceStub, fields: dict[str, object]) -> None:
    async with invalid():
        await create(experiments, **fields)


async def test_the_longest_name_is_taken(experiments: ExperimentServiceStub) -> None:
    assert (await create(experiments, "🙂" * 500)).name == "🙂" * 500


async def test_a_missing_experiment_is_not_found(experiments: ExperimentServiceStub) -> None:
    async with not_found("12345"):
        await get(experiments, experiment_id=12_345)
    async with not_found("'nobody'"):
        await get(experiments, name="nobody")
    async with invalid("experiment_id or name"):
        await get(experiments)


async def page(
    experiments: ExperimentServiceStub, size: int, token: str, view: pb.ViewType = pb.VIEW_TYPE_UNSPECIFIED
) -> tuple[list[str], str]:
    request = pb.ListExperimentsRequest(page_size=size, page_token=token, view_type=view)
    answer = await experiments.ListExperiments(request)
    return [experiment.name for experiment in answer.experiments], answer.next_page_token


async def test_pages_show_everything_once_newest_first(experiments: ExperimentServiceStub) -> None:
    for number in range(5):
        await create(experiments, f"e{number}")
    first, token = await page(experiments, 2, "")
    await create(experiments, "newer")  # does not move what comes after
    second, token = await page(experiments, 2, token)
    third, token = await page(experiments, 2, token)
    assert [first, second, third] == [["e4", "e3"], ["e2", "e1"], ["e0", "Default"]]
    assert token == ""


async def test_a_view_shows_its_stages(experiments: ExperimentServiceStub, server: RunningServer) -> None:
    await create(experiments, "gone")
    async with server.pool.connection() as connection:
        await connection.execute("UPDATE experiment SET lifecycle_stage = 'deleted' WHERE name = 'gone'")
    assert await page(experiments, 0, "") == (["Default"], "")
    assert await page(experiments, 0, "", pb.VIEW_TYPE_DELETED_ONLY) == (["gone"], "")
    assert await page(experiments, 0, "", pb.VIEW_TYPE_ALL) == (["gone", "Default"], "")


async def test_wrong_listings_are_refused(experiments: ExperimentServiceStub) -> None:
    async with invalid("page token"):
        await page(experiments, 1, "broken")
    for size in (-1, 50_001):
        async with invalid("page size"):
            await page(experiments, size, "")
    async with invalid("view type"):
        await page(experiments, 1, "", 99)


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("UpdateExperiment", pb.UpdateExperimentRequest),
        ("DeleteExperimentTag", pb.DeleteExperimentTagRequest),
        ("DeleteExperiment", pb.DeleteExperimentRequest),
        ("RestoreExperiment", pb.RestoreExperimentRequest),
    ],
)
async def test_what_changes_an_experiment_names_it(
    experiments: ExperimentServiceStub, method: str, request_type: Callable[[], Message]
) -> None:
    async with invalid("set experiment_id"):
        await getattr(experiments, method)(request_type())


async def test_default_stays(experiments: ExperimentServiceStub) -> None:
    async with invalid("Default stays"):
        await experiments.DeleteExperiment(pb.DeleteExperimentRequest(experiment_id=0))
    assert (await get(experiments, experiment_id=0)).lifecycle_stage == pb.LIFECYCLE_STAGE_ACTIVE


async def test_a_change_of_tags_that_comes_late_undoes_no_later_one(
    experiments: ExperimentServiceStub,
) -> None:
    experiment_id = (await create(experiments, "late")).experiment_id
    now_ms = time.time_ns() // 1_000_000

    async def set_tag(value: str, logged_time_ms: int | None) -> None:
        tags = [pb.Tag(key="a", value=value)]
        request = pb.UpdateExperimentRequest(
            experiment_id=experiment_id, tags=tags, logged_time_ms=logged_time_ms
        )
        await experiments.UpdateExperiment(request)

    async def remove_tag(logged_time_ms: int) -> None:
        request = pb.DeleteExperimentTagRequest(
            experiment_id=experiment_id, key="a", logged_time_ms=logged_time_ms
        )
        await experiments.DeleteExperimentTag(request)

    async def tags() -> list[str]:
        return [tag.value for tag in (await get(experiments, experiment_id=experiment_id)).tags]

    await set_tag("offline", now_ms - 2_000)
    await set_tag("later", now_ms - 1_000)
    await set_tag("offline", now_ms - 2_000)  # a copy of what was logged offline
    await remove_tag(now_ms - 1_500)
    assert await tags() == ["later"]
    await set_tag("from a clock that is ahead", now_ms + 3_600_000)
    await set_tag("now", None)
    assert await tags() == ["now"]
    await remove_tag(now_ms + 3_600_000)
    await remove_tag(now_ms + 3_600_000)  # gone already: no error
    assert await tags() == []
