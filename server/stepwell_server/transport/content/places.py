"""ArtifactPlaceService on the wire: check, call, map, answer."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from stepwell_api.v1 import places_pb2 as pb
from stepwell_api.v1 import places_pb2_grpc
from stepwell_server.model.moves import MoveProgress
from stepwell_server.services.content.moves import MoveService


class ArtifactPlaceServicer(places_pb2_grpc.ArtifactPlaceServiceServicer):
    """Answers the calls of `ArtifactPlaceService` in places.proto."""

    def __init__(self, moves: MoveService) -> None:
        self._moves = moves

    async def MoveArtifacts(  # noqa: N802
        self, request: pb.MoveArtifactsRequest, context: Any
    ) -> AsyncIterator[pb.MoveArtifactsResponse]:
        """Move the artifacts of an experiment and say how far it is."""
        moving = self._moves.move(request.experiment_id, request.place, dry_run=request.dry_run)
        async with aclosing(moving) as steps:
            async for progress in steps:
                yield progress_to_proto(progress)


def progress_to_proto(progress: MoveProgress) -> pb.MoveArtifactsResponse:
    """Return how far a move is as a message."""
    return pb.MoveArtifactsResponse(
        place=progress.place,
        total_count=progress.total_count,
        total_bytes=progress.total_bytes,
        moved_count=progress.moved_count,
        moved_bytes=progress.moved_bytes,
        left=[
            pb.UnmovedContent(
                problem=it.problem,
                place=f"{it.content.place.root}/{it.content.place.key}",
                owner_id=it.owner.name,
                path=it.path,
            )
            for it in progress.left
        ],
        open_uploads=progress.open_uploads,
    )
