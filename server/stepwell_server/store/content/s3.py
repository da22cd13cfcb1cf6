"""Content in a bucket of S3, or of what speaks its protocol, through aiobotocore.

    s3://<bucket>/<prefix>/<key>

Objects are whole or not there: S3 shows one when its PUT or its last part is complete. Clients get addresses of parts
only, never of objects: when the server has put the parts together, what was signed before reaches nothing any more.
Region, endpoint and credentials come by AWS's usual means (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, profiles, roles).
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import MIB, PARTS_MAX, FileSpec, PartTag, Piece, Room
from stepwell_server.store.content.folder import wrong_hash
from stepwell_server.store.content.s3_models import LeanFileLoader
from stepwell_server.store.content.s3_parts import InParts

READ_BYTES_MAX = MIB // 2
# Two parts are in memory at a time: one travels while the next one fills.
THROUGH_PART_BYTES_MIN = 8 * MIB
CONNECTIONS_MAX = 32
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
ATTEMPTS_MAX = 4

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
# The object is there already: the parts were put together by an earlier call.
_ALREADY_WHOLE = frozenset({"412", "PreconditionFailed"})
_NO_CONDITIONS = frozenset({"501", "NotImplemented"})
_WRONG_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})


class S3Client:
    """The connection to the bucket's server, for all roots. `address_lifetime_s` bounds what presigned ones allow."""

    def __init__(self, address_lifetime_s: int) -> None:
        self.address_lifetime_s = address_lifetime_s
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        config = AioConfig(
            signature_version="s3v4",
            max_pool_connections=CONNECTIONS_MAX,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"max_attempts": ATTEMPTS_MAX, "mode": "standard"},
            # Others than AWS do not know its newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        session = get_session()
        session.get_component("data_loader").file_loader = LeanFileLoader()
        with translated():
            self.calls = await self._stack.enter_async_context(session.create_client("s3", config=config))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


