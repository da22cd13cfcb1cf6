"""LoggedModelService on the wire: check, call, map, answer."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from stepwell_api.v1 import models_pb2 as pb
from stepwell_api.v1 import models_pb2_grpc, runs_pb2
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.logged_models import (
    DatasetName,
    LoggedModel,
    LoggedModelSpec,
    LoggedModelStatus,
    ModelOutput,
    model_name,
)
from stepwell_server.services.logged_models import LoggedModelOrder, LoggedModelService, LoggedModelsWanted
from stepwell_server.transport.mapping import parse_model_id, parse_tags, parse_uuid

_STATUSES = {
    LoggedModelStatus.PENDING: pb.LOGGED_MODEL_STATUS_PENDING,
    LoggedModelStatus.READY: pb.LOGGED_MODEL_STATUS_READY,
    LoggedModelStatus.FAILED: pb.LOGGED_MODEL_STATUS_FAILED,
}
_STATUSES_BACK: dict[int, LoggedModelStatus] = {number: status for status, number in _STATUSES.items()}


class LoggedModelServicer(models_pb2_grpc.LoggedModelServiceServicer):
    """Answers the calls of `LoggedModelService` in models.proto."""

    def __init__(self, service: LoggedModelService) -> None:
        self._service = service

    async def CreateLoggedModel(  # noqa: N802
        self, request: pb.CreateLoggedModelRequest, context: Any
    ) -> pb.CreateLoggedModelResponse:
        """Create a model, once."""
        spec = spec_from_proto(request.spec)
        if request.files_of_run:
            adopted = await self._service.adopt(spec, request.files_of_run, step=0)
            return pb.CreateLoggedModelResponse(
                model=model_to_proto(await self._service.get(spec.model_id)) if adopted else None,
                created=adopted,
            )
        model, created = await self._service.create(spec)
        return pb.CreateLoggedModelResponse(model=model_to_proto(model), created=created)

    async def GetLoggedModel(  # noqa: N802
        self, request: pb.GetLoggedModelRequest, context: Any
    ) -> pb.GetLoggedModelResponse:
        """Return a model."""
        model = await self._service.get(parse_model_id(request.model_id, "model_id"))
        return pb.GetLoggedModelResponse(model=model_to_proto(model))

    async def FinalizeLoggedModel(  # noqa: N802
        self, request: pb.FinalizeLoggedModelRequest, context: Any
    ) -> pb.FinalizeLoggedModelResponse:
        """Say that a model is complete, or never will be."""
        model_id, status = parse_model_id(request.model_id, "model_id"), parse_status(request.status)
        model = await self._service.finalize(model_id, status, request.status_message)
        return pb.FinalizeLoggedModelResponse(model=model_to_proto(model))

    async def LogLoggedModelParams(  # noqa: N802
        self, request: pb.LogLoggedModelParamsRequest, context: Any
    ) -> pb.LogLoggedModelParamsResponse:
        """Add params."""
        params = parse_params(request.params)
        await self._service.log_params(parse_model_id(request.model_id, "model_id"), params)
        return pb.LogLoggedModelParamsResponse()

    async def SetLoggedModelTags(  # noqa: N802
        self, request: pb.SetLoggedModelTagsRequest, context: Any
    ) -> pb.SetLoggedModelTagsResponse:
        """Set tags."""
        tags = parse_tags(request.tags)
        await self._service.set_tags(parse_model_id(request.model_id, "model_id"), tags)
        return pb.SetLoggedModelTagsResponse()

    async def DeleteLoggedModelTag(  # noqa: N802
        self, request: pb.DeleteLoggedModelTagRequest, context: Any
    ) -> pb.DeleteLoggedModelTagResponse:
        """Remove a tag."""
        await self._service.delete_tag(parse_model_id(request.model_id, "model_id"), request.key)
        return pb.DeleteLoggedModelTagResponse()

    async def DeleteLoggedModel(  # noqa: N802
        self, request: pb.DeleteLoggedModelRequest, context: Any
    ) -> pb.DeleteLoggedModelResponse:
        """Delete a model."""
        await self._service.delete(parse_model_id(request.model_id, "model_id"))
        return pb.DeleteLoggedModelResponse()

    async def RestoreLoggedModel(  # noqa: N802
        self, request: pb.RestoreLoggedModelRequest, context: Any
    ) -> pb.RestoreLoggedModelResponse:
        """Restore a model."""
        await self._service.restore(parse_model_id(request.model_id, "model_id"))
        return pb.RestoreLoggedModelResponse()

    async def SearchLoggedModels(  # noqa: N802
        self, request: pb.SearchLoggedModelsRequest, context: Any
    ) -> pb.SearchLoggedModelsResponse:
        """Return a page of models."""
        wanted = LoggedModelsWanted(
            None if request.all_experiments else list(request.experiment_ids),
            request.filter,
            [DatasetName(it.name, it.digest) for it in request.datasets],
            [order_from_proto(it) for it in request.order_by],
            request.page_size,
            request.page_token,
        )
        models, next_page_token = await self._service.search(wanted)
        return pb.SearchLoggedModelsResponse(
            models=map(model_to_proto, models), next_page_token=next_page_token
        )

    async def LinkLoggedModels(  # noqa: N802
        self, request: pb.LinkLoggedModelsRequest, context: Any
    ) -> pb.LinkLoggedModelsResponse:
        """Note models of a run."""
        outputs = [
            ModelOutput(parse_model_id(it.model_id, "outputs.model_id"), it.step) for it in request.outputs
        ]
        inputs = [parse_model_id(it.model_id, "inputs.model_id") for it in request.inputs]
        await self._service.link(parse_uuid(request.run_id, "run_id"), outputs, inputs)
        return pb.LinkLoggedModelsResponse()


def spec_from_proto(message: pb.LoggedModelSpec) -> LoggedModelSpec:
    """Return all that is needed to create a model."""
    experiment = message.WhichOneof("experiment")
    return LoggedModelSpec(
        model_id=parse_model_id(message.model_id, "model_id") if message.model_id else uuid4(),
        experiment_id=message.experiment_id if experiment == "experiment_id" else None,
        experiment_name=message.experiment_name if experiment == "experiment_name" else None,
        name=message.name,
        model_type=message.model_type,
        source_run_id=parse_uuid(message.source_run_id, "source_run_id") if message.source_run_id else None,
        creation_time_ms=message.creation_time_ms,
        params=parse_params(message.params),
        tags=parse_tags(message.tags),
    )


def parse_params(params: Iterable[runs_pb2.Param]) -> dict[str, str]:
    """Return params by key; each key may occur once."""
    parsed: dict[str, str] = {}
    for param in params:
        if parsed.setdefault(param.key, param.value) != param.value:
            raise InvalidArgumentError(f"param {param.key[:60]!r} is given twice, with two values; give one")
    return parsed


def parse_status(number: int) -> LoggedModelStatus:
    """Return how far a model is."""
    if number not in _STATUSES_BACK:
        raise InvalidArgumentError(f"{number} is not a status of a model; use PENDING, READY or FAILED")
    return _STATUSES_BACK[number]


def order_from_proto(message: pb.LoggedModelOrder) -> LoggedModelOrder:
    """Return a key of an order."""
    dataset = (
        DatasetName(message.dataset.name, message.dataset.digest) if message.HasField("dataset") else None
    )
    return LoggedModelOrder(message.field, message.descending, dataset)


def model_to_proto(model: LoggedModel) -> pb.LoggedModel:
    """Return a model as a message."""
    return pb.LoggedModel(
        model_id=model_name(model.model_id),
        experiment_id=model.experiment_id,
        name=model.name,
        model_type=model.model_type,
        source_run_id=model.source_run_id.hex if model.source_run_id else "",
        status=_STATUSES[model.status],
        status_message=model.status_message,
        creation_time_ms=model.creation_time_ms,
        last_update_time_ms=model.last_update_time_ms,
        artifact_uri=model.artifact_uri,
        params=[runs_pb2.Param(key=key, value=value) for key, value in model.params.items()],
        tags=[runs_pb2.Tag(key=key, value=value) for key, value in model.tags.items()],
        metrics=[
            pb.LoggedModelMetric(
                key=it.key,
                value=it.value,
                step=it.step,
                timestamp_ms=it.timestamp_ms,
                run_id=it.run_id.hex,
                dataset_name=it.dataset_name,
                dataset_digest=it.dataset_digest,
            )
            for it in model.metrics
        ],
    )
