"""Buckets of S3, or of what speaks its protocol, through aiobotocore: s3://<bucket>/<prefix>/<key>.

S3 shows an object when its PUT is complete, or its parts were put together; then it forgets their addresses. Region,
endpoint and credentials come by AWS's usual means (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, profiles, roles).
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.httpsession import get_cert_path

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import MIB, PartTag, Piece, part_bytes
from stepwell_server.process.logger import get_logger
from stepwell_server.store.content.buckets.bucket import READ_BYTES_MAX, Found, HeldPart, Part
from stepwell_server.store.content.buckets.calls import Calls
from stepwell_server.store.content.buckets.rereading import hashed_in_pieces, hashed_in_ranges
from stepwell_server.store.content.buckets.s3_library import AioConfig, get_session
from stepwell_server.store.content.buckets.s3_models import LeanFileLoader
from stepwell_server.store.content.buckets.s3_variants import checksums_of, code_of, tried
from stepwell_server.store.content.buckets.sending import InPieces
from stepwell_server.store.content.buckets.store import BucketContentStore

CONNECTIONS_MAX = 32
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
# Some servers are silent while they put parts together, and what is asked of them again meanwhile ends badly.
JOIN_TIMEOUT_S = 900
ATTEMPTS_MAX = 4
# What is read again by the library: its connections are there.
PIECES_BYTES_MAX = MIB
# How long a server that starts waits for a bucket.
TRY_S = 10.0

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
# The object is there already: the parts were put together by an earlier call.
_ALREADY_WHOLE = frozenset({"412", "PreconditionFailed"})
_NO_CONDITIONS = frozenset({"501", "NotImplemented"})
_WRONG_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})

log = get_logger(__name__)


@asynccontextmanager
async def opened(root: str, address_lifetime_s: int) -> AsyncIterator[BucketContentStore]:
    """Open a bucket, and say what it lacks."""
    async with S3Client(address_lifetime_s) as client:
        bucket = S3Bucket(root, client)
        await bucket.try_out()
        yield BucketContentStore(bucket)


class S3Client:
    """The connection to the bucket's server, for all roots. `address_lifetime_s` bounds what presigned ones allow."""

    def __init__(self, address_lifetime_s: int) -> None:
        self.address_lifetime_s = address_lifetime_s
        self._stack = AsyncExitStack()
        self._patient: Any = None

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
            if await _is_elsewhere(session):
                # A name for each bucket is what Amazon has; others would need entries of DNS for that.
                config = config.merge(AioConfig(s3={"addressing_style": "path"}))
            self.calls = await self._stack.enter_async_context(session.create_client("s3", config=config))
        self.requests = await self._stack.enter_async_context(Calls("S3", lambda: _trust(session)))
        self._session, self._config = session, config.merge(AioConfig(read_timeout=JOIN_TIMEOUT_S))
        return self

    async def patient(self) -> Any:
        """Return the calls for what takes its time; made when they are needed first."""
        if self._patient is None:
            made = self._session.create_client("s3", config=self._config)
            self._patient = await self._stack.enter_async_context(made)
        return self._patient

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


