"""ArtifactService on the wire: check, call, map, answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1 import artifacts_pb2_grpc
from stepwell_server.config import STREAM_WINDOW_BYTES
from stepwell_server.errors import ExhaustedError, InvalidArgumentError
from stepwell_server.model.artifacts import (
    Addition,
    AlreadyThere,
    FileSpec,
    FinishedUpload,
    Listed,
    PartsDirectly,
    PartTag,
    Piece,
    PutDirectly,
    ThroughServer,
    UploadPlan,
    VerificationProgress,
)
from stepwell_server.process.holding import STALL_S, Holding, peer_of
from stepwell_server.services.content.artifacts import ArtifactService
from stepwell_server.services.content.uploads import UploadService, check_piece
from stepwell_server.services.content.verification import VerificationService
from stepwell_server.transport.content.pieces import encode_download, parse_upload
from stepwell_server.transport.mapping import parse_owner, parse_uuid

# What an upload holds on its way (messages, a buffer, a part for a bucket), and a download.
UPLOAD_HELD_BYTES = 8 * 2**20
DOWNLOAD_HELD_BYTES = 2 * 2**20
# What gRPC takes of an upload before anybody reads it.
UPLOAD_WAITING_BYTES = STREAM_WINDOW_BYTES

SERVICE = pb.DESCRIPTOR.services_by_name["ArtifactService"].full_name


class ArtifactServicer(artifacts_pb2_grpc.ArtifactServiceServicer):
    """Answers the calls of `ArtifactService` in artifacts.proto."""

    def __init__(
        self,
        artifacts: ArtifactService,
        uploads: UploadService,
        verification: VerificationService,
        holding: Holding,
    ) -> None:
        self._holding = holding
        self._artifacts = artifacts
        self._uploads = uploads
        self._verification = verification

    async def BeginUploads(  # noqa: N802
        self, request: pb.BeginUploadsRequest, context: Any
    ) -> pb.BeginUploadsResponse:
        """Plan uploads."""
        files = [FileSpec(file.path, file.size_bytes, file.sha256) for file in request.files]
        run_id = parse_owner(request.run_id, "run_id")
        plans = await self._uploads.begin(
            run_id,
            files,
            direct=request.direct,
            sends_checksums=request.sends_checksums,
            hidden=request.hidden,
        )
        return pb.BeginUploadsResponse(plans=map(plan_to_proto, plans))

    async def Upload(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.UploadRequest | memoryview], context: Any
    ) -> pb.UploadResponse:
        """Take the bytes of one file, in messages as `parse_upload` gives them."""
        peer = peer_of(context.peer())
        async with self._holding.hold(peer, UPLOAD_HELD_BYTES, in_hand=UPLOAD_WAITING_BYTES):
            arriving = unless_idle(request_iterator)
            first = await anext(arriving, None)
            if not isinstance(first, pb.UploadRequest):
                raise InvalidArgumentError("the first message of an upload names it; there was none")
            await self._uploads.write(
                parse_owner(first.run_id, "run_id"),
                parse_uuid(first.upload_id, "upload_id"),
                first.offset_bytes,
                pieces(first, arriving),
            )
        return pb.UploadResponse()

    async def UploadSmall(  # noqa: N802
        self, request: pb.UploadSmallRequest, context: Any
    ) -> pb.UploadSmallResponse:
        """Take several small files."""
        files = [(parse_uuid(file.upload_id, "upload_id"), file.data) for file in request.files]
        await self._uploads.write_small(parse_owner(request.run_id, "run_id"), files)
        return pb.UploadSmallResponse()

    async def GetUpload(self, request: pb.GetUploadRequest, context: Any) -> pb.GetUploadResponse:  # noqa: N802
        """Tell how far an upload is."""
        run_id = parse_owner(request.run_id, "run_id")
        held = await self._uploads.held_bytes(run_id, parse_uuid(request.upload_id, "upload_id"))
        return pb.GetUploadResponse(held_bytes=held)

    async def SignParts(self, request: pb.SignPartsRequest, context: Any) -> pb.SignPartsResponse:  # noqa: N802
        """Give addresses for parts."""
        run_id, upload_id = parse_owner(request.run_id, "run_id"), parse_uuid(request.upload_id, "upload_id")
        urls, signed = await self._uploads.sign_parts(run_id, upload_id, request.numbers, request.sha256)
        return pb.SignPartsResponse(urls=urls, checksums_signed=signed)

    async def CompleteUploads(  # noqa: N802
        self, request: pb.CompleteUploadsRequest, context: Any
    ) -> pb.CompleteUploadsResponse:
        """Make uploads visible."""
        finished = [finished_from_proto(upload) for upload in request.uploads]
        await self._uploads.complete(parse_owner(request.run_id, "run_id"), finished)
        return pb.CompleteUploadsResponse()

    async def AddRows(self, request: pb.AddRowsRequest, context: Any) -> pb.AddRowsResponse:  # noqa: N802
        """Make a table with more rows visible, if it still can be."""
        run_id, call_id = parse_uuid(request.run_id, "run_id"), parse_uuid(request.call_id, "call_id")
        finished = finished_from_proto(request.upload)
        addition = Addition(request.replaces_sha256, call_id)
        return pb.AddRowsResponse(added=await self._uploads.add_rows(run_id, finished, addition))

    async def AbandonUploads(  # noqa: N802
        self, request: pb.AbandonUploadsRequest, context: Any
    ) -> pb.AbandonUploadsResponse:
        """Give uploads up."""
        ids = [parse_uuid(upload_id, "upload_ids") for upload_id in request.upload_ids]
        await self._uploads.abandon(parse_owner(request.run_id, "run_id"), ids)
        return pb.AbandonUploadsResponse()

    async def ListArtifacts(  # noqa: N802
        self, request: pb.ListArtifactsRequest, context: Any
    ) -> pb.ListArtifactsResponse:
        """Return a page of a listing."""
        listed, next_page_token = await self._artifacts.list(
            parse_owner(request.run_id, "run_id"),
            request.path,
            request.page_size,
            request.page_token,
            recursive=request.recursive,
            own_only=request.own_only,
            direct=request.direct,
        )
        urls = await self._artifacts.addresses(listed) if request.direct else [""] * len(listed)
        return pb.ListArtifactsResponse(
            artifacts=map(listed_to_proto, listed, urls), next_page_token=next_page_token
        )

    async def GetArtifact(self, request: pb.GetArtifactRequest, context: Any) -> pb.GetArtifactResponse:  # noqa: N802
        """Return one artifact."""
        run_id = parse_owner(request.run_id, "run_id")
        file, url = await self._artifacts.get(run_id, request.path, direct=request.direct)
        found = Listed(file.path, False, file.size_bytes, file.sha256, file.logged_time_ms)
        return pb.GetArtifactResponse(artifact=listed_to_proto(found), url=url)

    async def Download(  # type: ignore[override]  # noqa: N802
        self, request: pb.DownloadRequest, context: Any
    ) -> AsyncIterator[Piece]:
        """Send the bytes of one artifact, for `encode_download`."""
        run_id = parse_owner(request.run_id, "run_id")
        read = self._artifacts.read(run_id, request.path, request.offset_bytes, request.sha256)
        holding = self._holding.hold(peer_of(context.peer()), DOWNLOAD_HELD_BYTES)
        async with holding, aclosing(read) as found:  # type: ignore[type-var]  # it is a generator
            async for piece in found:
                yield piece

    async def DeleteArtifacts(  # noqa: N802
        self, request: pb.DeleteArtifactsRequest, context: Any
    ) -> pb.DeleteArtifactsResponse:
        """Do one step of a removal."""
        count, more = await self._artifacts.delete(parse_owner(request.run_id, "run_id"), request.path)
        return pb.DeleteArtifactsResponse(deleted_count=count, more=more)

    async def VerifyArtifacts(  # noqa: N802
        self, request: pb.VerifyArtifactsRequest, context: Any
    ) -> AsyncIterator[pb.VerifyArtifactsResponse]:
        """Read stored content again and say how far it is, and what is wrong."""
        run_id = parse_owner(request.run_id, "run_id") if request.run_id else None
        async with aclosing(self._verification.verify(run_id, repair=request.repair)) as steps:
            async for progress in steps:
                yield progress_to_proto(progress)


def add_artifact_service(servicer: ArtifactServicer, server: Any) -> None:
    """Add the service to a gRPC server; its streams of bytes have coders of their own."""
    streams: dict[str, Any] = {
        "Upload": grpc.stream_unary_rpc_method_handler(
            servicer.Upload, parse_upload, pb.UploadResponse.SerializeToString
        ),
        "Download": grpc.unary_stream_rpc_method_handler(
            servicer.Download, pb.DownloadRequest.FromString, encode_download
        ),
    }
    # Of generic handlers the first one counts, of registered ones, which newer versions of gRPC prefer, the last.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, streams),))
    artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server(servicer, server)
    server.add_registered_method_handlers(SERVICE, streams)


async def unless_idle(
    messages: AsyncIterator[pb.UploadRequest | memoryview],
) -> AsyncIterator[pb.UploadRequest | memoryview]:
    """Yield messages; a sender who brings none for STALL_S has to come again, and goes on where he was."""
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                message = await anext(messages, None)
        except TimeoutError:
            raise ExhaustedError(
                f"nothing came for {STALL_S:g} s; begin the call again, it goes on behind what is here"
            ) from None
        if message is None:
            return
        yield message


async def pieces(
    first: pb.UploadRequest, following: AsyncIterator[pb.UploadRequest | memoryview]
) -> AsyncIterator[Piece]:
    """Yield the bytes that the messages bring."""
    check_piece(first.data)
    yield first.data
    async for message in following:
        data = message.data if isinstance(message, pb.UploadRequest) else message
        check_piece(data)
        yield data


def finished_from_proto(message: pb.FinishedUpload) -> FinishedUpload:
    """Return an upload whose bytes were sent."""
    parts = [PartTag(part.number, part.etag) for part in message.parts]
    return FinishedUpload(parse_uuid(message.upload_id, "upload_id"), parts)


def progress_to_proto(progress: VerificationProgress) -> pb.VerifyArtifactsResponse:
    """Return how far a verification is as a message."""
    return pb.VerifyArtifactsResponse(
        total_count=progress.total_count,
        total_bytes=progress.total_bytes,
        checked_count=progress.checked_count,
        checked_bytes=progress.checked_bytes,
        broken=[
            pb.BrokenContent(
                problem=it.problem,
                place=f"{it.place.root}/{it.place.key}",
                sha256=it.sha256,
                size_bytes=it.size_bytes,
                artifact_count=it.artifact_count,
                artifacts=[pb.ArtifactName(run_id=owner, path=path) for owner, path in it.artifacts],
            )
            for it in progress.broken
        ],
        places=[
            pb.VerifiedPlace(place=root, count=count, bytes=size)
            for root, (count, size) in progress.places.items()
        ],
    )


def plan_to_proto(plan: UploadPlan) -> pb.UploadPlan:
    """Return a plan as a message."""
    match plan:
        case AlreadyThere():
            return pb.UploadPlan(already_there=pb.AlreadyThere())
        case ThroughServer(upload_id):
            return pb.UploadPlan(upload_id=upload_id.hex, through_server=pb.ThroughServer())
        case PutDirectly(upload_id, url, signed):
            return pb.UploadPlan(upload_id=upload_id.hex, put=pb.PutAddress(url=url, checksum_signed=signed))
        case PartsDirectly(upload_id, part_bytes, held):
            tags = [pb.PartTag(number=part.number, etag=part.etag) for part in held]
            return pb.UploadPlan(
                upload_id=upload_id.hex, parts=pb.PartsPlan(part_bytes=part_bytes, held=tags)
            )


def listed_to_proto(listed: Listed, url: str = "") -> pb.Artifact:
    """Return a line of a listing as a message, with its address if it is to have one."""
    return pb.Artifact(
        path=listed.path,
        is_folder=listed.is_folder,
        size_bytes=listed.size_bytes,
        sha256=listed.sha256,
        logged_time_ms=listed.logged_time_ms,
        url=url,
    )
