"""LoggedModelService over the wire: models, their files, and what their runs show of them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc.aio
import pytest

from stepwell_api.v1 import artifacts_pb2, ingest_pb2, models_pb2, runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.models_pb2_grpc import LoggedModelServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_server.maintenance import collect_garbage
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.upkeep.garbage import Selection
from tests.harness.calls import invalid, invalid_state, not_found

READY, FAILED = models_pb2.LOGGED_MODEL_STATUS_READY, models_pb2.LOGGED_MODEL_STATUS_FAILED


class Models:
    """Calls about models, in short."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = LoggedModelServiceStub(channel)
        self.artifacts = ArtifactServiceStub(channel)
        self.runs = RunServiceStub(channel)

    async def run(self) -> str:
        spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=0)
        return (await self.runs.CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run.info.run_id

    async def create(self, run_id: str = "", name: str = "m", **fields: object) -> models_pb2.LoggedModel:
        spec = models_pb2.LoggedModelSpec(name=name, source_run_id=run_id, **fields)  # type: ignore[arg-type]
        if not run_id and not spec.WhichOneof("experiment"):
            spec.experiment_id = 0
        request = models_pb2.CreateLoggedModelRequest(spec=spec)
        return (await self.stub.CreateLoggedModel(request)).model

    async def finalize(self, model_id: str, status: int = READY) -> models_pb2.LoggedModel:
        request = models_pb2.FinalizeLoggedModelRequest(model_id=model_id, status=status)  # type: ignore[arg-type]
        return (await self.stub.FinalizeLoggedModel(request)).model

    async def get(self, model_id: str) -> models_pb2.LoggedModel:
        return (await self.stub.GetLoggedModel(models_pb2.GetLoggedModelRequest(model_id=model_id))).model

    async def delete(self, model_id: str) -> None:
        await self.stub.DeleteLoggedModel(models_pb2.DeleteLoggedModelRequest(model_id=model_id))

    async def restore(self, model_id: str) -> None:
        await self.stub.RestoreLoggedModel(models_pb2.RestoreLoggedModelRequest(model_id=model_id))

    async def put(self, owner: str, path: str, data: bytes) -> None:
        spec = artifacts_pb2.UploadSpec(path=path, size_bytes=len(data), sha256=hashlib.sha256(data).digest())
        begun = await self.artifacts.BeginUploads(
            artifacts_pb2.BeginUploadsRequest(run_id=owner, files=[spec])
        )
        upload_id = begun.plans[0].upload_id
        if upload_id:
            small = artifacts_pb2.SmallFile(upload_id=upload_id, data=data)
            await self.artifacts.UploadSmall(artifacts_pb2.UploadSmallRequest(run_id=owner, files=[small]))
            finished = artifacts_pb2.FinishedUpload(upload_id=upload_id)
            await self.artifacts.CompleteUploads(
                artifacts_pb2.CompleteUploadsRequest(run_id=owner, uploads=[finished])
            )

    async def made(self, run_id: str, files: dict[str, bytes], name: str = "m") -> str:
        """A READY model with files."""
        model_id = (await self.create(run_id, name)).model_id
        for path, data in files.items():
            await self.put(model_id, path, data)
        await self.finalize(model_id)
        return model_id

    async def files(self, owner: str) -> list[str]:
        listed = await self.artifacts.ListArtifacts(
            artifacts_pb2.ListArtifactsRequest(run_id=owner, recursive=True)
        )
        return [it.path for it in listed.artifacts]

    async def read(self, owner: str, path: str) -> bytes:
        download = self.artifacts.Download(artifacts_pb2.DownloadRequest(run_id=owner, path=path))
        return b"".join([piece.data async for piece in download])

    async def search(self, filter_: str = "", **fields: object) -> list[str]:
        request = models_pb2.SearchLoggedModelsRequest(all_experiments=True, filter=filter_, **fields)  # type: ignore[arg-type]
        return [it.model_id for it in (await self.stub.SearchLoggedModels(request)).models]


@pytest.fixture
def models(channel: grpc.aio.Channel) -> Models:
    return Models(channel)


async def counts_are_right(pool: Pool) -> bool:
    """Whether every content counts the artifacts that show it, and some do."""
    async with pool.connection() as connection:
        return not await connection.fetch(
            "SELECT content_id, reference_count, count(artifact.content_id) FROM artifact_content"
            " LEFT JOIN artifact USING (content_id) GROUP BY content_id, reference_count"
            " HAVING reference_count <> count(artifact.content_id) OR reference_count = 0"
        )


async def test_a_model_is_created_once_and_says_what_it_is(models: Models) -> None:
    run_id, model_id = await models.run(), f"m-{uuid4().hex}"
    params, tags = [runs_pb2.Param(key="lr", value="0.1")], [runs_pb2.Tag(key="team", value="a")]
    fields = {"model_id": model_id, "model_type": "sklearn", "params": params, "tags": tags}
    made = await models.create(run_id, "forest", **fields)
    again = await models.create(run_id, "another", model_id=model_id)
    assert made == again == await models.get(model_id)
    assert (made.name, made.source_run_id, made.experiment_id, made.status) == ("forest", run_id, 0, 1)
    assert made.artifact_uri.endswith(f"/0/models/{model_id}/artifacts")
    assert (list(made.params), list(made.tags)) == (params, tags)
    nameless = await models.create()
    assert nameless.source_run_id == ""


async def test_a_run_shows_nothing_of_a_model_before_it_is_ready(models: Models, pool: Pool) -> None:
    run_id = await models.run()
    model_id = (await models.create(run_id)).model_id
    await models.put(model_id, "MLmodel", b"flavors: {}")
    await models.put(model_id, "data/weights", b"1234")
    assert await models.files(run_id) == []
    assert await models.files(model_id) == ["MLmodel", "data/weights"]
    await models.finalize(model_id)
    assert await models.files(run_id) == ["m/MLmodel", "m/data/weights"]
    assert await models.read(run_id, "m/data/weights") == b"1234"
    await models.finalize(model_id, FAILED)
    assert await models.files(run_id) == []
    assert await counts_are_right(pool)


async def test_of_many_models_of_one_name_the_run_shows_the_newest(models: Models, pool: Pool) -> None:
    run_id = await models.run()
    first = await models.made(run_id, {"MLmodel": b"1", "old": b"x"})
    second = await models.made(run_id, {"MLmodel": b"2", "new": b"x"})
    other = await models.made(run_id, {"MLmodel": b"3"}, "other")
    assert await models.files(run_id) == ["m/MLmodel", "m/new", "other/MLmodel"]
    assert [await models.read(run_id, "m/MLmodel"), await models.read(first, "MLmodel")] == [b"2", b"1"]
    await models.delete(second)
    assert await models.files(run_id) == ["m/MLmodel", "m/old", "other/MLmodel"]
    await models.restore(second)
    assert await models.read(run_id, "m/MLmodel") == b"2"
    await models.put(second, "MLmodel", b"with a signature")
    assert await models.read(run_id, "m/MLmodel") == b"with a signature"
    assert await models.search() == [other, second, first]
    assert await counts_are_right(pool)


async def test_files_of_the_run_itself_stay(models: Models, pool: Pool) -> None:
    run_id = await models.run()
    await models.put(run_id, "m/notes.txt", b"mine")
    await models.put(run_id, "file", b"mine")
    model_id = await models.made(run_id, {"MLmodel": b"1"})
    hidden = await models.made(run_id, {"MLmodel": b"1"}, "file")
    assert await models.files(run_id) == ["file", "m/MLmodel", "m/notes.txt"]
    await models.delete(model_id)
    assert await models.files(run_id) == ["file", "m/notes.txt"]
    assert (await models.get(hidden)).status == READY
    assert await counts_are_right(pool)


async def test_models_of_one_run_at_once(models: Models, pool: Pool) -> None:
    run_id = await models.run()
    await asyncio.gather(
        *(models.made(run_id, {"MLmodel": b"%d" % n, "same": b"x"}, f"n{n % 3}") for n in range(12))
    )
    assert await models.files(run_id) == [f"n{n}/{file}" for n in range(3) for file in ("MLmodel", "same")]
    assert await counts_are_right(pool)


async def test_a_model_without_a_run_has_files_of_its_own(models: Models) -> None:
    model_id = await models.made("", {"MLmodel": b"1"})
    assert (await models.read(model_id, "MLmodel"), await models.search()) == (b"1", [model_id])


async def test_params_and_tags_change_as_those_of_runs(models: Models) -> None:
    model_id = (await models.create()).model_id

    async def params(value: str) -> None:
        pairs = [runs_pb2.Param(key="lr", value=value)]
        request = models_pb2.LogLoggedModelParamsRequest(model_id=model_id, params=pairs)
        await models.stub.LogLoggedModelParams(request)

    await params("1")
    await params("1")
    async with invalid("cannot change"):
        await params("2")
    for value in "ab":
        tags = [runs_pb2.Tag(key="stage", value=value)]
        await models.stub.SetLoggedModelTags(
            models_pb2.SetLoggedModelTagsRequest(model_id=model_id, tags=tags)
        )
    assert [tag.value for tag in (await models.get(model_id)).tags] == ["b"]
    removal = models_pb2.DeleteLoggedModelTagRequest(model_id=model_id, key="stage")
    await models.stub.DeleteLoggedModelTag(removal)
    async with not_found("stage"):
        await models.stub.DeleteLoggedModelTag(removal)


async def test_a_model_never_grows_too_large_to_be_read(models: Models) -> None:
    model_id = (await models.create()).model_id
    text = "ä" * 6_000

    async def params(first: int, count: int, value: str) -> None:
        pairs = [runs_pb2.Param(key=f"p{number}", value=value) for number in range(first, first + count)]
        await models.stub.LogLoggedModelParams(
            models_pb2.LogLoggedModelParamsRequest(model_id=model_id, params=pairs)
        )

    await params(0, 250, text)
    async with invalid("3,145,728 bytes in all"):
        await params(250, 50, text)
    await params(300, 700, "x")
    async with invalid("a model may have 1,000 params"):
        await params(1_000, 51, "x")
    tags = [runs_pb2.Tag(key=f"t{number}", value="x" * 8_000) for number in range(50)]
    async with invalid("bytes in all"):
        await models.stub.SetLoggedModelTags(
            models_pb2.SetLoggedModelTagsRequest(model_id=model_id, tags=tags)
        )
    found = await models.get(model_id)
    assert (len(found.params), len(found.tags)) == (950, 0)


async def test_what_is_wrong_is_named(models: Models) -> None:
    run_id = await models.run()
    for name in ("a/b", "a:b", "a.b", "a%b", "a'b", 'a"b', "a\\b", "a\nb", "x" * 251):
        async with invalid("name"):
            await models.create(run_id, name)
    async with invalid("m- and 32 hexadecimal digits"):
        await models.create(run_id, model_id=uuid4().hex)
    async with invalid("is the id of a run"):
        await models.create(run_id, model_id=f"m-{run_id}")
    async with not_found("no experiment with id 999"):
        await models.create("", experiment_id=999)
    async with not_found("no run with id"):
        await models.create(uuid4().hex)
    async with not_found("Logged model with ID"):
        await models.get(f"m-{uuid4().hex}")
    async with not_found("no model of this id"):
        await models.put(f"m-{uuid4().hex}", "x", b"1")
    model_id = (await models.create(run_id)).model_id
    await models.delete(model_id)
    await models.delete(model_id)
    async with not_found():
        await models.finalize(model_id)
    async with invalid_state("is deleted"):
        await models.put(model_id, "x", b"1")
    async with invalid("models have no attribute 'color'"):
        await models.search("color = 'x'")


@pytest.mark.parametrize("is_distributed", [False, True])
async def test_searches_find_models_by_what_they_have(
    models: Models, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch, is_distributed: bool
) -> None:
    monkeypatch.setattr(sql.Queries, "is_distributed", is_distributed)
    run_id = await models.run()
    small = await models.create(
        run_id, "small", model_type="tree", params=[runs_pb2.Param(key="n", value="3")]
    )
    large = await models.create(run_id, "large", tags=[runs_pb2.Tag(key="team", value="a")])
    await models.finalize(large.model_id)
    await log_model_points(
        channel,
        run_id,
        [
            (small.model_id, "acc", 0.5, 1, "train"),
            (small.model_id, "acc", 0.4, 2, "test"),
            (large.model_id, "acc", 0.9, 1, "train"),
            (large.model_id, "acc", 0.1, 2, "test"),
        ],
    )
    s, g = small.model_id, large.model_id
    train = models_pb2.DatasetName(name="train")
    assert await models.search("name = 'small' AND status = 'PENDING'") == [s]
    assert await models.search("params.n = '3' AND model_type = 'tree'") == [s]
    assert await models.search("tags.team = 'a' OR name LIKE 'sm%'") == [g, s]
    assert await models.search("metrics.acc > 0.8") == [g]
    assert await models.search("max(metrics.acc) < 0.8 AND count(metrics.acc) = 2") == [s]
    assert await models.search("count(metrics.none) = 0 AND mean(metrics.acc) < 0.47") == [s]
    assert await models.search("count(metrics.none) = 0 AND metrics.none > 0") == []
    assert await models.search("metrics.acc < 0.2", datasets=[train]) == []
    assert await models.search("metrics.acc > 0.8", datasets=[train]) == [g]
    assert await models.search(f"source_run_id = '{run_id}' AND model_id = '{s}'") == [s]
    order = models_pb2.LoggedModelOrder
    assert await models.search(order_by=[order(field="name")]) == [g, s]
    assert await models.search(order_by=[order(field="metrics.acc")]) == [g, s]
    assert await models.search(order_by=[order(field="metrics.acc", dataset=train)]) == [s, g]
    request = models_pb2.SearchLoggedModelsRequest(experiment_ids=[0], page_size=1)
    page = await models.stub.SearchLoggedModels(request)
    request.page_token = page.next_page_token
    rest = await models.stub.SearchLoggedModels(request)
    assert [page.models[0].model_id, rest.models[0].model_id, rest.next_page_token] == [g, s, ""]
    request.filter = "name = 'other'"
    async with invalid("page token"):
        await models.stub.SearchLoggedModels(request)


async def log_model_points(
    channel: grpc.aio.Channel, run_id: str, points: list[tuple[str, str, float, int, str]]
) -> None:
    """Log points of models through a writer's stream."""

    async def requests() -> AsyncIterator[ingest_pb2.StreamRequest]:
        spec = runs_pb2.RunSpec(run_id=run_id)
        writer = ingest_pb2.OpenWriter(run=spec, writer_id=uuid4().hex, secret=b"x" * 32)
        yield ingest_pb2.StreamRequest(open=writer)
        entries = [
            ingest_pb2.Entry(
                position=position,
                model_point=ingest_pb2.ModelPoint(
                    model_id=model_id,
                    key=key,
                    value=value,
                    step=step,
                    timestamp_ms=step,
                    dataset_name=dataset,
                ),
            )
            for position, (model_id, key, value, step, dataset) in enumerate(points)
        ]
        batch = ingest_pb2.Batch(first_position=0, end_position=len(points), entries=entries)
        yield ingest_pb2.StreamRequest(batch=batch)
        yield ingest_pb2.StreamRequest(close=ingest_pb2.CloseWriter())

    answers = [answer async for answer in IngestServiceStub(channel).Stream(requests())]
    assert not any(answer.committed.rejected for answer in answers)


async def test_metrics_of_a_model_keep_the_latest_point_and_may_come_first(
    models: Models, channel: grpc.aio.Channel
) -> None:
    run_id, other, model_id = await models.run(), await models.run(), f"m-{uuid4().hex}"
    await log_model_points(
        channel,
        run_id,
        [(model_id, "acc", 0.5, 3, ""), (model_id, "acc", 0.1, 2, ""), (model_id, "acc", 1, 1, "t")],
    )
    await models.create(run_id, model_id=model_id)
    await log_model_points(channel, run_id, [(model_id, "acc", 0.2, 1, "")])
    await log_model_points(channel, other, [(model_id, "acc", 0.7, 9, "")])
    found = sorted(
        (it.run_id, it.dataset_name, it.step, it.value) for it in (await models.get(model_id)).metrics
    )
    assert found == sorted([(run_id, "", 3, 0.5), (run_id, "t", 1, 1.0), (other, "", 9, 0.7)])
    runs = [(await models.runs.GetRun(runs_pb2.GetRunRequest(run_id=it))).run for it in (run_id, other)]
    assert [it.model_id for it in runs[1].model_inputs] == [model_id]


async def test_runs_say_which_models_they_made_and_used(models: Models) -> None:
    run_id = await models.run()
    first, second = [(await models.create(run_id)).model_id for _ in range(2)]

    async def link(step: int, *ids: str) -> None:
        request = models_pb2.LinkLoggedModelsRequest(run_id=run_id)
        request.outputs.extend(runs_pb2.ModelOutput(model_id=it, step=step) for it in ids)
        request.inputs.append(runs_pb2.ModelInput(model_id=first))
        await models.stub.LinkLoggedModels(request)

    await link(7, second)
    await link(-2, first)
    run = (await models.runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id))).run
    assert [(it.model_id, it.step) for it in run.model_outputs] == [(first, -2), (second, 7)]
    assert [it.model_id for it in run.model_inputs] == [first]
    async with not_found("Logged model"):
        await link(1, f"m-{uuid4().hex}")


