"""What a bucket can do of what S3 can: tried when it is opened, on an object that goes again, and said by name.

MinIO, Ceph, R2 and others speak S3's protocol and lack this or that of it; Stepwell does without.
"""

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

# Begins the name of what is put there, and removed at once.
PROBE = "stepwell-probe-"
SIGNED_PARTS = "parts signed for their SHA-256 (the server reads files that came straight once)"
CONDITIONS = "completing an upload only where nothing is (If-None-Match)"
TOLD_CHECKSUMS = "telling the SHA-256 of an object (the server reads files that came straight once)"

_DATA = b"stepwell"
_SHA256 = hashlib.sha256(_DATA).digest()
# How those say it that do not know a header.
_UNKNOWN = frozenset({"501", "NotImplemented", "XNotImplemented", "InvalidArgument", "InvalidRequest", "400"})
_EXISTS = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})


@dataclass(slots=True)
class Abilities:
    """What a bucket's server says it is, whether parts can be signed for their SHA-256, and what it lacks."""

    server: str = ""
    signs_sha256: bool = True
    lacks: list[str] = field(default_factory=list)


async def tried(calls: Any, bucket: str, prefix: str) -> Abilities:
    """Try what a bucket can do. Raises what aiobotocore does where it cannot be used at all."""
    target = {"Bucket": bucket, "Key": f"{prefix}/{PROBE}{uuid4().hex}".removeprefix("/")}
    answer = await calls.put_object(**target, Body=_DATA)
    found = Abilities(answer["ResponseMetadata"]["HTTPHeaders"].get("server", ""))
    try:
        await _try_parts(calls, target, found)
    finally:
        with suppress(ClientError, BotoCoreError):
            await calls.delete_object(**target)
    return found


async def _try_parts(calls: Any, target: dict[str, str], found: Abilities) -> None:
    try:
        upload, part = await _sent(calls, target, signed=True)
    except ClientError as error:
        if code_of(error) not in _UNKNOWN:
            raise
        found.signs_sha256 = False
        found.lacks.append(SIGNED_PARTS)
        upload, part = await _sent(calls, target, signed=False)
    whole = {**upload, "MultipartUpload": {"Parts": [part]}}
    try:
        await calls.complete_multipart_upload(**whole, IfNoneMatch="*")
        found.lacks.append(CONDITIONS)  # as there is an object already
    except ClientError as error:
        if code_of(error) not in _EXISTS:
            found.lacks.append(CONDITIONS)
        with suppress(ClientError):
            await calls.complete_multipart_upload(**whole)
    if not found.signs_sha256:
        return
    told = (await calls.head_object(**target, ChecksumMode="ENABLED")).get("ChecksumSHA256")
    if told not in checksums_of(_SHA256):
        found.lacks.append(TOLD_CHECKSUMS)


async def _sent(calls: Any, target: dict[str, str], *, signed: bool) -> tuple[dict[str, str], dict[str, Any]]:
    """Send one part; returns the names of its upload, and the part as it is named then."""
    kind = {"ChecksumAlgorithm": "SHA256"} if signed else {}
    checksum = {"ChecksumSHA256": base64.b64encode(_SHA256).decode()} if signed else {}
    answer = await calls.create_multipart_upload(**target, **kind)
    upload = {**target, "UploadId": answer["UploadId"]}
    try:
        sent = await calls.upload_part(**upload, PartNumber=1, Body=_DATA, **checksum)
    except BaseException:
        with suppress(ClientError, BotoCoreError):
            await calls.abort_multipart_upload(**upload)
        raise
    return upload, {"PartNumber": 1, "ETag": sent["ETag"], **checksum}


def checksums_of(sha256: bytes) -> tuple[str, str]:
    """Return what a bucket says of an object that has a SHA-256: of the whole, or of one single part."""
    of_part = base64.b64encode(hashlib.sha256(sha256).digest()).decode()
    return (base64.b64encode(sha256).decode(), f"{of_part}-1")


def code_of(error: ClientError) -> str:
    """Return the word of the protocol for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))
