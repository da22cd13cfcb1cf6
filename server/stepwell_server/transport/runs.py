"""RunService on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import runs_pb2 as pb
from stepwell_api.v1 import runs_pb2_grpc
from stepwell_server.model.ingest import AwaitedWriter
from stepwell_server.services.paging.runs import read_rest_token
from stepwell_server.services.runs import RunService
from stepwell_server.transport.mapping import (
    input_from_proto,
    parse_status,
    parse_uuid,
    run_info_to_proto,
    run_spec_from_proto,
    run_to_proto,
)


class RunServicer(runs_pb2_grpc.RunServiceServicer):
    """Answers the calls of `RunService` in runs.proto."""

    def __init__(self, service: RunService) -> None:
        self._service = service

    async def CreateRun(self, request: pb.CreateRunRequest, context: Any) -> pb.CreateRunResponse:  # noqa: N802
        """Create a run, once."""
        awaited = awaited_from_proto(request.awaited) if request.HasField("awaited") else None
        run, created = await self._service.create(run_spec_from_proto(request.spec), awaited)
        return pb.CreateRunResponse(run=run_to_proto(run), created=created)

    async def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.GetRunResponse:  # noqa: N802
        """Return a run with what it logged."""
        run_id = parse_uuid(request.run_id, "run_id")
        if request.rest_token:
            run = await self._service.rest(run_id, read_rest_token(request.rest_token))
        else:
            run = await self._service.get(run_id)
        return pb.GetRunResponse(run=run_to_proto(run))

    async def UpdateRun(self, request: pb.UpdateRunRequest, context: Any) -> pb.UpdateRunResponse:  # noqa: N802
        """Change a run."""
        info = await self._service.update(
            parse_uuid(request.run_id, "run_id"),
            parse_status(request.status) if request.status else None,
            request.end_time_ms if request.HasField("end_time_ms") else None,
            request.name if request.HasField("name") else None,
        )
        return pb.UpdateRunResponse(info=run_info_to_proto(info))

    async def DeleteTag(self, request: pb.DeleteTagRequest, context: Any) -> pb.DeleteTagResponse:  # noqa: N802
        """Remove a tag."""
        await self._service.delete_tag(parse_uuid(request.run_id, "run_id"), request.key)
        return pb.DeleteTagResponse()

    async def DeleteRun(self, request: pb.DeleteRunRequest, context: Any) -> pb.DeleteRunResponse:  # noqa: N802
        """Delete a run."""
        await self._service.delete(parse_uuid(request.run_id, "run_id"))
        return pb.DeleteRunResponse()

    async def RestoreRun(  # noqa: N802
        self, request: pb.RestoreRunRequest, context: Any
    ) -> pb.RestoreRunResponse:
        """Restore a run."""
        await self._service.restore(parse_uuid(request.run_id, "run_id"))
        return pb.RestoreRunResponse()

    async def RewindRun(self, request: pb.RewindRunRequest, context: Any) -> pb.RewindRunResponse:  # noqa: N802
        """Hide points."""
        number = await self._service.rewind(parse_uuid(request.run_id, "run_id"), request.from_step)
        return pb.RewindRunResponse(rewind_number=number)

    async def UndoRewind(  # noqa: N802
        self, request: pb.UndoRewindRequest, context: Any
    ) -> pb.UndoRewindResponse:
        """Show points again."""
        undone = await self._service.undo_rewind(parse_uuid(request.run_id, "run_id"), request.rewind_number)
        return pb.UndoRewindResponse(rewind_number=undone)

    async def LogInputs(self, request: pb.LogInputsRequest, context: Any) -> pb.LogInputsResponse:  # noqa: N802
        """Note data sets."""
        inputs = [input_from_proto(message) for message in request.inputs]
        await self._service.log_inputs(parse_uuid(request.run_id, "run_id"), inputs)
        return pb.LogInputsResponse()


def awaited_from_proto(message: pb.AwaitedWriter) -> AwaitedWriter:
    """Return who will open a stream."""
    rank = message.rank if message.HasField("rank") else None
    return AwaitedWriter(message.host, message.process_id, rank)