class S3Bucket:
    """Implements `bucket.Bucket`."""

    def __init__(self, root: str, client: S3Client) -> None:
        parts = urlsplit(root)
        self._root = root
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client = client
        self.checks_sha256 = True

    async def try_out(self) -> None:
        """Look what the bucket can do, and say what it lacks, or that it is away; then all is expected of it."""
        endpoint = self._client.calls.meta.endpoint_url
        try:
            with translated():
                async with asyncio.timeout(TRY_S):
                    found = await tried(self._client.calls, self._bucket, self._prefix)
        except (InvalidArgumentError, NotFoundError, UnavailableError) as error:
            log.error(
                "the bucket of artifacts cannot be used", root=self._root, at=endpoint, reason=str(error)
            )
            return
        self.checks_sha256 = found.signs_sha256
        log.info(
            "the bucket of artifacts is there",
            root=self._root,
            at=endpoint,
            server=found.server,
            lacks="; ".join(found.lacks) or "nothing",
        )

    def part_bytes(self, size_bytes: int) -> int:
        """See `bucket.Bucket`."""
        return part_bytes(size_bytes)

    async def find(self, key: str, sha256: bytes = b"") -> Found | None:
        """See `bucket.Bucket`."""
        mode = {"ChecksumMode": "ENABLED"} if sha256 else {}
        try:
            with translated():
                found = await self._client.calls.head_object(**self._object(key), **mode)
        except NotFoundError:
            return None
        has_sha256 = bool(sha256) and found.get("ChecksumSHA256") in checksums_of(sha256)
        return Found(found["ContentLength"], has_sha256)

    async def put(self, key: str, data: Part) -> None:
        """See `bucket.Bucket`."""
        with translated():
            await self._client.calls.put_object(**self._object(key), Body=InPieces(data))

    async def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """See `bucket.Bucket`."""
        with translated():
            byte_range = {"Range": f"bytes={offset}-"} if offset else {}
            answer = await self._client.calls.get_object(**self._object(key), **byte_range)
            async with answer["Body"] as body:
                while piece := await body.read(READ_BYTES_MAX):
                    yield piece

    async def hashed(self, key: str, size_bytes: int) -> tuple[int, bytes]:
        """See `bucket.Bucket`."""
        if size_bytes <= PIECES_BYTES_MAX:
            return await hashed_in_pieces(self.read(key, 0), size_bytes)

        async def address() -> str:
            (url,) = await self.get_urls([key])
            return url

        return await hashed_in_ranges(self._client.requests, address, size_bytes)

    async def delete(self, key: str) -> None:
        """See `bucket.Bucket`."""
        with translated():
            await self._client.calls.delete_object(**self._object(key))

    async def get_urls(self, keys: Sequence[str]) -> Sequence[str]:
        """See `bucket.Bucket`."""
        urls = []
        for key in keys:
            await asyncio.sleep(0)  # it signs without waiting for anybody; others have a turn in between
            urls.append(await self._presign("get_object", **self._object(key)))
        return urls

    async def begin_parts(self, key: str, *, checked: bool = False, addressed: bool = True) -> str:
        """See `bucket.Bucket`."""
        kind = {"ChecksumAlgorithm": "SHA256"} if checked else {}
        with translated():
            answer = await self._client.calls.create_multipart_upload(**self._object(key), **kind)
        return str(answer["UploadId"])

    async def multipart_ids(self, key: str) -> Sequence[str]:
        """See `bucket.Bucket`."""
        name = self._object(key)
        try:
            with translated():
                answer = await self._client.calls.list_multipart_uploads(
                    Bucket=name["Bucket"], Prefix=name["Key"]
                )
        except NotFoundError:  # rclone's answer when there is none at all
            return []
        return [upload["UploadId"] for upload in answer.get("Uploads", ())]

    async def send_part(self, key: str, multipart_id: str, number: int, data: Part) -> PartTag:
        """See `bucket.Bucket`."""
        with translated():
            answer = await self._client.calls.upload_part(
                **self._object(key), UploadId=multipart_id, PartNumber=number, Body=InPieces(data)
            )
        return PartTag(number, answer["ETag"].strip('"'))

    async def parts(self, key: str, multipart_id: str) -> Sequence[HeldPart] | None:
        """See `bucket.Bucket`."""
        held: list[HeldPart] = []
        pages = self._client.calls.get_paginator("list_parts")
        try:
            with translated():
                async for page in pages.paginate(**self._object(key), UploadId=multipart_id):
                    held += [
                        HeldPart(
                            PartTag(part["PartNumber"], part["ETag"].strip('"')),
                            part["Size"],
                            {name: part[name] for name in ("ChecksumSHA256",) if part.get(name)},
                        )
                        for part in page.get("Parts", ())
                    ]
        except NotFoundError:
            return None
        return held

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """See `bucket.Bucket`."""
        upload = {**self._object(key), "UploadId": multipart_id}
        signed = [{"ChecksumSHA256": base64.b64encode(digest).decode()} for digest in sha256]
        return [
            await self._presign("upload_part", **upload, PartNumber=number, **checksum)
            for number, checksum in zip(numbers, signed or [{}] * len(numbers), strict=True)
        ]

    async def join_parts(self, key: str, multipart_id: str, parts: Sequence[HeldPart]) -> None:
        """See `bucket.Bucket`. Unless the object is there already; some buckets know no such condition."""
        listed = [
            # What the bucket has checked of each part, it wants to hear again.
            {"PartNumber": part.tag.number, "ETag": f'"{part.tag.etag}"', **part.checksum}
            for part in parts
        ]
        upload = {**self._object(key), "UploadId": multipart_id, "MultipartUpload": {"Parts": listed}}
        with translated():
            calls = await self._client.patient()
            try:
                await calls.complete_multipart_upload(**upload, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) not in _NO_CONDITIONS:
                    raise
                await calls.complete_multipart_upload(**upload)

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """See `bucket.Bucket`."""
        with suppress(NotFoundError), translated():
            await self._client.calls.abort_multipart_upload(**self._object(key), UploadId=multipart_id)

    async def _presign(self, method: str, **parameters: Any) -> str:
        with translated():
            url: str = await self._client.calls.generate_presigned_url(
                method, Params=parameters, ExpiresIn=self._client.address_lifetime_s
            )
        return url

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}".removeprefix("/")}


async def _is_elsewhere(session: Any) -> bool:
    """Tell whether S3 is not Amazon's here, and nobody said in the profile how buckets are addressed."""
    said = session.get_scoped_config().get("s3", {})
    if isinstance(said, dict) and "addressing_style" in said:
        return False
    async with session.create_client("s3") as client:
        host = urlsplit(client.meta.endpoint_url).hostname or ""
    return not host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _trust(session: Any) -> ssl.SSLContext:
    """Return what the library believes hosts by, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(get_cert_path(session.get_config_variable("ca_bundle") or True))
    return context


@contextmanager
def translated() -> Iterator[None]:
    """Turn what aiobotocore raises into errors of the domain."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
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