async def test_removal_for_good_keeps_what_others_show(models: Models, pool: Pool) -> None:
    run_id = await models.run()
    kept = await models.made(run_id, {"MLmodel": b"1", "shared": b"x"})
    gone = await models.made(run_id, {"MLmodel": b"2", "shared": b"x"})
    link = models_pb2.LinkLoggedModelsRequest(run_id=run_id, outputs=[runs_pb2.ModelOutput(model_id=gone)])
    await models.stub.LinkLoggedModels(link)
    await models.delete(gone)
    sums = await collect_garbage(pool, Selection(), False, lambda _: None)
    assert (sums["models"], sums["artifacts"], sums["left"]) == (1, 2, [])
    async with not_found():
        await models.restore(gone)
    assert await models.read(run_id, "m/shared") == b"x"
    assert await counts_are_right(pool)
    await models.runs.DeleteRun(runs_pb2.DeleteRunRequest(run_id=run_id))
    sums = await collect_garbage(pool, Selection(), False, lambda _: None)
    assert (sums["runs"], sums["models"], sums["artifacts"]) == (1, 0, 2)
    assert (await models.read(kept, "shared"), await counts_are_right(pool)) == (b"x", True)
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM artifact") == 2


async def test_rows_are_not_added_to_models(models: Models) -> None:
    model_id = (await models.create()).model_id
    request = artifacts_pb2.AddRowsRequest(run_id=model_id, call_id=uuid4().hex)
    async with invalid("run_id"):
        await models.artifacts.AddRows(request)
