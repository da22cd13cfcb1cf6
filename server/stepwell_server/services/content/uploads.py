"""The rules of uploads: plan, take the bytes, check them, make them visible."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID, uuid4

from stepwell_server.errors import (
    ExhaustedError,
    InvalidArgumentError,
    NotFoundError,
    StepwellError,
    UnavailableError,
)
from stepwell_server.model.artifacts import (
    CHECKED_SUFFIX,
    FILE_BYTES_MAX,
    FILES_PER_REQUEST_MAX,
    FINISHED_PARTS_PER_REQUEST_MAX,
    MESSAGE_BYTES_MAX,
    MIB,
    PART_BYTES_MIN,
    PARTS_MAX,
    SHA256_BYTES,
    SIGNED_PARTS_PER_REQUEST_MAX,
    SMALL_BYTES_MAX,
    Addition,
    AlreadyThere,
    Arrival,
    DirectUpload,
    FileSpec,
    FinishedUpload,
    OpenUpload,
    PartsDirectly,
    PartTag,
    Piece,
    Place,
    PutDirectly,
    ThroughServer,
    UploadPlan,
)
from stepwell_server.services.content.lost import doubt_lost
from stepwell_server.services.content.paths import check_path, check_together
from stepwell_server.services.content.quotas import Quotas
from stepwell_server.store.ports.artifacts import (
    ArtifactStore,
    ContentStore,
    ContentStores,
    DirectContentStore,
)

T = TypeVar("T")

# How often an upload that goes on says so; one that takes hours is not idle.
NOTE_INTERVAL_S = 10.0

# Of a file that comes without its size, how much is announced at once beside what has come.
ANNOUNCED_AHEAD_BYTES = 16 * MIB

# Questions to the bucket that one request asks at once.
BUCKET_CALLS_AT_ONCE = 16


class UploadService:
    """Takes files. Raises what `artifact_ports` says, and InvalidArgumentError."""

    def __init__(self, store: ArtifactStore, contents: ContentStores, quotas: Quotas | None = None) -> None:
        self._store = store
        self._contents = contents
        self._quotas = quotas or Quotas()

    async def begin(
        self,
        run_id: UUID,
        files: Sequence[FileSpec],
        *,
        direct: bool,
        sends_checksums: bool = False,
        hidden: bool = False,
        believed: bool = True,
    ) -> Sequence[UploadPlan]:
        """Plan the uploads of files, in their order; what the server has already becomes visible at once.

        A caller who is not `believed` to have what others have logged has to send it, unless the run shows it already.

        `direct` says whether the client can reach a bucket, `sends_checksums` whether it sends along the SHA-256 that
        addresses can be signed for, `hidden` that nothing is to become visible.
        """
        check_files(files)
        root = self._contents.root_of(await self._store.artifact_uri(run_id))
        content = await self._contents.open(root)
        linked = set() if hidden else await self._link(run_id, root, files, believed=believed)
        missing = [file for file in files if file.path not in linked]
        await self._quotas.require_room(self._store, content, run_id, root, missing)
        uploads = await self._store.open_uploads(run_id, root, missing)
        bucket = content.direct if direct else None
        plans = await _at_once([self._plan(upload, bucket, sends_checksums) for upload in uploads])
        by_path = {file.path: plan for file, plan in zip(missing, plans, strict=True)}
        return [by_path.get(file.path, AlreadyThere()) for file in files]

    async def _link(self, run_id: UUID, root: str, files: Sequence[FileSpec], *, believed: bool) -> set[str]:
        """Make visible what the server has already, and what is still there: its bytes may have been lost since."""
        await doubt_lost(self._store, self._contents, root, files)
        return await self._store.link(run_id, root, files, own_only=not believed)

    async def held_bytes(self, run_id: UUID, upload_id: UUID) -> int:
        """Return how many bytes of an upload through the server are held."""
        upload, content = await self._open_one(run_id, upload_id)
        return await content.held_bytes(upload.place.key, upload.file)

    async def write(self, run_id: UUID, upload_id: UUID, offset: int, pieces: AsyncIterator[Piece]) -> None:
        """Take the bytes of one file from an offset on; at the end they are checked and on disk, not visible yet."""
        upload, content = await self._open_one(run_id, upload_id, came_through=True)

        async def note() -> None:
            await self._store.uploads(run_id, [upload_id])

        async with aclosing(noted(pieces, note)) as arriving:
            await content.write(upload.place.key, offset, arriving, upload.file)
        await self._store.set_checked(run_id, [upload_id])

    async def write_small(self, run_id: UUID, files: Sequence[tuple[UUID, bytes]]) -> None:
        """Take whole files: pairs of upload and bytes. They are checked and on disk, not visible yet."""
        check_count("files", len(files))
        uploads = await self._store.uploads(run_id, [upload_id for upload_id, _ in files], came_through=True)
        named = []
        for upload, (_, data) in zip(uploads, files, strict=True):
            _check_content(upload.file, data)
            named.append((upload.place.key, data))
        if uploads:
            content = await self._contents.open(uploads[0].place.root)
            await content.write_small(named)
            await self._store.set_checked(run_id, [upload.upload_id for upload in uploads])

    async def sign_parts(
        self, run_id: UUID, upload_id: UUID, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> tuple[Sequence[str], bool]:
        """Return addresses for parts of an upload straight to the bucket, and whether they are signed for the SHA-256.

        `sha256` has one for each part, or none.
        """
        if not 1 <= len(numbers) <= SIGNED_PARTS_PER_REQUEST_MAX:
            raise InvalidArgumentError(
                f"{len(numbers)} parts are named; name 1 to {SIGNED_PARTS_PER_REQUEST_MAX:,}"
            )
        if any(not 1 <= number <= PARTS_MAX for number in numbers):
            raise InvalidArgumentError(f"parts have numbers from 1 to {PARTS_MAX:,}")
        upload, content = await self._open_one(run_id, upload_id)
        if upload.direct is None or content.direct is None:
            raise InvalidArgumentError(f"upload {upload_id.hex} does not go to a bucket in parts")
        signed = upload.direct.takes_checksums
        if (signed or sha256) and [len(digest) for digest in sha256] != [SHA256_BYTES] * len(numbers):
            raise InvalidArgumentError(
                f"each of the {len(numbers)} parts needs its SHA-256 of {SHA256_BYTES} bytes; {len(sha256)} are given"
            )
        said = sha256 if signed or not content.direct.checks_sha256 else ()
        urls = await content.direct.part_urls(upload.direct.key, upload.direct.multipart_id, numbers, said)
        return urls, signed

    async def take(
        self,
        run_id: UUID,
        path: str,
        pieces: AsyncIterator[Piece],
        size_bytes: int | None,
        prefer_bytes: Callable[[int], None],
    ) -> FileSpec:
        """Take one file that nobody announced, and make it visible. What fails leaves nothing.

        `size_bytes` is how much probably comes, if somebody said so; `prefer_bytes` is told, before the first one is
        asked for, how large pieces had best be.
        """
        check_path(path)
        check_size(path, size_bytes or 0)
        root = self._contents.root_of(await self._store.artifact_uri(run_id))
        content = await self._contents.open(root)
        await self._quotas.require_room(
            self._store, content, run_id, root, [FileSpec(path, size_bytes or 0, b"")]
        )
        arrival = await self._store.open_arrival(run_id, root, path, size_bytes or 0)

        async def note() -> None:
            await self._store.arrival(run_id, arrival.upload_id)

        try:
            prefer_bytes(content.piece_bytes)
            counted = self._counted(pieces, content, arrival)
            async with aclosing(counted), aclosing(noted(counted, note)) as arriving:
                received = await content.receive(arrival.place.key, arriving, size_bytes)
            upload = arrival.arrived(*received)
            await doubt_lost(self._store, self._contents, root, [upload.file])
            await self._store.complete(run_id, [upload])
        except BaseException:
            with suppress(StepwellError):  # then it is given up when it is idle
                await self._store.abandon(run_id, [arrival.upload_id])
            raise
        return upload.file

    async def _counted(
        self, pieces: AsyncIterator[Piece], content: ContentStore, arrival: Arrival
    ) -> AsyncGenerator[Piece]:
        """Yield the pieces; what comes beside what was announced has to find room, some of it ahead of time."""
        left = arrival.announced_bytes
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                more = await self._room_for(content, arrival, -left)
                arrival = await self._store.announce(arrival, arrival.announced_bytes + more)
                left += more
            yield piece

    async def _room_for(self, content: ContentStore, arrival: Arrival, size: int) -> int:
        """Return how much more there is room for, at least `size`. Raises ExhaustedError."""
        with suppress(ExhaustedError):
            await self._quotas.require_more(self._store, content, arrival, size + ANNOUNCED_AHEAD_BYTES)
            return size + ANNOUNCED_AHEAD_BYTES
        await self._quotas.require_more(self._store, content, arrival, size)
        return size

    async def complete(self, run_id: UUID, finished: Sequence[FinishedUpload]) -> None:
        """Check that everything is there and make it visible, all or nothing."""
        check_count("uploads", len(finished))
        if sum(len(upload.parts) for upload in finished) > FINISHED_PARTS_PER_REQUEST_MAX:
            raise InvalidArgumentError(
                f"a request names at most {FINISHED_PARTS_PER_REQUEST_MAX:,} parts; finish fewer uploads at once"
            )
        uploads = await self._store.uploads(run_id, [upload.upload_id for upload in finished])
        checks = [
            self._verified(upload, parts.parts) for upload, parts in zip(uploads, finished, strict=True)
        ]
        verified = await _at_once(checks)
        await self._doubt_lost(verified)
        await self._store.complete(run_id, verified)

    async def add_rows(self, run_id: UUID, finished: FinishedUpload, addition: Addition) -> bool:
        """Check that a table is there and make it visible, unless the one that it replaces has changed; tells whether.

        The rows of one call are added once: a repeat changes nothing and is told the same.
        """
        if len(addition.replaces_sha256) not in (0, SHA256_BYTES):
            raise InvalidArgumentError(
                f"replaces_sha256 has {SHA256_BYTES} bytes, or none where there was no table"
            )
        (upload,) = await self._store.uploads(run_id, [finished.upload_id])
        verified = await self._verified(upload, finished.parts)
        await self._doubt_lost([verified])
        return await self._store.add_rows(run_id, verified, addition)

    async def _doubt_lost(self, uploads: Sequence[OpenUpload]) -> None:
        """Look whether what others sent before, or at the same time, is there still, before it is taken for these."""
        for root in {upload.place.root for upload in uploads}:
            files = [upload.file for upload in uploads if upload.place.root == root]
            await doubt_lost(self._store, self._contents, root, files)

    async def abandon(self, run_id: UUID, upload_ids: Sequence[UUID]) -> None:
        """Give uploads up; what they hold is removed by the next sweep."""
        check_count("uploads", len(upload_ids))
        await self._store.abandon(run_id, upload_ids)

    async def _plan(
        self, upload: OpenUpload, bucket: DirectContentStore | None, sends_checksums: bool
    ) -> UploadPlan:
        size = upload.file.size_bytes
        if bucket is None or size <= SMALL_BYTES_MAX:
            return ThroughServer(upload.upload_id)
        checked = sends_checksums and bucket.checks_sha256
        direct, held = await self._held_directly(upload, bucket, checked)
        if size <= PART_BYTES_MIN:
            signed = direct.takes_checksums
            checksums = [upload.file.sha256] if signed else ()
            (url,) = await bucket.part_urls(direct.key, direct.multipart_id, [1], checksums)
            return PutDirectly(upload.upload_id, url, signed)
        return PartsDirectly(upload.upload_id, bucket.part_bytes(size), held)

    async def _held_directly(
        self, upload: OpenUpload, bucket: DirectContentStore, checked: bool
    ) -> tuple[DirectUpload, Sequence[PartTag]]:
        """Return where an upload goes straight, and what is there of it; begins it, anew where it cannot go on."""
        direct = upload.direct
        if direct is not None and direct.takes_checksums == checked:
            held = await bucket.held_parts(direct.key, direct.multipart_id)
            # A single part is not sent in pieces: what is there of it may be anything.
            if held is not None and not (held and upload.file.size_bytes <= PART_BYTES_MIN):
                return direct, held
        # Never the same key twice: what was verified under one is not overwritten by another attempt.
        key = f"{upload.place.key}-{uuid4().hex[:8]}{CHECKED_SUFFIX if checked else ''}"
        begun = DirectUpload(key, await bucket.begin_parts(key, checked=checked))
        return await self._store.set_direct(upload, begun), ()

    async def _open_one(
        self, run_id: UUID, upload_id: UUID, *, came_through: bool = False
    ) -> tuple[OpenUpload, ContentStore]:
        (upload,) = await self._store.uploads(run_id, [upload_id], came_through=came_through)
        return upload, await self._contents.open(upload.place.root)

    async def _verified(self, upload: OpenUpload, parts: Sequence[PartTag]) -> OpenUpload:
        """Return the upload with the place where its bytes are, all of them, and right."""
        content = await self._contents.open(upload.place.root)
        if parts and (upload.direct is None or content.direct is None):
            raise InvalidArgumentError(f"upload {upload.upload_id.hex} does not go to a bucket in parts")
        if upload.is_checked and not parts:
            # It came through a server, which has stored it whole. While the upload is open, nothing takes it away.
            return upload
        size = None if parts else await content.size_bytes(upload.place.key)
        if size is None and upload.direct is not None and content.direct is not None:
            return await self._verified_directly(upload, upload.direct, content, content.direct, parts)
        if size != upload.file.size_bytes:
            found = "nothing" if size is None else f"{size} bytes"
            raise _other_bytes(upload.file, f"{found} arrived")
        # On its way still, or begun by a server before 0.2, and so maybe PUT straight to the bucket.
        await _require_verified(content, upload.place.key, upload.file)
        return upload

    async def _verified_directly(
        self,
        upload: OpenUpload,
        direct: DirectUpload,
        content: ContentStore,
        bucket: DirectContentStore,
        parts: Sequence[PartTag],
    ) -> OpenUpload:
        # What the bucket holds of each part counts, not what it said to whoever sent it: the whole is verified.
        numbers = [replace(part, etag="") for part in parts]
        try:
            await bucket.complete_parts(direct.key, direct.multipart_id, numbers)
        except (NotFoundError, InvalidArgumentError) as refusal:
            if isinstance(refusal, InvalidArgumentError) and not parts:
                raise _other_bytes(upload.file, str(refusal)) from None
            raise UnavailableError(
                f"the parts of {upload.file.path!r} cannot be put together: {refusal}; begin its upload again, and "
                "send what the bucket does not hold"
            ) from refusal
        await _require_verified(content, direct.key, upload.file)
        return replace(upload, place=Place(upload.place.root, direct.key))


async def _require_verified(content: ContentStore, key: str, file: FileSpec) -> None:
    """Check what was sent without passing through the server; what is wrong is removed, and told."""
    problem = await content.verify(key, file)
    if problem:
        await content.remove(key, None)
        raise _other_bytes(file, problem)


def _other_bytes(file: FileSpec, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{file.path!r} was announced with {file.size_bytes} bytes and the SHA-256 {file.sha256.hex()}, but {problem}; "
        "send it again"
    )


async def noted(pieces: AsyncIterator[Piece], note: Callable[[], Awaitable[None]]) -> AsyncGenerator[Piece]:
    """Yield the pieces; note from time to time that some came, or the upload would be given up as idle."""
    noted_s = time.monotonic()
    async for piece in pieces:
        if time.monotonic() - noted_s > NOTE_INTERVAL_S:
            await note()
            noted_s = time.monotonic()
        yield piece


async def _at_once(calls: Sequence[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """Run coroutines, a bounded number at a time, and return their results in order."""
    room = asyncio.Semaphore(BUCKET_CALLS_AT_ONCE)

    async def one(call: Coroutine[Any, Any, T]) -> T:
        async with room:
            return await call

    return await asyncio.gather(*map(one, calls))


def check_files(files: Sequence[FileSpec]) -> None:
    """Check announced files. Raises InvalidArgumentError for the first that is wrong."""
    check_count("files", len(files))
    for file in files:
        check_path(file.path)
        check_size(file.path, file.size_bytes)
        if len(file.sha256) != SHA256_BYTES:
            raise InvalidArgumentError(f"the SHA-256 of {file.path!r} has to have {SHA256_BYTES} bytes")
    check_together([file.path for file in files])


def check_size(path: str, size_bytes: int) -> None:
    """Check how large a file is said to be. Raises InvalidArgumentError."""
    if not 0 <= size_bytes <= FILE_BYTES_MAX:
        raise InvalidArgumentError(
            f"the size of {path!r} is {size_bytes} bytes; 0 to {FILE_BYTES_MAX:,} are possible"
        )


def check_count(what: str, count: int) -> None:
    """Check how many a request names. Raises InvalidArgumentError."""
    if not 1 <= count <= FILES_PER_REQUEST_MAX:
        raise InvalidArgumentError(f"a request names 1 to {FILES_PER_REQUEST_MAX} {what}, not {count}")


def check_piece(data: Piece) -> None:
    """Check one piece of an upload. Raises InvalidArgumentError when it is too long."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise InvalidArgumentError(f"a message brings at most {MESSAGE_BYTES_MAX:,} bytes, not {len(data):,}")


def _check_content(file: FileSpec, data: bytes) -> None:
    if len(data) != file.size_bytes or hashlib.sha256(data).digest() != file.sha256:
        raise InvalidArgumentError(
            f"the bytes of {file.path!r} are not those that were announced ({file.size_bytes} bytes, SHA-256 "
            f"{file.sha256.hex()}): the file changed while it was sent; log it again"
        )
