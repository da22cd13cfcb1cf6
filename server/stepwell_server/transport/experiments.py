"""ExperimentService on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1 import runs_pb2_grpc
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.services.experiments import ExperimentService
from stepwell_server.transport.mapping import experiment_to_proto, parse_tags, parse_view_type


class ExperimentServicer(runs_pb2_grpc.ExperimentServiceServicer):
    """Answers the calls of `ExperimentService` in runs.proto."""

    def __init__(self, service: ExperimentService) -> None:
        self._service = service

    async def CreateExperiment(  # noqa: N802
        self, request: pb.CreateExperimentRequest, context: Any
    ) -> pb.CreateExperimentResponse:
        """Create an experiment."""
        created = await self._service.create(
            request.name, request.artifact_location, parse_tags(request.tags)
        )
        return pb.CreateExperimentResponse(experiment=experiment_to_proto(created))

    async def GetExperiment(  # noqa: N802
        self, request: pb.GetExperimentRequest, context: Any
    ) -> pb.GetExperimentResponse:
        """Return one experiment."""
        match request.WhichOneof("selector"):
            case "experiment_id":
                found = await self._service.get(request.experiment_id)
            case "name":
                found = await self._service.get_by_name(request.name)
            case _:
                raise InvalidArgumentError("set experiment_id or name to say which experiment")
        return pb.GetExperimentResponse(experiment=experiment_to_proto(found))

    async def ListExperiments(  # noqa: N802
        self, request: pb.ListExperimentsRequest, context: Any
    ) -> pb.ListExperimentsResponse:
        """Return a page of experiments."""
        experiments, next_page_token = await self._service.list(
            parse_view_type(request.view_type), request.page_size, request.page_token
        )
        return pb.ListExperimentsResponse(
            experiments=[experiment_to_proto(experiment) for experiment in experiments],
            next_page_token=next_page_token,
        )

    async def UpdateExperiment(  # noqa: N802
        self, request: pb.UpdateExperimentRequest, context: Any
    ) -> pb.UpdateExperimentResponse:
        """Change an experiment."""
        name = request.name if request.HasField("name") else None
        updated = await self._service.update(
            _experiment_id(request), name, parse_tags(request.tags), _logged_time_ms(request)
        )
        return pb.UpdateExperimentResponse(experiment=experiment_to_proto(updated))

    async def DeleteExperimentTag(  # noqa: N802
        self, request: pb.DeleteExperimentTagRequest, context: Any
    ) -> pb.DeleteExperimentTagResponse:
        """Remove a tag."""
        await self._service.delete_tag(_experiment_id(request), request.key, _logged_time_ms(request))
        return pb.DeleteExperimentTagResponse()

    async def DeleteExperiment(  # noqa: N802
        self, request: pb.DeleteExperimentRequest, context: Any
    ) -> pb.DeleteExperimentResponse:
        """Delete an experiment."""
        return pb.DeleteExperimentResponse(runs=await self._service.delete(_experiment_id(request)))

    async def RestoreExperiment(  # noqa: N802
        self, request: pb.RestoreExperimentRequest, context: Any
    ) -> pb.RestoreExperimentResponse:
        """Restore an experiment."""
        return pb.RestoreExperimentResponse(runs=await self._service.restore(_experiment_id(request)))


def _logged_time_ms(request: Any) -> int | None:
    """Return when the call was made, where that was earlier."""
    return int(request.logged_time_ms) if request.HasField("logged_time_ms") else None


def _experiment_id(request: Any) -> int:
    """Return the id that a request which changes something names; a number left out would be that of Default."""
    if not request.HasField("experiment_id"):
        raise InvalidArgumentError("set experiment_id to say which experiment")
    return int(request.experiment_id)
