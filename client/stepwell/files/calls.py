"""The calls of ArtifactService on one server, from any thread but the loop's. Errors: see `Connection.call`."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from stepwell import settings
from stepwell.errors import StepwellException
from stepwell.wire.connection import Connection, connect
from stepwell_api.v1 import artifacts_pb2, places_pb2

# Larger pieces are no faster, and gRPC holds several of them: 2 MiB cost 60 MB more in client and server.
PIECE_BYTES = 512 * 1024
LIST_PAGE_SIZE = 10_000
# A bucket may have to put thousands of parts together.
COMPLETE_TIMEOUT_S = 900.0
# And the server to read the object once, where the bucket does not say its SHA-256.
VERIFIED_BYTES_PER_S_MIN = 20e6


class ArtifactCalls:
    """Artifacts on one server."""

    def __init__(self, uri: str) -> None:
        self._connection = connect(uri)

    def reach(self) -> None:
        """Return when the server is connected. Raises TEMPORARILY_UNAVAILABLE after STEPWELL_REACH_TIMEOUT_S."""
        self._connection.check(settings.reach_timeout_s())

    def begin(
        self,
        run_id: str,
        files: Sequence[artifacts_pb2.UploadSpec],
        *,
        direct: bool,
        hidden: bool = False,
    ) -> Sequence[artifacts_pb2.UploadPlan]:
        """Announce files; returns what is left to do for each."""
        request = artifacts_pb2.BeginUploadsRequest(
            run_id=run_id, files=files, direct=direct, sends_checksums=True, hidden=hidden
        )
        return self._connection.call(
            lambda server: server.artifacts.BeginUploads(request), COMPLETE_TIMEOUT_S
        ).plans

    def upload_small(self, run_id: str, files: Sequence[artifacts_pb2.SmallFile]) -> None:
        """Send whole files through the server."""
        request = artifacts_pb2.UploadSmallRequest(run_id=run_id, files=files)
        self._connection.call(lambda server: server.artifacts.UploadSmall(request))

    def held_bytes(self, run_id: str, upload_id: str) -> int:
        """Return how much of an upload through the server is there."""
        request = artifacts_pb2.GetUploadRequest(run_id=run_id, upload_id=upload_id)
        return self._connection.call(lambda server: server.artifacts.GetUpload(request)).held_bytes

    def upload(
        self, run_id: str, upload_id: str, descriptor: int, offset: int, end: int, sent: Callable[[int], None]
    ) -> None:
        """Send the bytes [offset, end) of an open file through the server."""
        first = artifacts_pb2.UploadRequest(run_id=run_id, upload_id=upload_id, offset_bytes=offset)
        self._connection.call(
            lambda server: server.upload(_pieces(first, descriptor, offset, end, sent)), None
        )

    def sign_part(self, run_id: str, upload_id: str, number: int, sha256: bytes) -> tuple[str, bool]:
        """Return the address for a part, and whether it was signed for its SHA-256, which is to be sent along then."""
        request = artifacts_pb2.SignPartsRequest(
            run_id=run_id, upload_id=upload_id, numbers=[number], sha256=[sha256]
        )
        answer = self._connection.call(lambda server: server.artifacts.SignParts(request))
        if len(answer.urls) != 1:
            raise StepwellException(f"The server gave {len(answer.urls)} addresses for one part.")
        return answer.urls[0], answer.checksums_signed

    def complete(self, run_id: str, uploads: Sequence[artifacts_pb2.FinishedUpload], count: int) -> None:
        """Make uploads visible, which have so many bytes together."""
        request = artifacts_pb2.CompleteUploadsRequest(run_id=run_id, uploads=uploads)
        timeout_s = COMPLETE_TIMEOUT_S + count / VERIFIED_BYTES_PER_S_MIN
        self._connection.call(lambda server: server.artifacts.CompleteUploads(request), timeout_s)

    def add_rows(
        self,
        run_id: str,
        upload: artifacts_pb2.FinishedUpload,
        replaces_sha256: bytes,
        call_id: str,
        count: int,
    ) -> bool:
        """Make a table of so many bytes, with more rows, visible; tells whether it still could be."""
        request = artifacts_pb2.AddRowsRequest(
            run_id=run_id, upload=upload, replaces_sha256=replaces_sha256, call_id=call_id
        )
        timeout_s = COMPLETE_TIMEOUT_S + count / VERIFIED_BYTES_PER_S_MIN
        return self._connection.call(lambda server: server.artifacts.AddRows(request), timeout_s).added

    def abandon(self, run_id: str, upload_ids: Sequence[str]) -> None:
        """Give uploads up."""
        request = artifacts_pb2.AbandonUploadsRequest(run_id=run_id, upload_ids=upload_ids)
        self._connection.call(lambda server: server.artifacts.AbandonUploads(request))

    def list(
        self, run_id: str, folder: str, *, recursive: bool, own_only: bool = False
    ) -> Iterator[artifacts_pb2.Artifact]:
        """Yield what is in a folder, or all files below it, page by page.

        `own_only` leaves out what the run shows because a logged model has it.
        """
        for page in self._pages(
            artifacts_pb2.ListArtifactsRequest(
                run_id=run_id, path=folder, recursive=recursive, page_size=LIST_PAGE_SIZE, own_only=own_only
            )
        ):
            yield from page

    def addressed_pages(self, run_id: str, folder: str) -> Iterator[Sequence[artifacts_pb2.Artifact]]:
        """Yield all files below a folder in pages, each asked for when it is needed, with addresses in the bucket.

        There are none where the server has no bucket, or does not know this question yet.
        """
        return self._pages(
            artifacts_pb2.ListArtifactsRequest(
                run_id=run_id, path=folder, recursive=True, page_size=LIST_PAGE_SIZE, direct=True
            )
        )

    def _pages(
        self, request: artifacts_pb2.ListArtifactsRequest
    ) -> Iterator[Sequence[artifacts_pb2.Artifact]]:
        while True:
            page = self._connection.call(lambda server: server.artifacts.ListArtifacts(request))
            yield page.artifacts
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get(self, run_id: str, path: str, *, direct: bool) -> artifacts_pb2.GetArtifactResponse:
        """Return one artifact, and its address in the bucket if it has one and `direct` asks for it."""
        request = artifacts_pb2.GetArtifactRequest(run_id=run_id, path=path, direct=direct)
        return self._connection.call(lambda server: server.artifacts.GetArtifact(request))

    def download(
        self,
        run_id: str,
        artifact: artifacts_pb2.Artifact,
        offset: int,
        take: Callable[[memoryview, int], None],
    ) -> None:
        """Fetch an artifact from an offset on through the server; `take` gets each piece and its offset, in order."""
        request = artifacts_pb2.DownloadRequest(
            run_id=run_id, path=artifact.path, offset_bytes=offset, sha256=artifact.sha256
        )
        self._connection.call(lambda server: _receive(server, request, take), None)

    def verify(self, run_id: str, *, repair: bool) -> Iterator[artifacts_pb2.VerifyArtifactsResponse]:
        """Let the server read stored content again; yields how far it is, and what is wrong."""
        request = artifacts_pb2.VerifyArtifactsRequest(run_id=run_id, repair=repair)
        # One large file may take so long.
        return self._connection.stream(
            lambda server: server.artifacts.VerifyArtifacts(request), lambda: COMPLETE_TIMEOUT_S
        )

    def move(
        self, experiment_id: str, place: str, *, dry_run: bool
    ) -> Iterator[places_pb2.MoveArtifactsResponse]:
        """Let the server move the artifacts of an experiment; yields how far it is, and what stays where it is."""
        request = places_pb2.MoveArtifactsRequest(
            experiment_id=int(experiment_id), place=place, dry_run=dry_run
        )
        return self._connection.stream(
            lambda server: server.places.MoveArtifacts(request), lambda: COMPLETE_TIMEOUT_S
        )

    def delete(self, run_id: str, path: str) -> tuple[int, bool]:
        """Do one step of a removal; returns how many files went, and whether there are more."""
        request = artifacts_pb2.DeleteArtifactsRequest(run_id=run_id, path=path)
        answer = self._connection.call(
            lambda server: server.artifacts.DeleteArtifacts(request), COMPLETE_TIMEOUT_S
        )
        return answer.deleted_count, answer.more


async def _pieces(
    first: artifacts_pb2.UploadRequest, descriptor: int, offset: int, end: int, sent: Callable[[int], None]
) -> AsyncIterator[artifacts_pb2.UploadRequest | memoryview]:
    """Yield a file from an offset to an end in pieces.

    The next one is asked for when gRPC has taken the last: that is the back-pressure. A piece is a view of a buffer
    that is used again.
    """
    yield first
    loop = asyncio.get_running_loop()
    # Not new ones from the threads, because each thread would keep memory of its own.
    buffer, other = memoryview(bytearray(PIECE_BYTES)), memoryview(bytearray(PIECE_BYTES))
    following = loop.run_in_executor(None, os.preadv, descriptor, [buffer[: end - offset]], offset)
    while count := await following:
        offset += count
        # While one piece travels, the next one is read.
        following = loop.run_in_executor(None, os.preadv, descriptor, [other[: end - offset]], offset)
        yield buffer[:count]
        sent(count)
        buffer, other = other, buffer


async def _receive(
    server: Connection, request: artifacts_pb2.DownloadRequest, take: Callable[[memoryview, int], None]
) -> None:
    loop = asyncio.get_running_loop()
    offset = request.offset_bytes
    taking: asyncio.Future[None] = loop.create_future()
    taking.set_result(None)
    try:
        async for piece in server.download(request):
            # While one piece is taken, the next one arrives.
            await taking
            taking = loop.run_in_executor(None, take, piece, offset)
            offset += len(piece)
    finally:
        await taking
