"""What somebody who is known must not learn of, for tests that ask for it in every way there is."""

from uuid import uuid4

from stepwell_api.v1 import (
    models_pb2,
    models_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    search_pb2,
    search_pb2_grpc,
)
from stepwell_server.model.access import Level, Subject, SubjectKind, Thing, ThingKind
from stepwell_server.store.access.grants import PostgresGrantStore
from tests.harness.servers.access import GuardedServer, experiment

SECRET = "hush"
# Calls that everybody may make who is known: they are about the caller.
OF_ONESELF = {"WhoAmI", "CreateToken", "ListTokens"}


class Hidden:
    """What ben must not learn of: an experiment with a run, a logged model, a registered model, a view."""

    def __init__(self, experiment_id: int, run_id: str, view_id: int) -> None:
        self.run_id = run_id
        self.model_id = f"m-{uuid4().hex}"
        self.values = {
            "run_id": run_id,
            "run_ids": [run_id],
            "source_run_id": run_id,
            "experiment_id": experiment_id,
            "experiment_ids": [experiment_id],
            "experiment": experiment_id,
            "model_id": self.model_id,
            "view_id": view_id,
            "version": 1,
            "alias": SECRET,
            "path": "a.txt",
            "upload_id": uuid4().hex,
            "upload_ids": [uuid4().hex],
            "writer_id": uuid4().hex,
            "call_id": uuid4().hex,
            "webhook_id": uuid4().hex,
            "token_id": 2,  # of ann
            "name": SECRET,
            "new_name": "",
            "key": "loss",
            "keys": ["loss"],
            "field": f"tags.{SECRET}",
            "by": [f"tags.{SECRET}"],
            "since_time_ms": 1,
            "since_ms": 1,
            "filter": "attributes.run_id != ''",
            "filters": [""],
            "SearchExperimentsRequest.filter": "name != ''",
            "SearchLoggedModelsRequest.filter": "name != ''",
            "LoggedModelOrder.field": "name",
            "LoggedModelOrder.dataset": "",
            "SearchRegisteredModelsRequest.filter": "name != ''",
            "SearchModelVersionsRequest.filter": "name != ''",
            "CreateRegisteredModelRequest.history": "",
            "ListGrantsRequest.subject": "",
            "StreamRequest.batch": "",
            "StreamRequest.close": "",
            "model": SECRET,
            "stage": "Production",
            "source": f"runs:/{run_id}/model",
            "url": "http://127.0.0.1:1/x",
            "secret": "0123456789abcdef",
            "password": "long enough",
            "user": "ben",
            "level": 2,
            "scope": 1,
            "status": 1,
            "size_bytes": 1,
            "numbers": [1],
            "buckets": 10,
            "count": 1,
            "title": "x",
            "account": "",
        }

    def shows_in(self, told: bytes) -> bool:
        """Tell whether an answer says anything of it."""
        return any(text.encode() in told for text in (SECRET, self.run_id, self.model_id))


async def hide(guarded: GuardedServer, token: str) -> Hidden:
    """Have somebody make what ben must not learn of."""
    async with guarded.calls_of(token) as channel:
        made = await runs_pb2_grpc.ExperimentServiceStub(channel).CreateExperiment(
            runs_pb2.CreateExperimentRequest(name=SECRET)
        )
        experiment_id = made.experiment.experiment_id
        await guarded.grant("", experiment(experiment_id), Level.NONE)
        spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=experiment_id, name=SECRET)
        spec.tags.add(key=SECRET, value=SECRET)
        await runs_pb2_grpc.RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))
        views = search_pb2_grpc.SearchServiceStub(channel)
        view = await views.SaveView(
            search_pb2.SaveViewRequest(experiment_ids=[experiment_id], name=SECRET, address="?x")
        )
        hidden = Hidden(experiment_id, spec.run_id, view.view.view_id)
        model = models_pb2.LoggedModelSpec(model_id=hidden.model_id, name=SECRET, experiment_id=experiment_id)
        await models_pb2_grpc.LoggedModelServiceStub(channel).CreateLoggedModel(
            models_pb2.CreateLoggedModelRequest(spec=model)
        )
        await registry_pb2_grpc.RegisteredModelServiceStub(channel).CreateRegisteredModel(
            registry_pb2.CreateRegisteredModelRequest(name=SECRET)
        )
        assert guarded.running.pool is not None
        await PostgresGrantStore(guarded.running.pool).grant(
            Subject(SubjectKind.EVERYBODY), Thing(ThingKind.MODEL, SECRET), Level.NONE
        )
        await registry_pb2_grpc.ModelVersionServiceStub(channel).CreateModelVersion(
            registry_pb2.CreateModelVersionRequest(name=SECRET, source=f"runs:/{spec.run_id}/{SECRET}")
        )
    return hidden
