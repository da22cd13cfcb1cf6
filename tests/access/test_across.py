"""Writing to what one may only read, or not even that, by way of something of one's own."""

import hashlib
from uuid import uuid4

import grpc.aio

from stepwell_api.v1 import (
    artifacts_pb2,
    artifacts_pb2_grpc,
    ingest_pb2,
    models_pb2,
    models_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)
from stepwell_server.model.access import Level, Thing, ThingKind
from tests.harness.calls import refused
from tests.harness.network.rest import Rest
from tests.harness.servers.access import DENIED, GuardedServer, experiment, new_experiment, new_run
from tests.wire.test_ingest import opened

MODEL = b"flavors: {}"


async def put(channel: grpc.aio.Channel, owner: str, path: str, data: bytes = MODEL) -> None:
    """Log a file."""
    artifacts = artifacts_pb2_grpc.ArtifactServiceStub(channel)
    file = artifacts_pb2.UploadSpec(path=path, size_bytes=len(data), sha256=hashlib.sha256(data).digest())
    begun = await artifacts.BeginUploads(artifacts_pb2.BeginUploadsRequest(run_id=owner, files=[file]))
    upload_id = begun.plans[0].upload_id
    small = artifacts_pb2.SmallFile(upload_id=upload_id, data=data)
    await artifacts.UploadSmall(artifacts_pb2.UploadSmallRequest(run_id=owner, files=[small]))
    finished = artifacts_pb2.FinishedUpload(upload_id=upload_id)
    await artifacts.CompleteUploads(artifacts_pb2.CompleteUploadsRequest(run_id=owner, uploads=[finished]))


async def files(channel: grpc.aio.Channel, owner: str) -> dict[str, int]:
    """Return what a run shows."""
    request = artifacts_pb2.ListArtifactsRequest(run_id=owner, recursive=True)
    listed = await artifacts_pb2_grpc.ArtifactServiceStub(channel).ListArtifacts(request)
    return {it.path: it.size_bytes for it in listed.artifacts}


async def new_model(channel: grpc.aio.Channel, spec: models_pb2.LoggedModelSpec) -> str:
    """Make a logged model, and return its id."""
    spec.model_id = f"m-{uuid4().hex}"
    request = models_pb2.CreateLoggedModelRequest(spec=spec)
    await models_pb2_grpc.LoggedModelServiceStub(channel).CreateLoggedModel(request)
    return spec.model_id


async def test_a_run_shows_no_models_of_who_may_only_read_it(guarded: GuardedServer) -> None:
    """Whoever loads runs:/…/model gets what those wrote who may write to the run."""
    async with (
        guarded.calls_of(await guarded.add("ann")) as of_ann,
        guarded.calls_of(await guarded.add("ben")) as of_ben,
    ):
        hers, his = await new_experiment(of_ann, "hers"), await new_experiment(of_ben, "his")
        run_id = await new_run(of_ann, hers)
        await put(of_ann, run_id, "model/MLmodel")
        spec = models_pb2.LoggedModelSpec(name="model", experiment_id=his, source_run_id=run_id)
        model_id = await new_model(of_ben, spec)
        await put(of_ben, model_id, "MLmodel", b"his own, and longer")
        await put(of_ben, model_id, "python_model.pkl")
        models = models_pb2_grpc.LoggedModelServiceStub(of_ben)
        ready = models_pb2.FinalizeLoggedModelRequest(
            model_id=model_id, status=models_pb2.LOGGED_MODEL_STATUS_READY
        )
        await models.FinalizeLoggedModel(ready)
        assert await files(of_ann, run_id) == {"model/MLmodel": len(MODEL)}
        # Nor does anybody take its files over, and remove them.
        spec.model_id = f"m-{uuid4().hex}"
        async with refused(*DENIED, "may not write to"):
            await models.CreateLoggedModel(
                models_pb2.CreateLoggedModelRequest(spec=spec, files_of_run="model")
            )
        # A model of the run's own experiment is shown, as before.
        own = await new_model(of_ann, models_pb2.LoggedModelSpec(name="own", source_run_id=run_id))
        await put(of_ann, own, "MLmodel")
        ready.model_id = own
        await models_pb2_grpc.LoggedModelServiceStub(of_ann).FinalizeLoggedModel(ready)
        assert set(await files(of_ann, run_id)) == {"model/MLmodel", "own/MLmodel"}


async def test_what_is_said_of_a_model_that_one_may_not_read(guarded: GuardedServer) -> None:
    ben = await guarded.add("ben")
    async with (
        guarded.calls_of(await guarded.add("ann")) as of_ann,
        guarded.calls_of(ben) as of_ben,
    ):
        hers, his = await new_experiment(of_ann, "hers"), await new_experiment(of_ben, "his")
        hidden = await new_model(of_ann, models_pb2.LoggedModelSpec(name="m", experiment_id=hers))
        await guarded.grant("", experiment(hers), Level.NONE)
        own = await new_model(of_ben, models_pb2.LoggedModelSpec(name="m", experiment_id=his))
        to_come, run_id = f"m-{uuid4().hex}", await new_run(of_ben, his)
        stream = await opened(of_ben, run_id)
        entries = [
            ingest_pb2.Entry(
                position=position,
                model_point=ingest_pb2.ModelPoint(model_id=model_id, key="accuracy", value=1),
            )
            for position, model_id in enumerate((hidden, own, to_come))
        ]
        await stream.say(
            ingest_pb2.StreamRequest(
                batch=ingest_pb2.Batch(first_position=0, end_position=3, entries=entries)
            )
        )
        (committed,) = await stream.until(3)
        (told,) = committed.rejected
        assert (told.position, told.error_code, told.key) == (0, "RESOURCE_DOES_NOT_EXIST", "accuracy")
        assert guarded.running.http_url is not None
        rest = Rest(guarded.running.http_url)
        fields = {"run_id": run_id, "key": "accuracy", "value": 1, "timestamp": 1, "step": 1}
        said = await rest.refused(
            "POST", "runs/log-metric", {**fields, "model_id": hidden}, authorization=f"Bearer {ben}"
        )
        assert said[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
        await rest.post("runs/log-metric", {**fields, "model_id": own}, authorization=f"Bearer {ben}")
        request = models_pb2.GetLoggedModelRequest(model_id=hidden)
        model = (await models_pb2_grpc.LoggedModelServiceStub(of_ann).GetLoggedModel(request)).model
        assert not model.metrics


async def test_a_hidden_model_that_is_deleted_stays_hidden(guarded: GuardedServer) -> None:
    """Grants go with what they are of; what was said of it must not come to light by that."""
    async with (
        guarded.calls_of(await guarded.add("ann")) as of_ann,
        guarded.calls_of(await guarded.add("ben")) as of_ben,
        guarded.calls_of(await guarded.add("chief", is_admin=True)) as of_chief,
    ):
        models = registry_pb2_grpc.RegisteredModelServiceStub(of_ann)
        for name in ("hush", "loud"):
            await models.CreateRegisteredModel(registry_pb2.CreateRegisteredModelRequest(name=name))
        await guarded.grant("", Thing(ThingKind.MODEL, "hush"), Level.NONE)
        await models.DeleteRegisteredModel(registry_pb2.DeleteRegisteredModelRequest(name="hush"))

        async def told(channel: grpc.aio.Channel) -> set[str]:
            changes = registry_pb2_grpc.RegisteredModelServiceStub(channel).ListChanges(
                registry_pb2.ListChangesRequest()
            )
            return {it.name for it in (await changes).changes}

        assert await told(of_ben) == {"loud"}
        assert await told(of_chief) == {"hush", "loud"}
