"""Content in a bucket of S3, or of what speaks its protocol, through aiobotocore.

    s3://<bucket>/<prefix>/<key>

Objects are whole or not there: S3 shows one when its PUT or its last part is complete. Region, endpoint and credentials
come by AWS's usual means (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, profiles, roles).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from stepwell_server.artifact import MIB, PARTS_MAX, FileSpec, PartTag
from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.store.folder_content import wrong_hash

READ_BYTES_MAX = MIB // 2
# Two parts are in memory at a time: one travels while the next one fills.
THROUGH_PART_BYTES_MIN = 8 * MIB
CONNECTIONS_MAX = 32
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
ATTEMPTS_MAX = 4

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
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
        with translated():
            self.calls = await self._stack.enter_async_context(
                get_session().create_client("s3", config=config)
            )
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

    async def held_bytes(self, key: str) -> int:
        """See `artifact_ports.ContentStore`. What goes through the server to a bucket begins anew."""
        return await self.size_bytes(key) or 0

    async def write(self, key: str, offset: int, pieces: AsyncIterator[bytes], file: FileSpec) -> None:
        """See `artifact_ports.ContentStore`."""
        if await self.size_bytes(key) is not None:
            return
        if offset:
            raise InvalidArgumentError(f"the upload holds 0 bytes; it cannot go on at offset {offset}")
        part_bytes = max(THROUGH_PART_BYTES_MIN, -(-file.size_bytes // PARTS_MAX))
        parts = _Checked(file, pieces).in_parts(part_bytes)
        first = await anext(parts, b"")
        if len(first) < part_bytes:
            async for _ in parts:
                pass  # there is none, but the check of the whole comes at the end
            await self._put(key, first)
            return
        await self._write_parts(key, first, parts)

    async def write_small(self, files: Sequence[tuple[str, bytes]]) -> None:
        """See `artifact_ports.ContentStore`."""
        await asyncio.gather(*(self._put(key, data) for key, data in files))

    async def size_bytes(self, key: str) -> int | None:
        """See `artifact_ports.ContentStore`."""
        try:
            with translated():
                size: int = (await self._client.calls.head_object(**self._object(key)))["ContentLength"]
        except NotFoundError:
            return None
        return size

    async def read(self, key: str, offset: int) -> AsyncIterator[bytes]:
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

    async def put_url(self, key: str) -> str:
        """See `artifact_ports.DirectContentStore`."""
        return await self._presign("put_object", **self._object(key))

    async def get_url(self, key: str) -> str:
        """See `artifact_ports.DirectContentStore`."""
        return await self._presign("get_object", **self._object(key))

    async def begin_parts(self, key: str) -> str:
        """See `artifact_ports.DirectContentStore`."""
        with translated():
            answer = await self._client.calls.create_multipart_upload(**self._object(key))
        return str(answer["UploadId"])

    async def held_parts(self, key: str, multipart_id: str) -> Sequence[PartTag] | None:
        """See `artifact_ports.DirectContentStore`."""
        held = []
        pages = self._client.calls.get_paginator("list_parts")
        try:
            with translated():
                async for page in pages.paginate(**self._object(key), UploadId=multipart_id):
                    held += [
                        PartTag(part["PartNumber"], part["ETag"].strip('"')) for part in page.get("Parts", ())
                    ]
        except NotFoundError:
            return None
        return held

    async def part_urls(self, key: str, multipart_id: str, numbers: Sequence[int]) -> Sequence[str]:
        """See `artifact_ports.DirectContentStore`."""
        return [
            await self._presign("upload_part", **self._object(key), UploadId=multipart_id, PartNumber=number)
            for number in numbers
        ]

    async def complete_parts(self, key: str, multipart_id: str, parts: Sequence[PartTag]) -> None:
        """See `artifact_ports.DirectContentStore`."""
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        try:
            with translated():
                await self._client.calls.complete_multipart_upload(
                    **self._object(key), UploadId=multipart_id, MultipartUpload={"Parts": listed}
                )
        except NotFoundError:
            if await self.size_bytes(key) is None:  # else it is a repeat
                raise

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """See `artifact_ports.DirectContentStore`."""
        try:
            with translated():
                await self._client.calls.abort_multipart_upload(**self._object(key), UploadId=multipart_id)
        except NotFoundError:
            return

    async def _write_parts(self, key: str, first: bytes, rest: AsyncIterator[bytes]) -> None:
        multipart_id = await self.begin_parts(key)
        try:
            await self.complete_parts(key, multipart_id, await self._send_all(key, multipart_id, first, rest))
        except BaseException:
            # Also when the call is cancelled; what fails here is found when the upload is given up.
            await asyncio.shield(self.abandon_parts(key, multipart_id))
            raise

    async def _send_all(
        self, key: str, multipart_id: str, first: bytes, rest: AsyncIterator[bytes]
    ) -> Sequence[PartTag]:
        tags: list[PartTag] = []
        under_way = asyncio.create_task(self._send_part(key, multipart_id, 1, first))
        try:
            async for part in rest:
                tags.append(await under_way)
                under_way = asyncio.create_task(self._send_part(key, multipart_id, len(tags) + 1, part))
            return [*tags, await under_way]
        finally:
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)

    async def _send_part(self, key: str, multipart_id: str, number: int, data: bytes) -> PartTag:
        with translated():
            answer = await self._client.calls.upload_part(
                **self._object(key), UploadId=multipart_id, PartNumber=number, Body=data
            )
        return PartTag(number, answer["ETag"].strip('"'))

    async def _put(self, key: str, data: bytes) -> None:
        with translated():
            await self._client.calls.put_object(**self._object(key), Body=data)

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


class _Checked:
    """The pieces of a file, gathered into parts, with size and SHA-256 checked before the last part is given out."""

    def __init__(self, file: FileSpec, pieces: AsyncIterator[bytes]) -> None:
        self._file = file
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self._count = 0

    async def in_parts(self, part_bytes: int) -> AsyncIterator[bytes]:
        """Yield parts of this size, the last one smaller.

        Raises:
            InvalidArgumentError: the bytes are not those that were announced.
        """
        gathered = bytearray()
        async for piece in self._pieces:
            await asyncio.to_thread(self._hash.update, piece)
            gathered += piece
            self._check_size(self._count + len(gathered), at_end=False)
            if len(gathered) >= part_bytes and self._count + part_bytes < self._file.size_bytes:
                yield self._take(gathered, part_bytes)
        self._check_size(self._count + len(gathered), at_end=True)
        if self._hash.digest() != self._file.sha256:
            raise InvalidArgumentError(wrong_hash(self._file, self._hash.hexdigest()))
        while gathered:
            yield self._take(gathered, part_bytes)

    def _take(self, gathered: bytearray, part_bytes: int) -> bytes:
        part = bytes(memoryview(gathered)[:part_bytes])
        del gathered[:part_bytes]
        self._count += len(part)
        return part

    def _check_size(self, count: int, *, at_end: bool) -> None:
        announced = self._file.size_bytes
        if count > announced or (at_end and count < announced):
            raise InvalidArgumentError(
                f"{self._file.path!r} was announced with {announced} bytes, {count} were sent"
            )


@contextmanager
def translated() -> Iterator[None]:
    """Turn what aiobotocore raises into errors of the domain."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise NotFoundError(f"the bucket does not have it: {error}") from error
        if code in _WRONG_PARTS:
            raise InvalidArgumentError(f"the bucket does not take the parts: {error}") from error
        raise UnavailableError(f"the bucket refuses: {error}") from error
    except (BotoCoreError, HTTPClientError, OSError, TimeoutError) as error:
        raise UnavailableError(
            f"the bucket cannot be reached: {error or type(error).__name__};"
            " check AWS_ENDPOINT_URL, the region and the credentials of the server"
        ) from error
