"""WriterService on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import ingest_pb2, runs_pb2, writers_pb2_grpc
from stepwell_api.v1 import writers_pb2 as pb
from stepwell_server.model.ingest import AwaitedWriter
from stepwell_server.model.writers import ConsolePiece, ConsolePlace, Refusal, WriterState
from stepwell_server.services.series import check_count
from stepwell_server.services.writers import WRITERS_TOLD_MAX, WriterService
from stepwell_server.transport.mapping import parse_uuid


class WriterServicer(writers_pb2_grpc.WriterServiceServicer):
    """Answers the calls of `WriterService` in writers.proto."""

    def __init__(self, service: WriterService) -> None:
        self._service = service

    async def ListWriters(  # noqa: N802
        self, request: pb.ListWritersRequest, context: Any
    ) -> pb.ListWritersResponse:
        """Return the writers of a run."""
        writers = await self._service.writers(parse_uuid(request.run_id, "run_id"))
        return pb.ListWritersResponse(
            writers=[writer_to_proto(writer) for writer in writers.first],
            count=writers.count,
            awaited=awaited_to_proto(writers.awaited) if writers.awaited else None,
        )

    async def ListRefusals(  # noqa: N802
        self, request: pb.ListRefusalsRequest, context: Any
    ) -> pb.ListRefusalsResponse:
        """Return what was refused of a run."""
        refusals, count = await self._service.refusals(parse_uuid(request.run_id, "run_id"))
        return pb.ListRefusalsResponse(refusals=[refusal_to_proto(each) for each in refusals], count=count)

    async def ReadConsole(  # noqa: N802
        self, request: pb.ReadConsoleRequest, context: Any
    ) -> pb.ReadConsoleResponse:
        """Return pieces of consoles."""
        check_count("positions", len(request.after), WRITERS_TOLD_MAX)
        pieces, has_more = await self._service.console(
            parse_uuid(request.run_id, "run_id"),
            parse_place(request.before) if request.HasField("before") else None,
            {parse_uuid(at.writer_id, "after.writer_id"): at.position for at in request.after},
            request.limit,
        )
        return pb.ReadConsoleResponse(pieces=[piece_to_proto(piece) for piece in pieces], has_more=has_more)


def parse_place(message: pb.ConsolePlace) -> ConsolePlace:
    """Return where a piece stands."""
    return ConsolePlace(
        message.timestamp_ms, parse_uuid(message.writer_id, "before.writer_id"), message.position
    )


def writer_to_proto(writer: WriterState) -> pb.Writer:
    """Return a writer as a message."""
    return pb.Writer(
        writer_id=writer.writer_id.hex,
        rank=writer.rank,
        host=writer.host,
        process_id=writer.process_id,
        opened_time_ms=writer.opened_time_ms,
        committed_time_ms=writer.committed_time_ms,
        position=writer.position,
        is_alive=writer.is_alive,
        is_silent=writer.is_silent,
        seen_time_ms=writer.seen_time_ms,
        hidden_from_step=writer.hidden_from_step,
        hidden_points_max=writer.hidden_points_max,
    )


def awaited_to_proto(awaited: AwaitedWriter) -> runs_pb2.AwaitedWriter:
    """Return who will open a stream as a message."""
    return runs_pb2.AwaitedWriter(host=awaited.host, process_id=awaited.process_id, rank=awaited.rank)


def refusal_to_proto(refusal: Refusal) -> pb.Refusal:
    """Return what was refused as a message."""
    return pb.Refusal(
        writer_id=refusal.writer_id.hex,
        rank=refusal.rank,
        host=refusal.host,
        key=refusal.key,
        error_code=refusal.error_code,
        reason=refusal.reason,
        count=refusal.count,
        first_time_ms=refusal.first_time_ms,
        last_time_ms=refusal.last_time_ms,
    )


def piece_to_proto(piece: ConsolePiece) -> pb.ConsolePiece:
    """Return lines of a console as a message."""
    lines = piece.lines
    return pb.ConsolePiece(
        place=pb.ConsolePlace(
            timestamp_ms=lines.timestamp_ms, writer_id=piece.writer_id.hex, position=lines.position
        ),
        rank=piece.rank,
        lines=ingest_pb2.ConsoleLines(
            stream=ingest_pb2.ConsoleStream.ValueType(lines.stream),
            timestamp_ms=lines.timestamp_ms,
            text=lines.text,
            left_out=lines.left_out,
        ),
    )