class S3ContentStore:
    """Implements `artifact_ports.ContentStore` and `DirectContentStore`."""

    def __init__(self, root: str, client: S3Client) -> None:
        parts = urlsplit(root)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client = client

    @property
    def direct(self) -> Self:
        """See `artifact_ports.ContentStore`."""
        return self

    async def held_bytes(self, key: str, file: FileSpec) -> int:
        """See `artifact_ports.ContentStore`."""
        size = await self.size_bytes(key)
        if size is None and file.size_bytes > THROUGH_PART_BYTES_MIN:
            return (await self._unfinished(key, file)).held_bytes
        return size or 0

    async def room(self) -> Room | None:
        """See `artifact_ports.ContentStore`."""
        return None

    async def write(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """See `artifact_ports.ContentStore`."""
        if await self.size_bytes(key) is not None:
            await self._check_stored(key, file)  # a repeat, after an answer that was lost
        elif file.size_bytes > THROUGH_PART_BYTES_MIN:
            await self._write_parts(key, offset, pieces, file)
        elif offset:
            raise _cannot_go_on(0, offset)
        else:
            parts = [part async for part in InParts(file, pieces, 0).of(THROUGH_PART_BYTES_MIN)]
            await self._put(key, b"".join(parts))

    async def receive(
        self, key: str, pieces: AsyncIterator[Piece], size_bytes: int | None
    ) -> tuple[int, bytes]:
        """See `artifact_ports.ContentStore`."""
        gathered = InParts(None, pieces, 0)
        part_bytes = through_part_bytes(size_bytes or 0)
        async with aclosing(_limited(gathered.of(part_bytes), part_bytes)) as parts:
            first = await anext(parts, b"")
            if len(first) < part_bytes:
                await self._put(key, first)
            else:
                await self._receive_parts(key, _with_first(first, parts))
        return gathered.taken

    async def _receive_parts(self, key: str, parts: AsyncIterator[bytes]) -> None:
        multipart_id = await self.begin_parts(key)
        try:
            sent = await self._send_all(key, multipart_id, 0, parts)
            await self.complete_parts(key, multipart_id, sent)
        except BaseException:
            with suppress(UnavailableError):  # what is left is removed with the upload's row
                await self.abandon_parts(key, multipart_id)
            raise

    async def write_small(self, files: Sequence[tuple[str, bytes]]) -> None:
        """See `artifact_ports.ContentStore`."""
        await asyncio.gather(*(self._put(key, data) for key, data in files))

    async def verify(self, key: str, file: FileSpec) -> str:
        """See `artifact_ports.ContentStore`."""
        try:
            with translated():
                found = await self._client.calls.head_object(**self._object(key), ChecksumMode="ENABLED")
        except NotFoundError:
            return "nothing is there"
        if found["ContentLength"] != file.size_bytes:
            return f"{found['ContentLength']} bytes are there instead of {file.size_bytes}"
        if found.get("ChecksumSHA256") in checksums_of(file.sha256):
            return ""
        digest = await self._sha256(key)
        return "" if digest == file.sha256 else f"the bytes there have the SHA-256 {digest.hex()}"

    async def size_bytes(self, key: str) -> int | None:
        """See `artifact_ports.ContentStore`."""
        try:
            with translated():
                size: int = (await self._client.calls.head_object(**self._object(key)))["ContentLength"]
        except NotFoundError:
            return None
        return size

    async def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """See `artifact_ports.ContentStore`."""
        with translated():
            # A range that begins at the end is refused, and an empty object has no other.
            if offset and offset == await self.size_bytes(key):
                return
            byte_range = {"Range": f"bytes={offset}-"} if offset else {}
            answer = await self._client.calls.get_object(**self._object(key), **byte_range)
            async with answer["Body"] as body:
                while piece := await body.read(READ_BYTES_MAX):
                    yield piece

    async def remove(self, key: str, multipart_id: str | None) -> None:
        """See `artifact_ports.ContentStore`."""
        for found in {multipart_id, *await self._multipart_ids(key)} - {None}:
            await self.abandon_parts(key, str(found))
        with translated():
            await self._client.calls.delete_object(**self._object(key))

    async def get_url(self, key: str) -> str:
        """See `artifact_ports.DirectContentStore`."""
        return await self._presign("get_object", **self._object(key))

    async def begin_parts(self, key: str, *, checked: bool = False) -> str:
        """See `artifact_ports.DirectContentStore`."""
        kind = {"ChecksumAlgorithm": "SHA256"} if checked else {}
        with translated():
            answer = await self._client.calls.create_multipart_upload(**self._object(key), **kind)
        return str(answer["UploadId"])

    async def held_parts(self, key: str, multipart_id: str) -> Sequence[PartTag] | None:
        """See `artifact_ports.DirectContentStore`."""
        parts = await self._parts(key, multipart_id)
        return None if parts is None else [part.tag for part in parts]

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """See `artifact_ports.DirectContentStore`."""
        upload = {**self._object(key), "UploadId": multipart_id}
        signed = [{"ChecksumSHA256": base64.b64encode(digest).decode()} for digest in sha256]
        return [
            await self._presign("upload_part", **upload, PartNumber=number, **checksum)
            for number, checksum in zip(numbers, signed or [{}] * len(numbers), strict=True)
        ]

    async def complete_parts(self, key: str, multipart_id: str, parts: Sequence[PartTag]) -> None:
        """See `artifact_ports.DirectContentStore`."""
        try:
            held = await self._parts(key, multipart_id) or ()
            if not held:
                raise NotFoundError("the bucket holds no parts of it")
            # What the bucket has checked of each part, it wants to hear again.
            checksums = {part.tag.number: part.checksum for part in held}
            listed = [
                {"PartNumber": tag.number, "ETag": f'"{tag.etag}"', **checksums.get(tag.number, {})}
                for tag in parts or [part.tag for part in held]
            ]
            with translated():
                await self._complete_once(
                    {**self._object(key), "UploadId": multipart_id, "MultipartUpload": {"Parts": listed}}
                )
        except NotFoundError:
            if await self.size_bytes(key) is None:  # else it is a repeat
                raise

    async def _complete_once(self, upload: dict[str, Any]) -> None:
        """Put parts together unless the object is there already; some buckets know no such condition."""
        try:
            await self._client.calls.complete_multipart_upload(**upload, IfNoneMatch="*")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _NO_CONDITIONS:
                raise
            await self._client.calls.complete_multipart_upload(**upload)

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """See `artifact_ports.DirectContentStore`."""
        try:
            with translated():
                await self._client.calls.abort_multipart_upload(**self._object(key), UploadId=multipart_id)
        except NotFoundError:
            return

    async def _write_parts(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """Go on where the bucket has parts already. What was sent in several calls is read again to be checked."""
        held = await self._unfinished(key, file)
        if not 0 <= offset <= held.held_bytes:
            raise _cannot_go_on(held.held_bytes, offset)
        multipart_id = held.multipart_id or await self.begin_parts(key)
        kept = held.tags if offset else ()
        parts = InParts(file, pieces, offset, held.held_bytes - offset if offset else 0)
        try:
            sent = await self._send_all(
                key, multipart_id, len(kept), parts.of(through_part_bytes(file.size_bytes))
            )
            if await self.size_bytes(key) is not None:
                raise UnavailableError("another call has finished this upload; begin it again")
            await self.complete_parts(key, multipart_id, [*kept, *sent])
        except InvalidArgumentError:
            await self.abandon_parts(key, multipart_id)  # nobody can go on with these
            raise
        if offset:
            await self._check_stored(key, file)

    async def _send_all(
        self, key: str, multipart_id: str, before: int, parts: AsyncIterator[bytes]
    ) -> Sequence[PartTag]:
        """Send parts behind the `before` first ones: one travels while the next one gathers."""
        tags: list[PartTag] = []
        under_way: asyncio.Task[PartTag] | None = None
        try:
            async for part in parts:
                if under_way is not None:
                    tags.append(await under_way)
                number = before + len(tags) + 1
                under_way = asyncio.create_task(self._send_part(key, multipart_id, number, part))
            return tags if under_way is None else [*tags, await under_way]
        finally:
            if under_way is not None:
                under_way.cancel()
                await asyncio.gather(under_way, return_exceptions=True)

    async def _unfinished(self, key: str, file: FileSpec) -> "_Unfinished":
        """Return the upload of a key from which `write` can go on, if there is one."""
        found = [_Unfinished()]
        for multipart_id in await self._multipart_ids(key):
            parts = await self._parts(key, multipart_id)
            if parts is not None and _fit(parts, file):
                tags = [part.tag for part in parts]
                found.append(_Unfinished(multipart_id, tags, sum(part.size_bytes for part in parts)))
        return max(found, key=lambda unfinished: (unfinished.held_bytes, unfinished.multipart_id or ""))

    async def _check_stored(self, key: str, file: FileSpec) -> None:
        """Read what is stored, and remove it if it is not what was announced: then InvalidArgumentError."""
        digest = await self._sha256(key)
        if digest != file.sha256:
            await self.remove(key, None)
            raise InvalidArgumentError(wrong_hash(file, digest.hex()))

    async def _sha256(self, key: str) -> bytes:
        digest = hashlib.sha256()
        async for piece in self.read(key, 0):
            await asyncio.to_thread(digest.update, piece)
        return digest.digest()

    async def _send_part(self, key: str, multipart_id: str, number: int, data: bytes) -> PartTag:
        with translated():
            answer = await self._client.calls.upload_part(
                **self._object(key), UploadId=multipart_id, PartNumber=number, Body=data
            )
        return PartTag(number, answer["ETag"].strip('"'))

    async def _put(self, key: str, data: bytes) -> None:
        with translated():
            await self._client.calls.put_object(**self._object(key), Body=data)

    async def _parts(self, key: str, multipart_id: str) -> "Sequence[_HeldPart] | None":
        """Return the parts that the bucket holds, or None as `held_parts`."""
        held: list[_HeldPart] = []
        pages = self._client.calls.get_paginator("list_parts")
        try:
            with translated():
                async for page in pages.paginate(**self._object(key), UploadId=multipart_id):
                    held += [
                        _HeldPart(
                            PartTag(part["PartNumber"], part["ETag"].strip('"')),
                            part["Size"],
                            {name: part[name] for name in ("ChecksumSHA256",) if part.get(name)},
                        )
                        for part in page.get("Parts", ())
                    ]
        except NotFoundError:
            return None
        return held

    async def _multipart_ids(self, key: str) -> Sequence[str]:
        """Return the uploads of a key that the bucket knows, also one whose name was lost in a crash."""
        name = self._object(key)
        try:
            with translated():
                answer = await self._client.calls.list_multipart_uploads(
                    Bucket=name["Bucket"], Prefix=name["Key"]
                )
        except NotFoundError:  # rclone's answer when there is none at all
            return []
        return [upload["UploadId"] for upload in answer.get("Uploads", ())]

    async def _presign(self, method: str, **parameters: Any) -> str:
        with translated():
            url: str = await self._client.calls.generate_presigned_url(
                method, Params=parameters, ExpiresIn=self._client.address_lifetime_s
            )
        return url

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}".removeprefix("/")}


@dataclass(frozen=True, slots=True)
class _HeldPart:
    """A part that the bucket holds, and what it has checked of it."""

    tag: PartTag
    size_bytes: int
    checksum: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """What a bucket holds of an upload that went through the server."""

    multipart_id: str | None = None
    tags: Sequence[PartTag] = ()
    held_bytes: int = 0


def checksums_of(sha256: bytes) -> Sequence[str]:
    """Return what a bucket says of an object that has a SHA-256: of the whole, or of one single part."""
    of_part = base64.b64encode(hashlib.sha256(sha256).digest()).decode()
    return (base64.b64encode(sha256).decode(), f"{of_part}-1")


def through_part_bytes(size_bytes: int) -> int:
    """Return the size of a part of a file that goes through the server."""
    return max(THROUGH_PART_BYTES_MIN, -(-size_bytes // PARTS_MAX))


async def _limited(parts: AsyncIterator[bytes], part_bytes: int) -> AsyncGenerator[bytes]:
    """Yield parts as long as a bucket takes more."""
    number = 0
    async for part in parts:
        number += 1
        if number > PARTS_MAX:
            raise InvalidArgumentError(
                f"a file whose length was not said may have {PARTS_MAX * part_bytes:,} bytes; say it (Content-Length)"
            )
        yield part


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


def _cannot_go_on(held: int, offset: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"the upload holds {held} bytes; it cannot go on at offset {offset}")


def _fit(parts: Sequence[_HeldPart], file: FileSpec) -> bool:
    """Tell whether these are the first parts of a file that `write` sent; what went straight has others."""
    part_bytes = through_part_bytes(file.size_bytes)
    return all(
        part.tag.number == number
        and part.size_bytes == min(part_bytes, file.size_bytes - (number - 1) * part_bytes)
        for number, part in enumerate(parts, 1)
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn what aiobotocore raises into errors of the domain."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING or code in _ALREADY_WHOLE:
            raise NotFoundError(f"the bucket does not have it: {error}") from error
        if code in _WRONG_PARTS:
            raise InvalidArgumentError(f"the bucket does not take the parts: {error}") from error
        raise UnavailableError(f"the bucket refuses: {error}") from error
    except (BotoCoreError, HTTPClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise UnavailableError(
            f"the bucket cannot be reached: {error or type(error).__name__};"
            " check AWS_ENDPOINT_URL, the region and the credentials of the server"
        ) from error
